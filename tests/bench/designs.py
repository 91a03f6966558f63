"""The designs that `make bench` measures."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spikewright.gen import Conv2d, Input, InputKind, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.folding import Folding, LayerFolding
from spikewright.gen.pooling import SumPool2d


def dense(*sizes: int, timesteps: int = 25, bits: int = 4, threshold: int = 40, seed: int = 0,
          decay: int = 15) -> NetworkSpec:
    """All-to-all layers of the given sizes with random weights; β = decay/16."""
    rng = np.random.default_rng(seed)

    def layer(name: str, inputs: int, neurons: int) -> Layer:
        weight = np.clip(np.rint(rng.normal(0, 2.5, (neurons, inputs))), 1 - 2 ** (bits - 1),
                         2 ** (bits - 1) - 1)
        return Layer(name=name, synapse=Linear(weight=weight, weight_bits=bits),
                     neuron=Neuron(decay=decay, decay_fraction=4, threshold=threshold))

    return NetworkSpec(
        name="_".join(["dense", *map(str, sizes)]), input_shape=(sizes[0],), timesteps=timesteps,
        layers=tuple(layer(f"fc{n}", *pair)
                     for n, pair in enumerate(pairwise(sizes), start=1)),
    )


def rivals_job(samples: int) -> tuple[NetworkSpec, npt.NDArray[np.bool_]]:
    """What :mod:`.peers` are measured on: 784 → 128 → 10 over 25 timesteps, and bool (samples, 25,
    784), of which each input spikes in one of ten timesteps."""
    spec = dense(784, 128, 10, timesteps=25, threshold=60)
    return spec, np.random.default_rng(0).random((samples, spec.timesteps, spec.inputs)) < 0.1


def convolutional(shape: tuple[int, int, int], channels: int, *, stride: int = 1,
                  classes: int = 10, seed: int = 0) -> NetworkSpec:
    """A 3×3 convolution, a 2×2 sum pooling and an all-to-all layer."""
    rng = np.random.default_rng(seed)
    neuron = Neuron(decay=15, decay_fraction=4, threshold=30)
    conv = Conv2d(weight=rng.integers(-7, 8, (channels, shape[0], 3, 3)), weight_bits=4,
                  input_shape=shape, stride=(stride, stride), padding=(1, 1))
    pool = SumPool2d(input_shape=conv.output_shape, kernel=(2, 2))
    weight = rng.integers(-7, 8, (classes, pool.outputs))
    return NetworkSpec(
        name=f"conv_{channels}", input_shape=shape, timesteps=25,
        layers=(Layer(name="conv", synapse=conv, neuron=neuron),
                Layer(name="fc", synapse=Linear(weight=weight, weight_bits=4), neuron=neuron,
                      pool=pool)),
    )


@dataclass(frozen=True)
class Built:
    """A network and how it is built."""

    spec: NetworkSpec
    folding: Folding
    counters: bool


def each(spec: NetworkSpec, *foldings: LayerFolding, counters: bool = False) -> Built:
    return Built(spec, Folding.each(*foldings, spec=spec), counters)


#: What estimates are checked with: small, and unlike one another.
ESTIMATED: dict[str, Built] = {
    "registers": each(dense(64, 32, 10), LayerFolding(units=4), LayerFolding(units=2)),
    "two ways": each(dense(64, 32, 10), LayerFolding(ways=2, units=4), LayerFolding(ways=2),
                     counters=True),
    "four ways": each(dense(100, 24, 8), LayerFolding(ways=4, units=8), LayerFolding(ways=4)),
    "memory": each(dense(64, 96, 10), LayerFolding(lanes=12, units=3), LayerFolding(lanes=2),
                   counters=True),
    "one lane": each(dense(48, 32, 6), LayerFolding(lanes=1), LayerFolding(lanes=1)),
    "one lane, counted": each(dense(96, 24, 6), LayerFolding(lanes=1), LayerFolding(lanes=1),
                              counters=True),
    "8 bits": each(dense(64, 40, 10, bits=8, decay=13), LayerFolding(lanes=8),
                   LayerFolding(lanes=5)),
    "values": each(replace(dense(64, 32, 10), input=Input(kind=InputKind.COUNTS, bits=4)),
                   LayerFolding(units=4), LayerFolding(units=2)),
    "many units": each(dense(64, 32, 10), LayerFolding(units=16), LayerFolding(units=10),
                       counters=True),
    "three layers": each(dense(64, 32, 24, 10), LayerFolding(lanes=16), LayerFolding(lanes=8),
                         LayerFolding(lanes=5), counters=True),
    "convolution": each(convolutional((2, 12, 12), 4), LayerFolding(), LayerFolding(),
                        counters=True),
    "strided convolution": each(convolutional((1, 16, 16), 8, stride=2), LayerFolding(lanes=4),
                                LayerFolding(lanes=5)),
    "overlapping convolution": each(convolutional((2, 10, 10), 6), LayerFolding(overlap=True),
                                    LayerFolding(), counters=True),
}
