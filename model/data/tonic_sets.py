"""Data sets that Tonic reads, from files that lie on disk already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...gen.errors import DataError
from .camera import EVENT, Events
from .datasets import EventDataset, Splits


def _tonic(
    name: str, root: Path, suffix: str, sensor_size: tuple[int, int, int], classes: int,
    folder: str = "", **arguments: Any,
) -> EventDataset:
    """Tonic's data set class ``name`` over the files below ``root/name``, never downloading."""
    import numpy.lib.recfunctions  # noqa: F401 (Tonic's DVSGesture uses it without importing it)
    from tonic import datasets

    base = getattr(datasets, name)
    place = root / name / folder

    def refuse(self: object) -> None:
        # A download of gigabytes is the user's decision.
        call = ", ".join([repr(str(root)), *(f"{k}={v}" for k, v in arguments.items())])
        raise DataError(
            f"{place} holds no {suffix} files; to download them run: "
            f'python -c "import tonic; tonic.datasets.{name}({call})"'
        )

    # Tonic wants the archive itself and the full number of files; any part of them will do here.
    exists = any(place.rglob(f"*{suffix}")) if place.is_dir() else False
    offline = type(name, (base,), {"download": refuse, "_check_exists": lambda self: exists})
    files = offline(str(root), **arguments)
    order = sorted(range(len(files)), key=lambda i: files.data[i])
    labels = np.array([files.targets[i] for i in order], np.int64)

    def read(i: int) -> Events:
        try:
            found, _ = files[order[i]]
        except ImportError as error:
            raise DataError(f"{name} needs the package {error.name!r} to read its files; run: pip "
                            f"install {error.name}") from error
        except (OSError, ValueError, IndexError) as error:
            raise DataError(f"{files.data[order[i]]} cannot be read ({error}); download it "
                            f"again") from error
        events = np.empty(len(found), EVENT)
        for key in "xypt":
            events[key] = found[key]
        if len(events) and (
            events["x"].max() >= sensor_size[0] or events["y"].max() >= sensor_size[1]
        ):
            raise DataError(f"{files.data[order[i]]} has events outside the sensor; download it "
                            f"again")
        events["t"] -= events["t"][0] if name == "CIFAR10DVS" and len(events) else 0
        return events[np.argsort(events["t"], kind="stable")]

    return EventDataset(
        name=name, sensor_size=sensor_size, classes=classes, labels=labels, read=read
    )


def _nmnist(root: Path) -> Splits:
    parts = [_tonic("NMNIST", root, ".bin", (34, 34, 2), 10, folder, train=folder == "Train")
             for folder in ("Train", "Test")]
    return Splits(train=parts[0], held_back=parts[1])


def _dvs_gesture(root: Path) -> Splits:
    parts = [_tonic("DVSGesture", root, ".npy", (128, 128, 2), 11, f"ibmGesture{folder}",
                    train=folder == "Train") for folder in ("Train", "Test")]
    return Splits(train=parts[0], held_back=parts[1])


def _cifar10_dvs(root: Path) -> Splits:
    dataset = _tonic("CIFAR10DVS", root, ".aedat4", (128, 128, 2), 10)
    train: list[int] = []
    held_back: list[int] = []
    for label in np.unique(dataset.labels):
        members = np.flatnonzero(dataset.labels == label).tolist()
        kept = len(members) - max(1, len(members) // 10)
        train += members[:kept]
        held_back += members[kept:]
    return Splits(train=dataset.subset(train), held_back=dataset.subset(held_back))


#: By the name that recipes use.
TONIC: dict[str, Callable[[Path], Splits]] = {
    "nmnist": _nmnist,
    "dvs-gesture": _dvs_gesture,
    "cifar10-dvs": _cifar10_dvs,
}
