"""Samples with their labels, from every source: event recordings under one type, and images.

=====================  ==========================================================================
``digits``             scikit-learn's 1,797 handwritten digits seen by :class:`.camera.Camera`
``mnist``              MNIST, its images as they are; see :mod:`.images`
``nmnist``             N-MNIST, through Tonic
``dvs-gesture``        IBM's DVS128 Gesture, through Tonic
``cifar10-dvs``        CIFAR10-DVS, through Tonic
``events:FILE.npz``    arrays ``x``, ``y``, ``p``, ``t`` (µs from the start of the sample),
                       ``offsets`` (sample i is rows offsets[i]:offsets[i + 1]), ``labels`` and
                       ``sensor_size`` (x, y, polarities)
=====================  ==========================================================================
"""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.errors import DataError
from .camera import EVENT
from .datasets import Dataset, EventDataset, Splits
from .images import mnist
from .settings import Data
from .tonic_sets import TONIC

__all__ = ["Dataset", "EventDataset", "Splits", "from_npz", "load"]

ROOT_VARIABLE = "SPIKEWRIGHT_DATA"

EVENTS_PREFIX = "events:"


def load(data: Data, root: Path | str | None = None) -> Splits:
    """The samples that ``data`` names, always split the same way.

    ``root`` is where Tonic's data sets lie; without it the environment variable SPIKEWRIGHT_DATA
    says.

    * digits: drawn once, with equal shares of each class;
    * an event file: the first ``data.train`` samples (default four fifths), then the rest;
    * MNIST: its own; where only its training files lie, their last sixth (10,000) is held back;
    * N-MNIST and DVS Gesture: their own;
    * CIFAR10-DVS, which has none: the last tenth of each class is held back.

    Raises
    ------
    DataError
        If the source is unknown, missing or malformed, or cannot be split as asked.
    """
    source = data.source
    if source.startswith(EVENTS_PREFIX):
        dataset = from_npz(source.removeprefix(EVENTS_PREFIX))
        train = _train_size(data, len(dataset))
        splits = Splits(
            train=dataset.subset(np.arange(train)),
            held_back=dataset.subset(np.arange(train, len(dataset))),
        )
    elif source == "digits":
        splits = _digits(data)
    elif source == "mnist":
        splits = _mnist(data, _root(source, root))
    elif source in TONIC:
        if data.train is not None:
            raise DataError(f"data.train is {data.train}, but {source} has its own split; drop it")
        splits = TONIC[source](_root(source, root))
    else:
        raise DataError(f"data source {source!r} is unknown; allowed are digits, mnist, "
                        f"{', '.join(TONIC)} and {EVENTS_PREFIX}FILE.npz")
    unseen = np.setdiff1d(splits.held_back.labels, splits.train.labels)
    if len(unseen):
        raise DataError(f"{source}: labels {unseen.tolist()} are held back but never trained on; "
                        f"choose another data.train, or mix the samples' order")
    return splits


def _train_size(data: Data, samples: int) -> int:
    train = data.train if data.train is not None else samples * 4 // 5
    if not 1 <= train < samples:
        raise DataError(f"{train} samples to train on out of {samples}; allowed are 1 to "
                        f"{samples - 1}, so that some are held back")
    return train


def _mnist(data: Data, root: Path) -> Splits:
    train, test = mnist(root)
    if test is not None:
        if data.train is not None:
            raise DataError(f"data.train is {data.train}, but MNIST's own test files are there; "
                            f"drop it")
        return Splits(train=train, held_back=test)
    size = len(train) * 5 // 6 if data.train is None else _train_size(data, len(train))
    return Splits(train=train.subset(np.arange(size)),
                  held_back=train.subset(np.arange(size, len(train))))


