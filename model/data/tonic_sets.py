"""Data sets that Tonic reads, from files that lie on disk already: N-MNIST, DVS128 Gesture,
CIFAR10-DVS and the Spiking Heidelberg Digits."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...gen.errors import DataError
from .camera import EVENT, Events
from .datasets import EventDataset, Splits
from .splits import last_of_each


@dataclass(frozen=True)
class TonicSet:
    """One of Tonic's data sets."""

    title: str
    #: Tonic's class, whose files lie below a folder of that name.
    name: str
    #: What these files end with.
    suffix: str
    sensor_size: tuple[int, int, int]
    classes: int
    #: What the names of a part's files, or of their folder, begin with → what Tonic's class takes
    #: to read them: the part to train on first, then the one to judge, if there is one.
    parts: dict[str, dict[str, bool]]

    def files(self, root: Path, part: str = "") -> list[Path]:
        """Its files below ``root``, or those of one of its parts, as far as they are there."""
        found = (root / self.name).glob(f"**/*{self.suffix}")
        return sorted(path for path in found
                      if path.relative_to(root / self.name).parts[0].startswith(part))

    def download(self, root: Path | str, part: str | None = None) -> str:
        """What to run to have Tonic download it, or one part of it."""
        calls = "; ".join(
            f"tonic.datasets.{self.name}({', '.join([repr(str(root)), *_shown(arguments)])})"
            for name, arguments in self.parts.items() if part in (None, name)
        )
        return f'python -c "import tonic; {calls}"'

    def offline(self, root: Path, part: str) -> Any:
        """Tonic's own object over the files of a part, which never downloads.

        Raises
        ------
        DataError
            If there are none, saying how to download them, or Tonic cannot read them.
        """
        import numpy.lib.recfunctions  # noqa: F401 (Tonic's DVSGesture uses it without importing)
        from tonic import datasets

        def refuse(own: object) -> None:
            # A download of gigabytes is the user's decision.
            raise DataError(
                f"{root / self.name / part} holds no {self.suffix} files; to download them run: "
                f"{self.download(root, part)}"
            )

        # Tonic wants the archive itself and the full number of files; any part of them will do.
        exists = bool(self.files(root, part))
        base = getattr(datasets, self.name)
        own = type(self.name, (base,), {"download": refuse, "_check_exists": lambda s: exists})
        try:
            return own(str(root), **self.parts[part])
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{root / self.name} cannot be read by Tonic ({error}); download it "
                            f"again: {self.download(root, part)}") from error

    def recordings(self, root: Path, part: str) -> EventDataset:
        """The samples of a part, in the order of their files' names."""
        files = self.offline(root, part)
        labels, order, places = _listed(files)

        def read(i: int) -> Events:
            try:
                found, _ = files[order[i]]
            except ImportError as error:
                raise DataError(f"{self.name} needs the package {error.name!r} to read its files; "
                                f"run: pip install {error.name}") from error
            # RuntimeError is what the package aedat makes of everything.
            except (OSError, ValueError, IndexError, KeyError, RuntimeError) as error:
                raise DataError(f"{places[i]} cannot be read ({error}); download it again"
                                ) from error
            return self._events(found, places[i])

        return EventDataset(
            name=self.name, sensor_size=self.sensor_size, classes=self.classes, labels=labels,
            read=read, fingerprint=_fingerprint(self.files(root, part), root),
        )

    def _events(self, found: np.ndarray, place: str) -> Events:
        events = np.zeros(len(found), EVENT)
        for key in found.dtype.names or ():
            events[key] = found[key]
        if self.sensor_size[2] == 1:
            events["p"] = 0
        if len(events) and (
            events["x"].max() >= self.sensor_size[0] or events["y"].max() >= self.sensor_size[1]
        ):
            raise DataError(f"{place} has events outside the sensor; download it again")
        events["t"] -= events["t"][0] if self.name == "CIFAR10DVS" and len(events) else 0
        return events[np.argsort(events["t"], kind="stable")]


def _shown(arguments: dict[str, bool]) -> list[str]:
    return [f"{name}={value}" for name, value in arguments.items()]


def _listed(files: Any) -> tuple[np.ndarray, Sequence[int], Sequence[str]]:
    """Labels, index in Tonic's own order, and file of each sample."""
    if files.data:
        order = sorted(range(len(files)), key=lambda i: files.data[i])
        return (np.array([files.targets[i] for i in order], np.int64), order,
                [files.data[i] for i in order])
    import h5py  # Tonic's own, for the Heidelberg sets

    path = Path(files.location_on_system, files.data_filename)
    with h5py.File(path) as file:
        labels = np.asarray(file["labels"]).astype(np.int64)
    return labels, range(len(labels)), [str(path)] * len(labels)


def _fingerprint(files: list[Path], root: Path) -> str:
    """Changes with every file that is added, removed or written; contents are not read, because
    there are gigabytes of them."""
    hasher = hashlib.sha256()
    for path in files:
        status = path.stat()
        hasher.update(f"{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
                      .encode())
    return hasher.hexdigest()


def load(tonic_set: TonicSet, root: Path) -> Splits:
    """Its own split; or, where it has none, with the last tenth of each class held back.

    Raises
    ------
    DataError
        If files are missing, saying how to download them, or damaged.
    """
    parts = [tonic_set.recordings(root, part) for part in tonic_set.parts]
    if len(parts) == 1:
        return last_of_each(parts[0], parts[0].labels, 10)
    return Splits(train=parts[0], held_back=parts[1])


#: By the name that recipes use.
TONIC = {
    "nmnist": TonicSet("N-MNIST", "NMNIST", ".bin", (34, 34, 2), 10,
                       {"Train": {"train": True}, "Test": {"train": False}}),
    "dvs-gesture": TonicSet("DVS128 Gesture", "DVSGesture", ".npy", (128, 128, 2), 11,
                            {"ibmGestureTrain": {"train": True},
                             "ibmGestureTest": {"train": False}}),
    "cifar10-dvs": TonicSet("CIFAR10-DVS", "CIFAR10DVS", ".aedat4", (128, 128, 2), 10, {"": {}}),
    "shd": TonicSet("Spiking Heidelberg Digits", "SHD", ".h5", (700, 1, 1), 20,
                    {"shd_train": {"train": True}, "shd_test": {"train": False}}),
}
