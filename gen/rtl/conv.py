"""Convolution, event by event: every output that an event reaches is updated in the same cycle."""

from itertools import pairwise

import numpy as np
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from ..folding import Storage
from .activity import SynapseActivity
from .conv_accumulators import SumBank
from .conv_places import EventPlaces, HeadLayout
from .conv_sweep import SumSweep
from .loading import LoadSignature, assembled
from .streams import SpatialLayout, event_stream
from .sums import SumsSignature


class Conv2dSynapses(wiring.Component):
    """Adds the weights of events into the sums of their timestep, beside the sweep of another.

    Sums stand in a grid of banks (see :mod:`spikewright.gen.convolution`) of two halves each:
    events of timestep t + 1 are added in one while the sweep takes timestep t from the other.

    **Events.** An event takes ``plan.event_cycles`` cycles, wherever it is and whatever came before
    it; a tick without an event takes 1. There is no bubble: a beat's first cycle is the one after
    its transfer, and the next beat is transferred in its last. A beat waits while the sums of the
    timestep before the last have not been released.

    **Sweep.** The first step of each of the ``plan.sum_rows`` sum rows takes its cycle from the
    events: all that is in front of the banks stands still. Other steps take none, and no step does
    with ``plan.overlap``, which gives each half a memory of its own. Sums come
    ``plan.latency`` cycles after their step, in the order of ``plan.neurons()``. The last step of
    a sweep without ``keep`` releases the timestep; a beat that waited for it has its first cycle
    right after.

    **From one to the other.** Let n be the last cycle of a timestep's last beat. The operation
    needs ``plan.front`` more cycles in which no step takes; ``available`` is high from 4 cycles
    (with ``plan.overlap`` 3) after the last of them: from ``n + plan.available_cycles`` if nothing
    is taken meanwhile. A timestep that is ready before the one ahead of it was released stands
    available in the cycle after that release.

    Parameters
    ----------
    plan : Conv2dPlan

    Members
    -------
    i : In(stream of EventLayout of SpatialLayout)
    sums : Out(SumsSignature)
    activity : Out(SynapseActivity)
        Its synaptic operations are the taps within the output, times the lanes.
    load, full : In, Out
        See :class:`~.weights.WeightStore`; the words of ``plan.weights()``, which every bank gets.
    """

    def __init__(self, plan: Conv2dPlan):
        self.plan = plan
        super().__init__({
            "i": In(event_stream(SpatialLayout(*plan.signal_shape), value_bits=plan.value_bits)),
            "sums": Out(SumsSignature(plan.units, plan.sum_bits)),
            "activity": Out(SynapseActivity(plan.most_synops)),
            "load": In(LoadSignature()), "full": Out(1, init=1),  # pyright: ignore[reportCallIssue]
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        m.submodules.sweep = sweep = SumSweep(plan)
        m.submodules.places = places = EventPlaces(plan)
        wiring.connect(m, places.i, wiring.flipped(self.i))
        advance = Signal()
        used = Signal(2)
        m.d.comb += [
            sweep.step.eq(self.sums.step), sweep.keep.eq(self.sums.keep),
            advance.eq(C(1) if plan.overlap else ~sweep.take),
            places.advance.eq(advance), places.free.eq(~used),
            self.activity.busy.eq(places.issue),
            self.activity.taking.eq(~advance),
            self.activity.stalled.eq(places.waiting & advance & ~places.issue),
            self.activity.starved.eq(~places.waiting & advance),
        ]

        operation = fetching = places.o
        if plan.value_bits:
            operation = Signal.like(places.o)
            with m.If(advance):
                m.d.sync += operation.eq(fetching)
        head = operation.head
        m.d.comb += self.activity.synops.eq(
            Mux(advance & head.event, operation.synops, 0))
        loaded = None
        if plan.storage is not Storage.FIXED:
            loaded = assembled(m, self.load, self.full, width=plan.lanes * plan.weight_bits,
                               depth=plan.weight_words)
        #: Kept as an attribute so that simulations can look inside.
        self.banks: dict[tuple[int, ...], SumBank] = {}
        for row, column in np.ndindex(plan.rows.banks, plan.columns.banks):
            m.submodules[f"bank_{row}_{column}"] = bank = SumBank(plan)
            self.banks[row, column] = bank
            place = operation.banks[row][column]
            m.d.comb += [
                bank.fetch.eq(advance),
                bank.weight_address.eq(fetching.banks[row][column].weight),
                bank.add.eq(advance & place.valid),
                bank.sum.eq(place.sum),
                bank.take.eq(sweep.take),
                bank.clear.eq(sweep.clear[row][column]),
                bank.row.eq(sweep.address),
                sweep.taken[row][column].eq(bank.taken),
            ]
            if plan.value_bits:
                m.d.comb += bank.value.eq(head.value)
            if loaded is not None:
                m.d.comb += bank.load.eq(loaded)

        # A sweep may read once the timestep's last sums are in the memory.
        ends = [Signal(HeadLayout(), name=f"end_{n}")
                for n in range(plan.available_cycles - plan.front)]
        m.d.comb += [ends[0].end.eq(advance & head.end), ends[0].half.eq(head.half),
                     ends[0].last.eq(head.last)]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(ends)]
        ready, last = Signal(2), Signal(2)
        #: A timestep's last operation is issued.
        self._finish = places.issue & places.issued.end
        for half in range(2):
            with m.If(self._finish & (places.issued.half == half)):
                m.d.sync += used[half].eq(1)
            with m.If(ends[-1].end & (ends[-1].half == half)):
                m.d.sync += [ready[half].eq(1), last[half].eq(ends[-1].last)]
            with m.If(sweep.release & (sweep.half == half)):
                m.d.sync += [ready[half].eq(0), used[half].eq(0)]
        m.d.comb += [
            self.sums.available.eq(ready.bit_select(sweep.half, 1)),
            self.sums.last.eq(last.bit_select(sweep.half, 1)),
        ]
        for ours, theirs in zip(self.sums.sums, sweep.sums, strict=True):
            m.d.comb += ours.eq(theirs << plan.synapse.weight_shift)
        return m
