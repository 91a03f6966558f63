"""The cycles of one layer, from those of its neighbours: the recurrence behind the cycle model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .plan import LayerPlan
from .rtl.router import TIMESTEPS, queue_latency
from .timeline import Cycles, LayerTimeline
from .traffic import LayerTraffic

#: Samples that are computed together, so that what a timestep needs of them stays in the cache.
CHUNK = 8192


class SweepCycles:
    """The cycles that one sweep of every sample, begun in ``begin``, leaves to the events.

    It takes cycles ``begin + k·G``, k = 0 … takes − 1. Free cycles are numbered like all cycles if
    they come before the sweep, and on from there after it has begun.
    """

    def __init__(self, plan: LayerPlan, begin: Cycles):
        self.takes, self.distance = plan.synapses.takes, plan.synapses.take_distance
        self.begin = begin

    def taken_before(self, cycle: Cycles) -> Cycles:
        """Cycles taken before ``cycle``: ⌈(cycle − begin) / G⌉ within 0 … takes."""
        count = cycle - self.begin
        if self.distance > 1:
            count += self.distance - 1
            count //= self.distance
        return np.clip(count, 0, self.takes, out=count)

    def free_cycle(self, number: Cycles) -> Cycles:
        """The cycle of a free cycle's number; from ``begin`` on, G − 1 follow each that is
        taken."""
        taken = number - self.begin
        if self.distance > 1:
            taken //= self.distance - 1
            taken += 1
        else:
            taken = (taken >= 0) * taken.dtype.type(self.takes)
        np.clip(taken, 0, self.takes, out=taken)
        taken += number
        return taken


class LayerCycles:
    """One layer's recurrence. Names with an underscore behind are of the chunk's samples only.

    ``ends`` (samples,) is how many of the ``timesteps`` count; all if None. ``answered``: of the
    last layer, if inferences follow one another without a pause, how many timesteps each has, and
    how many cycles after its last sweep begins the next may.
    """

    def __init__(self, plan: LayerPlan, beats: LayerTraffic, timesteps: int, kind: type,
                 ends: npt.NDArray[np.integer] | None = None):
        self.plan = plan
        self.answered: tuple[int, int] | None = None
        self.beats = beats
        self.ends = self.ends_ = ends
        phases, samples = beats.below.shape
        self.first, self.finish = np.empty((2, phases, samples), kind)
        self.begin = np.empty((timesteps, samples), kind)
        self.busy, self.stalled, self.queue_peak = np.zeros((3, samples), kind)
        self._scratch = np.empty((3, phases, min(samples, CHUNK)), kind)
        # From the first step of a sweep to the spikes of its last.
        self.last_spikes = plan.steps - 1 + plan.latency
        # And to the last row of spikes that reaches the queue behind.
        self.to_queue = plan.rows.last_step + plan.latency + plan.rows.latency

    def select(self, chunk: slice) -> None:
        """Works on these samples from now on."""
        self.chunk = chunk
        self.first_, self.finish_, self.begin_ = (
            array[:, chunk] for array in (self.first, self.finish, self.begin))
        self.stalled_ = self.stalled[chunk]
        self.ends_ = None if self.ends is None else self.ends[chunk]
        self.events_ = self.beats.below[:, chunk]
        self.taken_, self.work_, self.own_work_ = self._scratch[:, :, : self.stalled_.size]
        for beats, work in ((self.beats.below, self.work_), (self.beats.own, self.own_work_)):
            if beats is not None:
                np.multiply(beats[:, chunk], self.plan.synapses.event_cycles, out=work,
                            casting="same_kind")
                np.maximum(work, 1, out=work)

    def timestep(self, t: int, below: LayerCycles | None, behind: LayerCycles | None) -> None:
        """Timestep t, when those before it are known of all layers, and it of the one below."""
        if t < len(self.first_):
            self._arrive(t, below)
            ends = self.ends_
            stalled = self.stalled_ if ends is None else self.stalled_.copy()
            if self.plan.synapses.in_registers:
                self._add_in_registers(t)
            else:
                self._add_in_memory(t)
            if ends is not None:
                np.copyto(self.stalled_, stalled, where=t >= ends)
        self._sweep(t, behind)

    def _arrive(self, t: int, below: LayerCycles | None) -> None:
        first = self.first_[t]
        if below is None:
            # Input beats are there at any time; the one of cycle 0 finds nothing before it.
            first[:] = self.finish_[t - 1] if t else 0
            return
        np.add(below.begin_[t], below.to_queue + queue_latency(
            below.plan.rows.units // below.plan.ways_out), out=first)
        if t:
            np.maximum(first, self.finish_[t - 1], out=first)

    def _add_in_registers(self, t: int) -> None:
        """One operation a cycle; the last waits until the sums of t − 1 have been released."""
        finish = self.finish_[t]
        np.add(self.first_[t], self.work_[t], out=finish)
        np.subtract(finish, 1, out=self.taken_[t])
        if t == 0:
            return
        if self.beats.own is not None:
            np.maximum(finish, self._own_first(t), out=finish)
            finish += self.own_work_[t - 1]
        released = self.begin_[t - 1] + self.plan.steps
        self.stalled_ -= finish
        np.maximum(finish, released, out=finish)
        self.stalled_ += finish

    def _add_in_memory(self, t: int) -> None:
        """Operations in the cycles that the sweep of t − 1 leaves, from the release of t − 2 on."""
        plan, synapses = self.plan, self.plan.synapses
        ready = self.first_[t] + 1
        start = ready
        if t > 1:
            released = self.begin_[t - 2] + plan.steps
            start = np.maximum(ready, released)
            # Of the cycles from one to the other, the sweep of t − 2 took what it had left.
            self.stalled_ += start
            self.stalled_ -= ready
            self.stalled_ += SweepCycles(plan, self.begin_[t - 2]).taken_before(ready)
            self.stalled_ -= synapses.takes
        taken, work = self.taken_[t], self.work_[t]
        if t == 0:
            np.add(start, work - 1, out=self.finish_[t])
            np.add(start, work - 1 - synapses.event_cycles, out=taken)
        else:
            sweep = SweepCycles(plan, self.begin_[t - 1])
            number = start - sweep.taken_before(start)
            number += work
            number -= 1
            self.finish_[t] = sweep.free_cycle(number)
            taken[:] = sweep.free_cycle(number - synapses.event_cycles)
            if self.beats.own is not None:
                start = np.maximum(self.finish_[t], self._own_first(t)) + 1
                number = start - sweep.taken_before(start)
                number += self.own_work_[t - 1]
                number -= 1
                self.finish_[t] = sweep.free_cycle(number)
        # The last beat is taken as the one before it is done, an only one at once.
        np.copyto(taken, self.first_[t], where=self.events_[t] <= 1)

    def _own_first(self, t: int) -> Cycles:
        """When the layer's own spikes of t − 1 can be taken, if nothing is in front of them."""
        plan = self.plan
        latency = self.last_spikes + queue_latency(plan.units // plan.synapses.ways)
        return self.begin_[t - 1] + latency

    def _sweep(self, t: int, behind: LayerCycles | None) -> None:
        plan, synapses, begin = self.plan, self.plan.synapses, self.begin_[t]
        if t >= len(self.finish_):
            np.add(self.begin_[t - 1], plan.sweep_cycles, out=begin)
        else:
            moved = self.finish_[t]
            if t and synapses.front:
                sweep = SweepCycles(plan, self.begin_[t - 1])
                moved = sweep.free_cycle(moved - sweep.taken_before(moved) + synapses.front)
                moved -= synapses.front
            np.add(moved, synapses.available_cycles, out=begin)
            if t:
                np.maximum(begin, self.begin_[t - 1] + plan.sweep_cycles, out=begin)
        if self.answered is not None and t and t % self.answered[0] == 0:
            np.maximum(begin, self.begin_[t - 1] + self.answered[1], out=begin)
        if t >= TIMESTEPS and behind is not None:
            np.maximum(begin, behind.taken_[t - TIMESTEPS] + 1, out=begin)

    def count(self, below: LayerCycles | None) -> None:
        """The counters of the chunk."""
        processed = None
        if self.ends_ is not None:
            processed = np.arange(len(self.begin_))[:, np.newaxis] < self.ends_
            self.work_ *= processed[: len(self.work_)]
        busy = self.busy[self.chunk]
        np.sum(self.work_, axis=0, dtype=busy.dtype, out=busy)
        if self.beats.own is not None:
            if processed is not None:
                self.own_work_[:-1] *= processed[1:]
            busy += self.own_work_[:-1].sum(axis=0, dtype=busy.dtype)
        if below is not None:
            # A timestep always waits when it ends; with the one before it if that was not taken.
            both = self.taken_[:-1] > below.begin_[1:] + below.to_queue
            if processed is not None:
                both &= processed[1:]
            self.queue_peak[self.chunk] = 1 + both.any(axis=0)

    def result(self, cycles: Cycles) -> LayerTimeline:
        sweeps = len(self.begin) if self.ends is None else self.ends
        sweeping = np.full_like(cycles, self.plan.synapses.takes * sweeps)
        return LayerTimeline(
            first=self.first, finish=self.finish, begin=self.begin, busy=self.busy,
            sweeping=sweeping, stalled=self.stalled,
            starved=cycles - self.busy - sweeping - self.stalled, queue_peak=self.queue_peak,
            _sweep=self.last_spikes,
        )