def _digits(data: Data) -> Splits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, target = load_digits(return_X_y=True)
    labels = target.astype(np.int64)
    events, offsets = data.camera.record(pixels.reshape(-1, 8, 8) / 16)
    dataset = EventDataset(
        name="digits", sensor_size=data.camera.sensor_size, classes=10, labels=labels,
        read=lambda i: events[offsets[i] : offsets[i + 1]],
    )
    size = _train_size(data, len(labels))
    if min(size, len(labels) - size) < dataset.classes:
        raise DataError(f"data.train is {size}; for digits allowed are {dataset.classes} to "
                        f"{len(labels) - dataset.classes}, so that no class is missing")
    train, held_back = train_test_split(
        np.arange(len(labels)), train_size=size, stratify=labels, random_state=0
    )
    return Splits(train=dataset.subset(train), held_back=dataset.subset(held_back))


def from_npz(path: Path | str) -> EventDataset:
    """An event file; DataError if it is missing, damaged or breaks a rule of the format."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no event file ({error}); give an npz with x, y, p, t, offsets, "
                        f"labels and sensor_size") from error
    return _dataset(Path(path), arrays)


def _dataset(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> EventDataset:
    def refuse(problem: str) -> DataError:
        return DataError(f"{path}: {problem}")

    for key in ("x", "y", "p", "t", "offsets", "labels", "sensor_size"):
        if key not in arrays:
            raise refuse(f"array {key!r} is missing; an event file holds x, y, p, t, offsets, "
                         f"labels and sensor_size")
        if arrays[key].ndim != 1 or arrays[key].dtype.kind not in "iu":
            raise refuse(f"array {key!r} is {arrays[key].dtype} of shape {arrays[key].shape}; "
                         f"integers in one dimension are needed")
    count = len(arrays["t"])
    for key in "xyp":
        if len(arrays[key]) != count:
            raise refuse(f"array {key!r} has {len(arrays[key])} events, 't' has {count}; they must "
                         f"be as long as each other")
    size = tuple(arrays["sensor_size"].tolist())
    if len(size) != 3 or not all(1 <= n <= 4096 for n in size) or size[2] > 2:
        raise refuse(f"sensor_size is {size}; (x, y, polarities) is needed, sides from 1 to 4096 "
                     f"and 1 or 2 polarities")
    offsets, labels = arrays["offsets"].astype(np.int64), arrays["labels"].astype(np.int64)
    if len(offsets) != len(labels) + 1 or len(labels) == 0:
        raise refuse(f"{len(offsets)} offsets for {len(labels)} labels; at least one label is "
                     f"needed, and one offset more than labels")
    if offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets) < 0).any():
        raise refuse(f"offsets must rise from 0 to the number of events, {count}; they run from "
                     f"{offsets[0]} to {offsets[-1]}"
                     + (", not always upward" if (np.diff(offsets) < 0).any() else ""))
    if labels.min() < 0 or labels.max() > 65535:
        raise refuse(f"labels run from {labels.min()} to {labels.max()}; allowed are 0 to 65535")
    for key, limit in zip("xyp", size, strict=True):
        if count and (int(arrays[key].min()) < 0 or int(arrays[key].max()) >= limit):
            raise refuse(f"{key} runs from {arrays[key].min()} to {arrays[key].max()}; the sensor "
                         f"allows 0 to {limit - 1}")
    if count and (int(arrays["t"].min()) < 0 or int(arrays["t"].max()) >= 2**62):
        raise refuse(f"t runs from {arrays['t'].min()} to {arrays['t'].max()} µs; it must count "
                     f"from the start of the sample")
    events = np.empty(count, EVENT)
    for key in "xypt":
        events[key] = arrays[key]
    late = np.diff(events["t"]) < 0
    late[offsets[(offsets > 0) & (offsets < count)] - 1] = False
    if late.any():
        sample = np.repeat(np.arange(len(labels)), np.diff(offsets))
        events = events[np.lexsort((events["t"], sample))]
    return EventDataset(
        name=path.stem, sensor_size=size, classes=int(labels.max()) + 1, labels=labels,
        read=lambda i: events[offsets[i] : offsets[i + 1]],
    )


def _root(source: str, root: Path | str | None) -> Path:
    given = root if root is not None else os.environ.get(ROOT_VARIABLE)
    if not given:
        raise DataError(f"{source} needs to know where its files lie; give --data-root FOLDER, or "
                        f"set {ROOT_VARIABLE}")
    return Path(given)
