"""The cycle model with gradients: what an inference takes, from the spikes of a net in training.

The recurrence is that of :mod:`spikewright.gen.cycles`, operation by operation, in float64, where
cycle numbers are exact: for spikes of 0 and 1 the value equals the cycle model's. A maximum passes
its gradient to the argument that is the largest, in equal parts among equals, so only events on the
critical path are paid for; a division rounded down passes that of the division (the sweep's share
of the cycles between events), a clamp nothing beyond its ends. Where all sums are in registers, the
cycles are convex in the numbers of events, and the gradient is a subgradient of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from ...gen.folding import Folding
from ...gen.plan import LayerPlan, layer_plans
from ...gen.rtl.readout import answer_latency
from ...gen.rtl.router import TIMESTEPS, queue_latency
from ...gen.spec import MaxPool2d, NetworkSpec
from ...gen.traffic import ways


class Latency:
    """Cycles of inferences of ``spec`` on hardware of this ``folding``; its weights play no part.

    Raises
    ------
    FoldingError
        If the folding does not fit the network.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding):
        self.plans = layer_plans(spec, folding)
        self._ways = ways(self.plans)

    def __call__(self, inputs: torch.Tensor, spikes: Sequence[torch.Tensor]) -> torch.Tensor:
        """(batch,) float64: from the first input beat to the last result beat, both included.

        ``inputs`` (timesteps, batch, inputs), one timestep for an input that is held, and the
        ``spikes`` of every layer, (timesteps, batch, neurons).
        """
        return cycles(self.plans, self.beats(inputs, spikes))

    def beats(
        self, inputs: torch.Tensor, spikes: Sequence[torch.Tensor]
    ) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Of every layer, the beats (timesteps, batch) from below and of its own spikes, as
        :class:`~spikewright.gen.traffic.LayerTraffic` has them."""
        found = []
        for plan, by, reaching, fired in zip(
            self.plans, self._ways, [(inputs > 0).to(spikes[0].dtype), *spikes[:-1]], spikes,
            strict=True,
        ):
            pool = plan.layer.pool
            if isinstance(pool, MaxPool2d):
                maps = reaching.reshape(-1, *pool.input_shape)
                pooled = functional.max_pool2d(maps, pool.kernel, pool.stride)
                reaching = pooled.reshape(*reaching.shape[:2], -1)
            found.append((_beats(reaching, by.below),
                          None if by.own is None else _beats(fired, by.own)))
        return found


def _beats(events: torch.Tensor, by: Any) -> torch.Tensor:
    """(timesteps, batch): events of the fullest way, of ``events`` (timesteps, batch, signals)."""
    events = events.to(torch.float64)
    dealt = functional.one_hot(torch.from_numpy(by)).to(events)
    return (events @ dealt).amax(2)


def cycles(
    plans: Sequence[LayerPlan], beats: Sequence[tuple[torch.Tensor, torch.Tensor | None]]
) -> torch.Tensor:
    """(batch,): :func:`spikewright.gen.cycles.timeline`'s cycles, for ``beats`` of every layer."""
    layers = [_Layer(plan, *given) for plan, given in zip(plans, beats, strict=True)]
    for t in range(len(beats[0][0]) * plans[0].sweeps):
        for below, layer, behind in zip([None, *layers], layers, [*layers[1:], None],
                                        strict=False):
            layer.timestep(t, below, behind)
    last = layers[-1]
    return last.begin[-1] + (last.last_spikes + answer_latency(plans[-1].layer.neurons) + 1)


class _FloorDiv(torch.autograd.Function):
    """``⌊x / divisor⌋`` with the gradient of ``x / divisor``."""

    @staticmethod
    def forward(ctx, x, divisor):
        ctx.divisor = divisor
        return torch.div(x, divisor, rounding_mode="floor")

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output / ctx.divisor, None


def _floor_div(x: torch.Tensor, divisor: int) -> torch.Tensor:
    found: Any = _FloorDiv.apply(x, divisor)
    return found


