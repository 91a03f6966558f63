"""Which samples are held back: never trained on, always the same."""

import numpy as np
import numpy.typing as npt

from ...gen.errors import DataError
from .datasets import Dataset, EventDataset, Splits


def parted(dataset: Dataset, train: npt.ArrayLike, held_back: npt.ArrayLike) -> Splits:
    """The samples with these indices."""
    return Splits(train=dataset.subset(train), held_back=dataset.subset(held_back))


def in_order(dataset: Dataset, train: int | None) -> Splits:
    """The first ``train`` samples (default four fifths), then the rest."""
    size = train_size(train, len(dataset))
    return parted(dataset, np.arange(size), np.arange(size, len(dataset)))


def stratified(dataset: Dataset, train: int | None) -> Splits:
    """``train`` samples (default four fifths), drawn once and for all with equal shares of each
    class, then the rest."""
    return parted(dataset, *drawn(dataset.labels, train, dataset.name))


def drawn(
    labels: npt.NDArray[np.int64], train: int | None, name: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices of what :func:`stratified` trains on and holds back."""
    from sklearn.model_selection import train_test_split

    samples, classes = len(labels), len(np.unique(labels))
    size = train_size(train, samples)
    if min(size, samples - size) < classes:
        raise DataError(f"data.train is {size}; for {name} allowed are {classes} to "
                        f"{samples - classes}, so that no class is missing")
    first, rest = train_test_split(
        np.arange(samples), train_size=size, stratify=labels, random_state=0
    )
    return np.asarray(first), np.asarray(rest)


def last_of_each(dataset: Dataset, groups: npt.NDArray, part: int) -> Splits:
    """The last ``1/part`` of every group of samples, at least one of them, is held back."""
    train: list[int] = []
    held_back: list[int] = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group).tolist()
        kept = len(members) - max(1, len(members) // part)
        train += members[:kept]
        held_back += members[kept:]
    return parted(dataset, np.sort(train), np.sort(held_back))


def by_group(dataset: EventDataset, name: str) -> Splits:
    """The last fifth of every group that array ``name`` of an event file tells apart, such as the
    recording a sample was cut from: samples that lie next to each other in time are nearly the
    same, so random ones would show a net what it is judged on."""
    if name not in dataset.groups:
        known = ", ".join(sorted(dataset.groups)) or "none"
        raise DataError(f"data.split is {name!r}, but {dataset.name} has no such array with one "
                        f"entry for each of its {len(dataset)} samples; it has {known}; name one "
                        f"of them, or drop split to hold back the last samples of the file")
    return last_of_each(dataset, dataset.groups[name], 5)


def train_size(train: int | None, samples: int) -> int:
    """``train``, or four fifths of ``samples``; DataError if none would be left."""
    size = train if train is not None else samples * 4 // 5
    if not 1 <= size < samples:
        raise DataError(f"{size} samples to train on out of {samples}; allowed are 1 to "
                        f"{samples - 1}, so that some are held back")
    return size
