"""From events to the spikes of a network: Tonic's transforms, then one bit per input and timestep.

Everything that decides how a recording is encoded is in :class:`Encoding`, which lives in the
recipe, so that a run encodes any recording the way it was trained.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from .data import EventDataset

Side = Annotated[int, Field(ge=1, le=4096)]


class Encoding(BaseModel):
    """``Denoise → Downsample → ToFrame → > 0``; each frame is one timestep of input spikes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Frames of a recording, and timesteps of the network.
    timesteps: int = Field(ge=1, le=4096)
    #: Length of a frame in µs, counted from the recording's start; what lies beyond the last frame
    #: is not seen. None: each recording is cut into ``timesteps`` equal parts.
    time_window: float | None = Field(default=None, gt=0)
    #: Drop events without a neighbour in space within this many µs.
    denoise: float | None = Field(default=None, gt=0)
    #: Pixels (x, y) to reduce the sensor to.
    downsample: tuple[Side, Side] | None = None

    def shape(self, sensor_size: tuple[int, int, int]) -> tuple[int, int, int]:
        """(polarity, y, x) of one timestep of a camera with ``sensor_size`` (x, y, polarities)."""
        x, y = self.downsample or sensor_size[:2]
        return sensor_size[2], y, x

    def encode(
        self, dataset: "EventDataset", progress: Callable[[int], None] = lambda samples: None
    ) -> npt.NDArray[np.bool_]:
        """Spikes (samples, timesteps, inputs) of every recording.

        Input i is pixel (polarity, y, x) with ``i = (polarity·Y + y)·X + x``; it spikes in a
        timestep if that pixel sent any event of that polarity during the frame.
        """
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
        to_frame = (
            transforms.ToFrame(sensor_size=small, n_time_bins=self.timesteps)
            if self.time_window is None
            else transforms.ToFrame(
                sensor_size=small, time_window=self.time_window, start_time=0,
                end_time=self.timesteps * self.time_window,
            )
        )
        spikes = np.zeros((len(dataset), self.timesteps, inputs), np.bool_)
        for i in range(len(dataset)):
            events, _ = dataset[i]
            for step in steps:
                events = step(events) if len(events) else events
            if len(events):
                frames = to_frame(events)
                spikes[i] = (frames != 0).reshape(self.timesteps, inputs)
            progress(1)
        return spikes
