"""A simulated event camera that looks at still images while making the saccades of N-MNIST.

Each pixel holds a reference log intensity and sends an event whenever the log intensity ``ℓ`` it
sees has moved away from it by a contrast threshold (Lichtsteiner, Posch & Delbrück 2008, "A 128×128
120 dB 15 µs latency asynchronous temporal contrast vision sensor")::

    ON  (p = 1) at each crossing of  ref + θ_on      then  ref ← ref + θ_on
    OFF (p = 0) at each crossing of  ref − θ_off     then  ref ← ref − θ_off

The camera moves as in N-MNIST: three saccades of equal length along an isosceles triangle whose
base equals its height (Orchard et al. 2015, "Converting static image datasets to spiking
neuromorphic datasets using saccades").
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

#: One event in Tonic's layout: pixel, µs since the start of the recording, polarity (True is ON).
EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])

#: Corners of the path in units of the amplitude, (x, y), one saccade between each two.
TRIANGLE = ((0.0, 0.0), (0.5, 1.0), (1.0, 0.0), (0.0, 0.0))

Events = npt.NDArray[np.void]


class Camera(BaseModel):
    """The sensor and its movement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Pixels along each side of the square sensor.
    size: int = Field(default=10, ge=2, le=128)
    #: Base and height of the triangle, in sensor pixels.
    amplitude: float = Field(default=2.0, gt=0, le=64)
    #: Length of one saccade, µs.
    saccade: int = Field(default=100_000, ge=1_000, le=10_000_000)
    #: Time between two looks at the scene, µs; events between them are interpolated.
    step: int = Field(default=2_500, ge=10, le=100_000)
    #: Contrast threshold θ in units of log intensity.
    threshold: float = Field(default=0.3, ge=0.01, le=10)
    #: Relative standard deviation of the thresholds between pixels; belongs to the sensor.
    mismatch: float = Field(default=0.03, ge=0, le=0.5)
    #: Background activity, events per pixel and second.
    noise_rate: float = Field(default=0.1, ge=0, le=1000)
    #: Brightest over darkest intensity of an image.
    contrast: float = Field(default=8.0, gt=1, le=1e6)
    #: Fixes thresholds and noise.
    seed: int = Field(default=0, ge=0)

    @property
    def sensor_size(self) -> tuple[int, int, int]:
        """(x, y, polarities), as Tonic has it."""
        return self.size, self.size, 2

    @property
    def duration(self) -> int:
        """Length of a recording, µs."""
        return self.saccade * (len(TRIANGLE) - 1)

    def record(
        self,
        images: npt.NDArray[np.floating],
        progress: Callable[[int], None] = lambda steps: None,
    ) -> tuple[Events, npt.NDArray[np.int64]]:
        """Recordings of ``images``, (samples, height, width) from 0 dark to 1 bright.

        An image pixel is as large as a sensor pixel; the middle of the path shows the image in the
        middle of the sensor. Intensity between image pixels is interpolated linearly, and dark
        outside. Returns the events of all samples, (E,) of :data:`EVENT`, each sample's sorted by
        time, and offsets (samples + 1,): sample i is ``events[offsets[i]:offsets[i + 1]]``.
        ``progress`` is called once per look at the scene, :attr:`looks` times.
        """
        rng = np.random.default_rng(self.seed)
        shape = (self.size, self.size)
        theta_on, theta_off = (
            self.threshold * np.clip(rng.normal(1, self.mismatch, shape), 0.1, None)
            for _ in range(2)
        )
        times = np.linspace(0, self.duration, self.looks + 1)
        before = self._log_intensity(images, times[0])
        reference = before.copy()
        found = [self._noise(len(images), rng)]
        for start, end in pairwise(times):
            now = self._log_intensity(images, end)
            for polarity, theta in ((1, theta_on), (-1, theta_off)):
                crossings = np.floor(np.maximum(polarity * (now - reference), 0) / theta)
                sample, y, x = np.nonzero(crossings)
                count = crossings[sample, y, x].astype(np.int64)
                # The k-th crossing of a pixel lies at reference ± k·θ on the line before → now.
                which = np.repeat(np.arange(len(count)), count)
                k = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + 1
                sample, y, x = sample[which], y[which], x[which]
                level = reference[sample, y, x] + polarity * k * theta[y, x]
                rise = now[sample, y, x] - before[sample, y, x]
                part = np.divide(
                    level - before[sample, y, x], rise, out=np.ones_like(rise), where=rise != 0
                )
                t = start + np.clip(part, 0, 1) * (end - start)
                found.append((sample, _events(x, y, t, polarity > 0)))
                reference += polarity * crossings * theta
            before = now
            progress(1)
        sample = np.concatenate([s for s, _ in found])
        events = np.concatenate([e for _, e in found])
        order = np.lexsort((events["t"], sample))
        offsets = np.searchsorted(sample[order], np.arange(len(images) + 1))
        return events[order], offsets.astype(np.int64)

    @property
    def looks(self) -> int:
        """Looks at the scene in one recording, the first not counted."""
        return -(-self.duration // self.step)

    def position(self, t: float) -> tuple[float, float]:
        """(x, y) of the camera at ``t`` µs, from the middle of its path's bounding box."""
        leg = min(int(t // self.saccade), len(TRIANGLE) - 2)
        part = t / self.saccade - leg
        (x0, y0), (x1, y1) = TRIANGLE[leg : leg + 2]
        return (
            self.amplitude * (x0 + part * (x1 - x0) - 0.5),
            self.amplitude * (y0 + part * (y1 - y0) - 0.5),
        )

    def _log_intensity(self, images: npt.NDArray, t: float) -> npt.NDArray[np.float64]:
        x, y = self.position(t)
        rows = self._interpolation(images.shape[1], y)
        columns = self._interpolation(images.shape[2], x)
        seen = rows @ np.asarray(images, np.float64) @ columns.T
        return np.log(1 + (self.contrast - 1) * seen)

    def _interpolation(self, length: int, shift: float) -> npt.NDArray[np.float64]:
        """(size, length): what each image pixel gives to each sensor pixel along one axis."""
        where = np.arange(self.size) - (self.size - length) / 2 + shift
        return np.maximum(0, 1 - np.abs(where[:, None] - np.arange(length)))

    def _noise(
        self, samples: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], Events]:
        """Events that nothing caused: a Poisson process of :attr:`noise_rate` at every pixel."""
        rate = self.noise_rate * 1e-6 * self.duration * self.size**2
        sample = np.repeat(np.arange(samples), rng.poisson(rate, samples))
        n = len(sample)
        x, y = rng.integers(self.size, size=(2, n))
        return sample, _events(x, y, rng.integers(self.duration, size=n), rng.random(n) < 0.5)


def _events(x: npt.ArrayLike, y: npt.ArrayLike, t: npt.ArrayLike, p: npt.ArrayLike) -> Events:
    events = np.empty(np.shape(x), EVENT)
    events["x"], events["y"], events["t"], events["p"] = x, y, np.asarray(t).astype(np.int64), p
    return events
