"""A camera's events played into an accelerator: windows of time, each one inference.

A window is encoded by the run's own recipe, with the very code that its training samples went
through. In real time a window's answer is due when the window ends; what comes while the
accelerator is busy waits, and where it falls behind by a whole window the oldest are dropped, as a
camera's driver would do.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..gen.engines import simulate
from ..gen.errors import DataError
from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .data.camera import EVENT, Events
from .data.datasets import EventDataset
from .data.encoding import Encoding


class Answer(Protocol):
    """What an accelerator says of a window."""

    @property
    def winner(self) -> int: ...

    @property
    def scores(self) -> Any: ...


class Accelerator(Protocol):
    """Anything that takes a window: an engine in this process, or a board at a wire."""

    def infer(self, frames: npt.NDArray[Any]) -> Answer:
        """The result of one sample (timesteps, inputs)."""
        ...


@dataclass(frozen=True)
class EngineAnswer:
    """``cycles``: None if the engine has no clock."""

    winner: int
    scores: npt.NDArray[np.int64]
    cycles: int | None


@dataclass(frozen=True)
class Engine:
    """An engine of :func:`spikewright.gen.simulate` as an :class:`Accelerator`."""

    spec: NetworkSpec
    name: str
    folding: Folding

    def infer(self, frames: npt.NDArray[Any]) -> EngineAnswer:
        """See :class:`Accelerator`."""
        trace = simulate(self.spec, frames[np.newaxis], engine=self.name, folding=self.folding,
                         processes=1)
        cycles = None if trace.cycles is None else int(trace.cycles[0])
        return EngineAnswer(int(trace.prediction[0]), trace.scores[0], cycles)


@dataclass(frozen=True)
class Window:
    """``events`` from ``begin`` µs on, their times counted from there."""

    begin: int
    events: Events


@dataclass(frozen=True)
class Played:
    """A window that was answered. ``latency``: seconds from when it was complete (at full speed:
    taken) to its answer; ``dropped``: windows before it that were not answered."""

    begin: int
    events: int
    winner: int
    scores: list[int]
    latency: float
    dropped: int
    cycles: int | None


def windows(packets: Iterable[Events], length: int) -> Iterator[Window]:
    """``packets`` cut into windows of ``length`` µs, from the first event's time on; windows
    without events are windows, too, and so is the last, begun one.

    Raises
    ------
    DataError
        If time runs backwards from one packet to the next by more than a window.
    """
    begin, waiting = None, np.empty(0, EVENT)
    for packet in packets:
        if not len(packet):
            continue
        waiting = np.concatenate([waiting, packet])
        if (np.diff(waiting["t"]) < 0).any():
            waiting = waiting[np.argsort(waiting["t"], kind="stable")]
        if begin is None:
            begin = int(waiting["t"][0])
        if waiting["t"][0] < begin:
            raise DataError(f"time runs backwards in the recording: an event at "
                            f"{waiting['t'][0]} µs comes after the window before {begin} µs; sort "
                            f"it by time")
        # The newest event's window may not be complete.
        while len(waiting) and waiting["t"][-1] >= begin + length:
            here = int(np.searchsorted(waiting["t"], begin + length))
            yield _window(begin, waiting[:here])
            begin, waiting = begin + length, waiting[here:]
    if len(waiting) and begin is not None:
        yield _window(begin, waiting)


def _window(begin: int, events: Events) -> Window:
    events = events.copy()
    events["t"] -= begin
    return Window(begin, events)


def window_length(encoding: Encoding, given: float | None) -> int:
    """Of a window, µs: what the recipe's timesteps last, or what is ``given`` where the recipe cuts
    each recording into equal frames.

    Raises
    ------
    DataError
        If neither says it, or both do and differ.
    """
    own = None if encoding.time_window is None else encoding.time_window * encoding.frames
    length = own if own is not None else given
    if length is None:
        raise DataError("the run's recipe cuts every recording into equal frames, however long it "
                        "is; say how long a window is: --window US")
    if given is not None and given != length:
        raise DataError(f"--window is {given:g} µs, but the run's recipe has {encoding.frames} "
                        f"frames of {encoding.time_window:g} µs; leave it out")
    if length < 1:
        raise DataError(f"--window is {length:g} µs; at least 1 is needed")
    return round(length)


class Player:
    """Plays windows into ``accelerator``, encoded by ``encoding``.

    Parameters
    ----------
    sensor
        (x, y, polarities) of the camera.
    speed
        Of the recording's time, 1 is real time; None: as fast as can be, and nothing is dropped.
    now, sleep
        A clock.
    """

    def __init__(
        self, accelerator: Accelerator, encoding: Encoding, sensor: tuple[int, int, int],
        length: int, *, speed: float | None = 1.0,
        now: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep,
    ):
        self.accelerator, self.encoding = accelerator, encoding
        self.sensor, self.length, self.speed = sensor, length, speed
        #: Windows that were not answered.
        self.dropped = 0
        self._now, self._sleep = now, sleep

    def frames(self, events: Events) -> npt.NDArray[Any]:
        """A window's events as the network's input (timesteps, inputs).

        Raises
        ------
        DataError
            If an event lies outside of the sensor.
        """
        limits = dict(zip(("x", "y", "p"), self.sensor, strict=True))
        for name, limit in limits.items():
            if len(events) and not 0 <= int(events[name].min()) <= int(events[name].max()) < limit:
                raise DataError(f"the recording has {name} from {events[name].min()} to "
                                f"{events[name].max()}; the sensor {self.sensor} allows 0 to "
                                f"{limit - 1}; give the camera's --sensor")
        dataset = EventDataset(name="window", sensor_size=self.sensor, classes=1,
                               labels=np.zeros(1, np.int64), read=lambda _: events)
        return self.encoding.encode(dataset)[0]

    def play(self, packets: Iterable[Events]) -> Iterator[Played]:
        """Answers of the windows of ``packets``, which may be endless."""
        start, first, dropped = self._now(), None, 0
        #: Late by a window, so answered only if none comes behind it.
        late: tuple[Window, float] | None = None
        for window in windows(packets, self.length):
            first = window.begin if first is None else first
            due = self._now()
            if self.speed is not None:
                dropped += late is not None
                self.dropped += late is not None
                late = None
                length = self.length / 1e6 / self.speed
                due = start + (window.begin - first) / 1e6 / self.speed + length
                behind = self._now() - due
                if behind >= length:
                    late = window, due
                    continue
                if behind < 0:
                    self._sleep(-behind)
            yield self._answer(window, due, dropped)
            dropped = 0
        if late is not None:
            yield self._answer(*late, dropped)

    def _answer(self, window: Window, due: float, dropped: int) -> Played:
        answer = self.accelerator.infer(self.frames(window.events))
        return Played(window.begin, len(window.events), int(answer.winner),
                      [int(score) for score in answer.scores], self._now() - due, dropped,
                      getattr(answer, "cycles", None))
