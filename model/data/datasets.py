"""What a net is trained on: samples with their labels, event recordings or images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .camera import Events
from .images import ImageDataset


@dataclass(frozen=True, eq=False, kw_only=True)
class EventDataset:
    """Recordings of one camera; ``dataset[i]`` is (events, label) as in Tonic's data sets.

    ``sensor_size`` is (x, y, polarities); ``labels`` int64 (samples,), each below ``classes``;
    ``read(i)`` returns the events of sample i, (events,) of :data:`.camera.EVENT`, sorted by time.
    """

    name: str
    sensor_size: tuple[int, int, int]
    classes: int
    labels: npt.NDArray[np.int64]
    read: Callable[[int], Events]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Events, int]:
        return self.read(i), int(self.labels[i])

    def subset(self, which: npt.ArrayLike) -> "EventDataset":
        """The samples with these indices, in this order."""
        indices = np.asarray(which, np.int64)
        read = self.read
        return replace(
            self, labels=self.labels[indices], read=lambda i: read(int(indices[i]))
        )


#: Samples of any kind.
Dataset = EventDataset | ImageDataset


@dataclass(frozen=True, kw_only=True)
class Splits:
    """What a net is trained on, and what it never sees before it is judged."""

    train: Dataset
    held_back: Dataset
