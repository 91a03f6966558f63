"""What the cycle model says: in which cycle each layer begins and ends what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .coding import ReadoutKind
from .plan import LayerPlan
from .spec import NetworkSpec

Cycles = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class LayerTimeline:
    """What one layer does in which cycle; all arrays are (timesteps, samples), ``first`` and
    ``finish`` (1, samples) for an input that is held.

    Attributes
    ----------
    first
        A timestep's first beat moves into the layer (``i.valid & i.ready``).
    finish
        Its last operation is issued; with a recurrence, that of the layer's own spikes.
    begin
        The first step of its sweep (``begin``).
    end
        The spikes of its last step leave (``o.valid & o.end``).
    busy, sweeping, stalled, starved, queue_peak
        The counters of :mod:`~.counters`, (samples,).
    """

    first: Cycles
    finish: Cycles
    begin: Cycles
    busy: Cycles
    sweeping: Cycles
    stalled: Cycles
    starved: Cycles
    queue_peak: Cycles
    _sweep: int

    @property
    def end(self) -> Cycles:
        return self.begin + self._sweep


@dataclass(frozen=True, eq=False)
class Timeline:
    """The inferences of all samples, each on its own.

    Attributes
    ----------
    layers
        :class:`LayerTimeline` of each.
    cycles
        (samples,): from the first input beat to the last result beat, both included.
    """

    layers: tuple[LayerTimeline, ...]
    cycles: Cycles
    _plan: LayerPlan

    def first_spike(self, spikes: npt.NDArray[np.bool_]) -> Cycles:
        """(samples,): the counter of that name, from the last layer's ``spikes`` (samples,
        timesteps, neurons)."""
        plan = self._plan
        step = np.empty(plan.layer.neurons, np.int64)
        steps, units = np.nonzero(plan.order >= 0)
        step[plan.order[steps, units]] = steps
        samples = np.arange(len(spikes))
        timestep = spikes.any(axis=2).argmax(axis=1)
        fired = spikes[samples, timestep]
        earliest = np.where(fired, step, plan.steps).min(axis=1)
        cycle = self.layers[-1].begin[timestep, samples] + earliest + plan.latency
        return np.where(fired.any(axis=1), cycle + 1, self.cycles)

    def decision(self, spec: NetworkSpec, spikes: npt.NDArray[np.bool_]) -> Cycles:
        """(samples,): the counter of that name; ``spikes`` as for :meth:`first_spike`."""
        answer = self.layers[-1].end[-1] + 1
        if spec.readout.kind is not ReadoutKind.FIRST_SPIKE:
            return answer
        return np.minimum(self.first_spike(spikes), answer)
