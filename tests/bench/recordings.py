"""Held-back samples of the user's data sets, below SPIKEWRIGHT_DATA, and the nets trained on them.

``specs/mnist`` is ``spikewright train mnist --seed 0`` compiled; ``specs/nmnist_conv`` is
``spikewright train nmnist_conv`` on 800 recordings for 24 epochs, compiled with one epoch of
quantisation-aware training; ``specs/nmnist_small``, small enough for an iCE40 UltraPlus, is recipe
``nmnist`` with 64 hidden neurons on the same recordings for 40 epochs, compiled with 4. Any
training of one's own does as well.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikewright.gen import NetworkSpec
from spikewright.gen.errors import DataError
from spikewright.gen.folding import Folding, LayerFolding
from spikewright.gen.specfile import load
from spikewright.gen.stimulus import Stimulus
from spikewright.model.data.encoding import Encoding
from spikewright.model.data.settings import Data
from spikewright.model.data.sources import load as load_data

from .designs import dense

SPECS = Path(__file__).with_name("specs")

#: The convolutional net's hardware: sweeps of 48 neurons beside the events of the next timestep,
#: and all taps of an event at once where events are many.
CONVOLUTIONAL = (
    LayerFolding(lanes=16, units=48, banks=(1, 3), overlap=True),
    LayerFolding(lanes=16, units=48, banks=(2, 3), overlap=True),
    LayerFolding(lanes=8, units=24), LayerFolding(lanes=32, units=8), LayerFolding(units=2),
)


def spec(name: str) -> NetworkSpec:
    return load(SPECS / f"{name}.json")


def mnist() -> Stimulus:
    """The 10,000 held-back digits as currents of black and white pixels.

    Raises
    ------
    DataError
        If MNIST is not there.
    """
    held_back = load_data(Data(source="mnist"), _root()).held_back
    return Stimulus(Encoding(kind="current", timesteps=2).encode(held_back), held_back.labels)


def nmnist_milliseconds(count: int) -> Stimulus:
    """The last ``count`` recordings of N-MNIST in steps of a millisecond."""
    return _nmnist(count, Encoding(timesteps=300, time_window=1000))


def nmnist_windows(count: int) -> Stimulus:
    """The last ``count`` recordings of N-MNIST in the ten timesteps of recipe ``nmnist``."""
    return _nmnist(count, Encoding(timesteps=10, time_window=31_500))


def nmnist_batches(size: int) -> Iterator[Stimulus]:
    """Every recording of N-MNIST that is there, those of training included, likewise."""
    splits = load_data(Data(source=nmnist_source()), _root())
    encoding = Encoding(timesteps=300, time_window=1000)
    for part in (splits.train, splits.held_back):
        for start in range(0, len(part), size):
            these = part.subset(np.arange(start, min(start + size, len(part))))
            yield Stimulus(encoding.encode(these), these.labels)


def nmnist_source() -> str:
    """Where a recipe finds N-MNIST; DataError as above."""
    path = _root() / "nmnist" / "train.npz"
    return f"events:{path}" if path.exists() else "nmnist"


def _nmnist(count: int, encoding: Encoding) -> Stimulus:
    held_back = load_data(Data(source=nmnist_source()), _root()).held_back
    last = held_back.subset(np.arange(len(held_back) - count, len(held_back)))
    return Stimulus(encoding.encode(last), last.labels)


def nmnist() -> list[tuple[str, NetworkSpec, Folding, npt.NDArray]]:
    """What, net, folding and samples of the measurements on real recordings."""
    recipe = nmnist_windows(1).spikes
    milliseconds = nmnist_milliseconds(1).spikes
    linear = dense(2312, 256, 10, timesteps=300, threshold=60)
    folding = Folding.each(LayerFolding(lanes=32, units=4), LayerFolding(lanes=5), spec=linear)
    convolutional = spec("nmnist_conv")
    return [
        ("an N-MNIST recording in 10 timesteps, 2312 → 256 → 10", linear, folding, recipe),
        ("an N-MNIST recording in 300 timesteps, 2312 → 256 → 10", linear, folding, milliseconds),
        ("an N-MNIST recording in 300 timesteps, convolutional", convolutional,
         Folding.each(*CONVOLUTIONAL, spec=convolutional), milliseconds),
    ]


def _root() -> Path:
    if "SPIKEWRIGHT_DATA" not in os.environ:
        raise DataError("set SPIKEWRIGHT_DATA to a folder with mnist and nmnist")
    return Path(os.environ["SPIKEWRIGHT_DATA"])
