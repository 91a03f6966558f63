"""How many timesteps an inference with early exit processes: those under way at its decision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .layer_cycles import SweepCycles
from .plan import LayerPlan
from .timeline import Cycles, LayerTimeline
from .traffic import LayerTraffic


def processed_timesteps(plan: LayerPlan, beats: LayerTraffic, times: LayerTimeline,
                        first_spike: Cycles) -> npt.NDArray[np.int64]:
    """(samples,): timesteps up to the one that :class:`~.rtl.exit.EarlyExit` makes the last.

    The network is decided from cycle ``first_spike`` on. A tick is offered in the cycle after the
    beat before it moved, and is the last if the network was decided by then. Of a held input, a
    sweep is the last if the network was decided in the cycle before it begins.

    Parameters
    ----------
    plan, beats, times
        Of the first layer; ``times`` as if nothing ended early, which is what happens up to there.
    first_spike
        (samples,): the counter of that name; all cycles, if there is no spike.
    """
    if plan.sweeps > 1:
        ends = times.begin - 1 >= first_spike
    else:
        ends = _offered(plan, beats.below, times) > first_spike
    return np.where(ends.any(axis=0), ends.argmax(axis=0) + 1, len(ends))


def _offered(plan: LayerPlan, below: Cycles, times: LayerTimeline) -> Cycles:
    """(timesteps, samples): from which cycle on the tick of a timestep with ``below`` beats of
    events is offered."""
    before = _moves(plan, times, np.maximum(below - 2, 0))
    tick_before = _earlier(_moves(plan, times, np.maximum(below - 1, 0)), 1, -1)
    return np.where(below > 1, before, tick_before) + 1


def _moves(plan: LayerPlan, times: LayerTimeline, beat: Cycles) -> Cycles:
    """The cycle in which ``beat`` 0, 1, … of each timestep moves into the layer: the first in
    ``times.first``, others as the operations of all before them are done."""
    synapses, first = plan.synapses, times.first.astype(np.int64)
    begin, start = times.begin.astype(np.int64), first + 1
    never = 1 << 40
    if not synapses.in_registers:
        start = np.maximum(start, _earlier(begin, 2, -never) + plan.steps)
    sweep = SweepCycles(plan, _earlier(begin, 1, never))
    number = start - sweep.taken_before(start) + beat * synapses.event_cycles - 1
    return np.where(beat == 0, first, sweep.free_cycle(number))


def _earlier(values: Cycles, timesteps: int, none: int) -> Cycles:
    """``values`` so many timesteps ago, and ``none`` where there was no timestep."""
    nothing = np.full((timesteps, values.shape[1]), none, np.int64)
    return np.concatenate([nothing, values])[: len(values)]
