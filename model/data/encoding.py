"""From samples to the input signals of a network: events go through Tonic's transforms and become
one bit or one small number per input and timestep; an image becomes a current, or spikes by one of
the codes of :mod:`.codes`.

Everything that decides how a recording is encoded is in :class:`Encoding`, which lives in the
recipe, so that a run encodes any recording the way it was trained.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ...gen.errors import DataError
from ...gen.spec import Input, InputKind
from ..fields import Part
from . import codes
from .images import ImageDataset

if TYPE_CHECKING:
    from .datasets import Dataset, EventDataset

Side = Annotated[int, Field(ge=1, le=4096)]


#: What belongs to which kind alone, beside what all of them have.
_OWN = {"spacing": ("rate",), "seed": ("rate",), "tau": ("latency",),
        "threshold": ("latency", "delta")}


class Encoding(Part):
    """Of recordings, ``Denoise → Downsample → ToFrame → min(·, 2ᵇ − 1)``; each frame is one
    timestep of input.

    A current is a single frame that is held over all timesteps: of an image the upper ``bits`` bits
    of every pixel, of a recording the events of each pixel.

    Images may also become spikes: at a rate, at a time, or row after row as a series whose changes
    spike; :mod:`.codes` says how, and which readout suits each.
    """

    #: A bit per input and timestep, small numbers, or one frame that is held; of images, a code.
    kind: Literal["events", "counts", "current", "rate", "latency", "delta"] = "events"
    #: b: bits of an input.
    bits: int = Field(default=1, ge=1, le=8)
    #: Timesteps of the network, and frames of a recording unless it is one current.
    timesteps: int = Field(ge=1, le=4096)
    #: Length of a frame in µs, counted from the recording's start; what lies beyond the last frame
    #: is not seen. None: each recording is cut into equal frames.
    time_window: float | None = Field(default=None, gt=0)
    #: Drop events without a neighbour in space within this many µs.
    denoise: float | None = Field(default=None, gt=0)
    #: Pixels (x, y) to reduce the sensor to.
    downsample: tuple[Side, Side] | None = None
    #: Of a rate: spikes drawn by chance, or as even as can be.
    spacing: Literal["random", "even"] = "random"
    #: Of a rate: decides what is drawn.
    seed: int = Field(default=0, ge=0, lt=2**63)
    #: Of a latency: time constant in timesteps; None: the time is linear in the value.
    tau: float | None = Field(default=None, gt=0)
    #: Of a latency, the least value that spikes (0.01 if not given); of a delta, the change that
    #: does (0.1).
    threshold: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _bits(self) -> Self:
        if self.kind not in ("counts", "current") and self.bits != 1:
            raise ValueError(f"bits is {self.bits}, but an event is 0 or 1; give kind = 'counts'")
        return self

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        for name, kinds in _OWN.items():
            default = type(self).model_fields[name].default
            if self.kind not in kinds and getattr(self, name) != default:
                raise ValueError(f"{name} belongs to kind {' and '.join(map(repr, kinds))}, not to "
                                 f"{self.kind!r}; drop it")
        return self

    @property
    def input(self) -> Input:
        """As the contract says it."""
        kind = self.kind if self.kind in ("counts", "current") else "events"
        return Input(kind=InputKind(kind), bits=self.bits)

    @property
    def frames(self) -> int:
        """Frames of a sample."""
        return 1 if self.kind == "current" else self.timesteps

    def shape(self, sensor_size: tuple[int, int, int]) -> tuple[int, int, int]:
        """(polarity, y, x) of one timestep of a camera with ``sensor_size`` (x, y, polarities);
        of a delta code (2, 1, x), because rows follow each other in time."""
        x, y = self.downsample or sensor_size[:2]
        return (2, 1, x) if self.kind == "delta" else (sensor_size[2], y, x)

    def encode(
        self, dataset: "Dataset", progress: Callable[[int], None] = lambda samples: None
    ) -> npt.NDArray[np.bool_] | npt.NDArray[np.uint8]:
        """Inputs (samples, frames, inputs) of every sample, bool where they have one bit.

        Input i is pixel (polarity, y, x) with ``i = (polarity·Y + y)·X + x``.

        Raises
        ------
        DataError
            If the kind does not suit the samples: events and counts are made of recordings, codes
            of images, each in its own size.
        """
        if isinstance(dataset, ImageDataset):
            values = self._images(dataset)
            progress(len(dataset))
        else:
            values = self._recordings(dataset, progress)
        return values.astype(np.bool_) if self.bits == 1 else values

    def _images(self, dataset: ImageDataset) -> npt.NDArray[np.uint8] | npt.NDArray[np.bool_]:
        if self.kind in ("events", "counts") or (
            self.denoise or self.downsample or self.time_window
        ):
            raise DataError(f"{dataset.name} holds images, which have no time; give the recipe "
                            f"encoding.kind = 'current', 'rate', 'latency' or 'delta', without "
                            f"denoise, downsample and time_window")
        samples, rows, _ = dataset.images.shape
        if self.kind == "current":
            return (dataset.images >> (8 - self.bits)).astype(np.uint8).reshape(samples, 1, -1)
        values = dataset.images.astype(np.float32) / 255
        if self.kind == "delta":
            if self.timesteps % rows:
                raise DataError(
                    f"encoding.timesteps is {self.timesteps}, but {dataset.name} has {rows} rows, "
                    f"which follow each other in a delta code; each lasts equally long, so give "
                    f"{rows * max(1, round(self.timesteps / rows))}"
                )
            series = values.repeat(self.timesteps // rows, axis=1)
            return codes.delta(series, self.threshold or 0.1).reshape(samples, self.timesteps, -1)
        values = values.reshape(samples, -1)
        if self.kind == "latency":
            return codes.latency(values, self.timesteps, self.threshold or 0.01, self.tau)
        if self.spacing == "even":
            return codes.even_rate(values, self.timesteps)
        return codes.random_rate(values, self.timesteps, self.seed)

    def _recordings(
        self, dataset: "EventDataset", progress: Callable[[int], None]
    ) -> npt.NDArray[np.uint8]:
        if self.kind not in ("events", "counts", "current"):
            raise DataError(f"{dataset.name} holds recordings, which are spikes already; give the "
                            f"recipe encoding.kind = 'events', 'counts' or 'current'")
        from tonic import transforms

        inputs = int(np.prod(self.shape(dataset.sensor_size)))
        small = (*(self.downsample or dataset.sensor_size[:2]), dataset.sensor_size[2])
        steps = []
        if self.denoise is not None:
            steps.append(transforms.Denoise(filter_time=self.denoise))
        if self.downsample is not None:
            steps.append(transforms.Downsample(
                sensor_size=dataset.sensor_size, target_size=self.downsample
            ))
        if self.time_window is not None:
            cut: Any = {"time_window": self.time_window, "start_time": 0,
                   "end_time": self.frames * self.time_window}
        elif self.kind == "current":
            cut = {"n_event_bins": 1}  # a single time bin would leave the last event out
        else:
            cut = {"n_time_bins": self.frames}
        to_frame = transforms.ToFrame(sensor_size=small, **cut)
        values = np.zeros((len(dataset), self.frames, inputs), np.uint8)
        for i in range(len(dataset)):
            events, _ = dataset[i]
            for step in steps:
                events = step(events) if len(events) else events
            if len(events):
                counts = to_frame(events).reshape(self.frames, inputs)
                values[i] = np.minimum(counts.astype(np.int64), self.input.most)
            progress(1)
        return values
