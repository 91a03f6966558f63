"""Samples with their labels, from every source: event recordings under one type, images, tables.

========================  =======================================================================
``digits``                scikit-learn's 1,797 handwritten digits seen by :class:`.camera.Camera`
``mnist``                 MNIST, its images as they are; see :mod:`.images`
``nmnist``                N-MNIST, through Tonic
``dvs-gesture``           IBM's DVS128 Gesture, through Tonic
``cifar10-dvs``           CIFAR10-DVS, through Tonic
``shd``                   Spiking Heidelberg Digits, through Tonic
``sklearn:NAME``          a table of scikit-learn's; see :mod:`.tabular`
``events:FILE.npz``       recordings in a file; see :mod:`.event_file`
========================  =======================================================================
"""

import functools
import hashlib
import os
from pathlib import Path

import numpy as np

from ...gen.errors import DataError
from . import splits, tonic_sets
from .camera import Events
from .datasets import Dataset, EventDataset, Splits
from .event_file import from_npz
from .images import mnist
from .settings import Data
from .tabular import table
from .tonic_sets import TONIC

__all__ = ["Dataset", "EventDataset", "Splits", "from_npz", "load"]

ROOT_VARIABLE = "SPIKEWRIGHT_DATA"

EVENTS_PREFIX = "events:"
TABLE_PREFIX = "sklearn:"

#: What a recipe may name, for messages and help.
ALLOWED = f"digits, mnist, {', '.join(TONIC)}, {TABLE_PREFIX}NAME and {EVENTS_PREFIX}FILE.npz"


def load(data: Data, root: Path | str | None = None) -> Splits:
    """The samples that ``data`` names, always split the same way.

    ``root`` is where MNIST and Tonic's data sets lie; without it the environment variable
    SPIKEWRIGHT_DATA says. An event file of a relative path is looked for there too.

    * digits, tables: drawn once, with equal shares of each class;
    * an event file: the first ``data.train`` samples (default four fifths), then the rest; or, if
      ``data.split`` names one of its arrays, the last fifth of every group that it tells apart;
    * MNIST: its own; where only its training files lie, their last sixth (10,000) is held back;
    * N-MNIST, DVS Gesture and SHD: their own;
    * CIFAR10-DVS, which has none: the last tenth of each class is held back.

    Raises
    ------
    DataError
        If the source is unknown, missing or malformed, or cannot be split as asked.
    """
    source = data.source
    if data.split is not None and not source.startswith(EVENTS_PREFIX):
        raise DataError(f"data.split is {data.split!r}, but only event files have arrays to split "
                        f"by, and the source is {source}; drop it")
    if source.startswith(EVENTS_PREFIX):
        found = _event_file(data, source.removeprefix(EVENTS_PREFIX), root)
    elif source.startswith(TABLE_PREFIX):
        found = table(source.removeprefix(TABLE_PREFIX), data.train, data.scaling)
    elif source == "digits":
        found = splits.stratified(_digits(data), data.train)
    elif source == "mnist":
        found = _mnist(data, data_root(source, root))
    elif source in TONIC:
        if data.train is not None:
            raise DataError(f"data.train is {data.train}, but {source} has its own split; drop it")
        found = tonic_sets.load(TONIC[source], data_root(source, root))
    else:
        raise DataError(f"data source {source!r} is unknown; allowed are {ALLOWED}; "
                        f"`spikewright data` lists them")
    unseen = np.setdiff1d(found.held_back.labels, found.train.labels)
    if len(unseen):
        raise DataError(f"{source}: labels {unseen.tolist()} are held back but never trained on; "
                        f"choose another data.train, or mix the samples' order")
    return found


def _event_file(data: Data, path: str, root: Path | str | None) -> Splits:
    dataset = from_npz(event_path(path, root))
    if data.split is None:
        return splits.in_order(dataset, data.train)
    if data.train is not None:
        raise DataError(f"data.train is {data.train} and data.split {data.split!r}; each of them "
                        f"splits the samples, so drop one")
    return splits.by_group(dataset, data.split)


def event_path(path: str, root: Path | str | None = None) -> Path:
    """Where event file ``path`` lies: as it stands, or below the data folder."""
    here = Path(path)
    if here.is_absolute() or here.exists():
        return here
    given = root if root is not None else os.environ.get(ROOT_VARIABLE)
    if given and (below := Path(given) / path).exists():
        return below
    where = f"neither here nor in {given}" if given else f"not here, and {ROOT_VARIABLE} is not set"
    raise DataError(f"{path} cannot be read: it lies {where}; give the whole path, --data "
                    f"{EVENTS_PREFIX}FILE.npz, or the folder below which it lies, --data-root")


def _mnist(data: Data, root: Path) -> Splits:
    train, test = mnist(root)
    if test is not None:
        if data.train is not None:
            raise DataError(f"data.train is {data.train}, but MNIST's own test files are there; "
                            f"drop it")
        return Splits(train=train, held_back=test)
    return splits.in_order(train, len(train) * 5 // 6 if data.train is None else data.train)


def _digits(data: Data) -> EventDataset:
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    camera = data.camera

    @functools.cache
    def recorded():
        # When first asked for, because what was encoded before is read from a cache.
        return camera.record(pixels.reshape(-1, 8, 8) / 16)

    def read(i: int) -> Events:
        events, offsets = recorded()
        return events[offsets[i] : offsets[i + 1]]

    return EventDataset(
        name="digits", sensor_size=camera.sensor_size, classes=10, labels=target.astype(np.int64),
        read=read, fingerprint=hashlib.sha256(
            camera.model_dump_json().encode() + pixels.astype("<f8").tobytes()
        ).hexdigest(),
    )


def data_root(source: str, root: Path | str | None) -> Path:
    """``root``, or what SPIKEWRIGHT_DATA says; DataError, naming ``source``, if neither does."""
    given = root if root is not None else os.environ.get(ROOT_VARIABLE)
    if not given:
        raise DataError(f"{source} needs to know where its files lie; give --data-root FOLDER, or "
                        f"set {ROOT_VARIABLE}; `spikewright data` says how to get them")
    return Path(given)
