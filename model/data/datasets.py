"""What a net is trained on: samples with their labels, event recordings or images."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .camera import Events
from .images import ImageDataset


@dataclass(frozen=True, eq=False, kw_only=True)
class EventDataset:
    """Recordings of one camera; ``dataset[i]`` is (events, label) as in Tonic's data sets.

    ``sensor_size`` is (x, y, polarities); ``labels`` int64 (samples,), each below ``classes``;
    ``read(i)`` returns the events of sample i, (events,) of :data:`.camera.EVENT`, sorted by time.
    ``groups``: by name, which group each sample belongs to, (samples,) each, such as the recording
    it was cut from. ``fingerprint`` changes whenever an event of the samples may have; None: what
    is made of them cannot be kept.
    """

    name: str
    sensor_size: tuple[int, int, int]
    classes: int
    labels: npt.NDArray[np.int64]
    read: Callable[[int], Events]
    groups: Mapping[str, npt.NDArray] = field(default_factory=dict)
    fingerprint: str | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Events, int]:
        return self.read(i), int(self.labels[i])

    def subset(self, which: npt.ArrayLike) -> "EventDataset":
        """The samples with these indices, in this order."""
        indices = np.asarray(which, np.int64)
        read, fingerprint = self.read, self.fingerprint
        if fingerprint is not None:
            chosen = fingerprint.encode() + indices.astype("<i8").tobytes()
            fingerprint = hashlib.sha256(chosen).hexdigest()
        return replace(
            self, labels=self.labels[indices], read=lambda i: read(int(indices[i])),
            groups={name: group[indices] for name, group in self.groups.items()},
            fingerprint=fingerprint,
        )


#: Samples of any kind.
Dataset = EventDataset | ImageDataset


@dataclass(frozen=True, kw_only=True)
class Splits:
    """What a net is trained on, and what it never sees before it is judged."""

    train: Dataset
    held_back: Dataset