class _Layer:
    """:class:`spikewright.gen.layer_cycles.LayerCycles`, whose names these are; each list holds a
    tensor (batch,) for every timestep so far."""

    def __init__(self, plan: LayerPlan, below: torch.Tensor, own: torch.Tensor | None):
        self.plan = plan
        self.events = below
        self.work = (below * plan.synapses.event_cycles).clamp(min=1).unbind()
        self.own_work = None if own is None else (
            own * plan.synapses.event_cycles).clamp(min=1).unbind()
        self.first: list[torch.Tensor] = []
        self.finish: list[torch.Tensor] = []
        self.taken: list[torch.Tensor] = []
        self.begin: list[torch.Tensor] = []
        self.last_spikes = plan.steps - 1 + plan.latency
        self.to_queue = plan.rows.last_step + plan.latency + plan.rows.latency

    def timestep(self, t: int, below: _Layer | None, behind: _Layer | None) -> None:
        if t < len(self.work):
            self.first.append(self._arrive(t, below))
            if self.plan.synapses.in_registers:
                self._add_in_registers(t)
            else:
                self._add_in_memory(t)
        self.begin.append(self._sweep(t, behind))

    def _arrive(self, t: int, below: _Layer | None) -> torch.Tensor:
        if below is None:
            return self.finish[-1] if t else torch.zeros_like(self.work[0])
        plan = below.plan
        first = below.begin[t] + (
            below.to_queue + queue_latency(plan.rows.units // plan.ways_out))
        return torch.maximum(first, self.finish[-1]) if t else first

    def _add_in_registers(self, t: int) -> None:
        finish = self.first[t] + self.work[t]
        self.taken.append(finish - 1)
        if t:
            if self.own_work is not None:
                finish = torch.maximum(finish, self._own_first(t)) + self.own_work[t - 1]
            finish = torch.maximum(finish, self.begin[t - 1] + self.plan.steps)
        self.finish.append(finish)

    def _add_in_memory(self, t: int) -> None:
        plan, work = self.plan, self.work[t]
        start = self.first[t] + 1
        if t > 1:
            start = torch.maximum(start, self.begin[t - 2] + plan.steps)
        if t == 0:
            finish = start + work - 1
            taken = finish - plan.synapses.event_cycles
        else:
            number = start - self._taken_before(t, start) + work - 1
            finish = self._free_cycle(t, number)
            taken = self._free_cycle(t, number - plan.synapses.event_cycles)
            if self.own_work is not None:
                start = torch.maximum(finish, self._own_first(t)) + 1
                number = start - self._taken_before(t, start) + self.own_work[t - 1] - 1
                finish = self._free_cycle(t, number)
        self.finish.append(finish)
        self.taken.append(torch.where(self.events[t] <= 1, self.first[t], taken))

    def _own_first(self, t: int) -> torch.Tensor:
        plan = self.plan
        return self.begin[t - 1] + (
            self.last_spikes + queue_latency(plan.units // plan.synapses.ways))

    def _sweep(self, t: int, behind: _Layer | None) -> torch.Tensor:
        plan, synapses = self.plan, self.plan.synapses
        if t >= len(self.work):
            begin = self.begin[-1] + plan.sweep_cycles
        else:
            moved = self.finish[t]
            if t and synapses.front:
                number = moved - self._taken_before(t, moved) + synapses.front
                moved = self._free_cycle(t, number) - synapses.front
            begin = moved + synapses.available_cycles
            if t:
                begin = torch.maximum(begin, self.begin[-1] + plan.sweep_cycles)
        if t >= TIMESTEPS and behind is not None:
            begin = torch.maximum(begin, behind.taken[t - TIMESTEPS] + 1)
        return begin

    def _taken_before(self, t: int, cycle: torch.Tensor) -> torch.Tensor:
        """Cycles before ``cycle`` that the sweep of t − 1 takes; see
        :class:`~spikewright.gen.layer_cycles.SweepCycles`."""
        synapses = self.plan.synapses
        count = cycle - self.begin[t - 1] + (synapses.take_distance - 1)
        return _floor_div(count, synapses.take_distance).clamp(0, synapses.takes)

    def _free_cycle(self, t: int, number: torch.Tensor) -> torch.Tensor:
        """The cycle of a free cycle's ``number``, between those that the sweep of t − 1 takes."""
        synapses = self.plan.synapses
        since = number - self.begin[t - 1]
        if synapses.take_distance > 1:
            taken = _floor_div(since, synapses.take_distance - 1) + 1
            return number + taken.clamp(0, synapses.takes)
        return number + (since >= 0) * synapses.takes
