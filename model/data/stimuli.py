"""What ``--data`` offers beyond spike files: recordings, encoded the way the run was trained."""

import numpy as np

from ...gen.console import progress
from ...gen.errors import DataError
from ...gen.runfolder import RunFolder
from ...gen.stimulus import Stimulus
from ..recipe import Recipe
from . import cache
from .datasets import Dataset
from .encoding import Encoding
from .event_file import from_npz
from .sources import EVENTS_PREFIX, event_path, load


def from_events(path: str, run: object = None) -> Stimulus:
    """``--data events:FILE.npz``: every recording of an event file."""
    folder, recipe = _recipe(run, EVENTS_PREFIX + path)
    return _fitting(from_npz(event_path(path)), folder, recipe)


def from_dataset(name: str, run: object = None) -> Stimulus:
    """``--data dataset:NAME``: the held-back samples of a named data set; Tonic's are looked for
    below SPIKEWRIGHT_DATA."""
    folder, recipe = _recipe(run, f"dataset:{name}")
    data = recipe.data
    if name != data.source:
        data = data.model_copy(update={"source": name, "train": None, "split": None})
    return _fitting(load(data).held_back, folder, recipe)


def encode(encoding: Encoding, dataset: Dataset, description: str) -> Stimulus:
    """``dataset`` as spikes, with a progress bar; read from :mod:`.cache` if they are kept there,
    and kept there if not."""
    if (kept := cache.read(encoding, dataset)) is not None:
        return kept
    with progress(description, len(dataset)) as advance:
        samples = Stimulus(encoding.encode(dataset, advance), dataset.labels)
    cache.keep(encoding, dataset, samples)
    return samples


def merged(stimulus: Stimulus, timesteps: int) -> Stimulus:
    """``stimulus`` with every so many ``timesteps`` summed into one."""
    if timesteps == 1:
        return stimulus
    samples, _, inputs = stimulus.spikes.shape
    values = stimulus.spikes.reshape(samples, -1, timesteps, inputs).sum(axis=2, dtype=np.uint8)
    return Stimulus(values, stimulus.labels)


def _recipe(run: object, given: str) -> tuple[RunFolder, Recipe]:
    if not isinstance(run, RunFolder):
        raise DataError(f"{given} needs a run folder, whose recipe says how to encode recordings; "
                        f"give one, or spikes:FILE.npz, which is already encoded")
    return run, read_recipe(run)


def read_recipe(run: RunFolder) -> Recipe:
    """The recipe that ``run`` was trained with."""
    return Recipe.check(run.read_json("recipe.json", "train"), str(run.path / "recipe.json"))


def _fitting(dataset: Dataset, run: RunFolder, recipe: Recipe) -> Stimulus:
    spec = run.spec()
    shape = recipe.encoding.shape(dataset.sensor_size)
    if shape != spec.input_shape:
        raise DataError(
            f"{dataset.name} has sensor {dataset.sensor_size}, which this run encodes to inputs "
            f"{shape}; its network takes {spec.input_shape}; give recordings of the camera it was "
            f"trained on"
        )
    unknown = np.unique(dataset.labels[dataset.labels >= spec.classes])
    if len(unknown):
        raise DataError(f"{dataset.name} has labels {unknown.tolist()}; the network knows classes "
                        f"0 to {spec.classes - 1}")
    return encode(recipe.encoding, dataset, f"encoding {dataset.name}")
