"""One layer: synapses, neurons, and what comes back from them."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..linear import LinearPlan
from ..plan import LayerPlan, SpikeRows
from ..synapses import Linear
from .array import NeuronArray, SpikesSignature
from .conv import Conv2dSynapses
from .counters import LayerEvents
from .linear import LinearSynapses
from .recurrence import Recurrence
from .router import SpikeRouter
from .weights import LoadSignature


class SpikingLayer(wiring.Component):
    """Address events in, the spikes of sweeps out.

    Throughput and latency are those of :class:`~.linear.LinearSynapses` or
    :class:`~.conv.Conv2dSynapses`, and of :class:`~.array.NeuronArray`.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i : In(stream of EventLayout)
    o : Out(SpikesSignature)
    load, full : In, Out
        See :class:`~.linear.LinearSynapses`.
    room, cut : In
    begin, begin_last : Out
        See :class:`~.array.NeuronArray`.
    events : Out(LayerEvents)
        What to count, but for ``events_out`` and ``queue_peak``.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        synapses = plan.synapses
        #: Kept as attributes so that simulations can look inside.
        self.array = NeuronArray(plan)
        if isinstance(synapses, LinearPlan):
            self.synapses = LinearSynapses(synapses)
        else:
            self.synapses = Conv2dSynapses(synapses)
        self.recurrence = Recurrence(plan) if isinstance(plan.layer.recurrent, Linear) else None
        ways = synapses.ways
        super().__init__({
            "i": (self.recurrence or self.synapses).signature.members["i"],
            "o": Out(SpikesSignature(plan)),
            "load": In(LoadSignature()), "full": Out(1),
            "room": In(1), "cut": In(1), "begin": Out(1), "begin_last": Out(1),
            "events": Out(LayerEvents(
                events_in=ways, recurrent_events=ways, events_out=max(plan.ways_out, plan.units),
                synops=synapses.most_synops, saturations=plan.units, queue_peak=2,
            )),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self.array
        m.submodules.synapses = synapses = self.synapses
        if isinstance(synapses, LinearSynapses):
            wiring.connect(m, wiring.flipped(self.load), synapses.load)
            m.d.comb += self.full.eq(synapses.full)
        else:
            m.d.comb += self.full.eq(1)
        wiring.connect(m, synapses.sums, array.sums)
        wiring.connect(m, array.o, wiring.flipped(self.o))
        m.d.comb += [array.cut.eq(self.cut), self.begin.eq(array.begin),
                     self.begin_last.eq(array.begin_last)]

        moved = self.i.valid & self.i.ready
        from_below = sum((slot.event for slot in self.i.payload.slots), C(0))
        m.d.comb += self.events.events_in.eq(Mux(moved, from_below, 0))
        if self.recurrence is not None:
            self._recur(m, self.recurrence)
        else:
            wiring.connect(m, wiring.flipped(self.i), synapses.i)
            m.d.comb += array.room.eq(self.room)
        m.d.comb += [
            self.events.synops.eq(synapses.activity.synops),
            self.events.saturations.eq(array.saturated),
            self.events.busy.eq(synapses.activity.busy),
            self.events.sweeping.eq(synapses.activity.taking),
            self.events.stalled.eq(synapses.activity.stalled),
            self.events.starved.eq(synapses.activity.starved),
        ]
        return m

    def _recur(self, m: Module, recurrence: Recurrence):
        array, synapses = self.array, self.synapses
        rows = SpikeRows(self.plan.order, self.plan.steps - 1)
        m.submodules.own = own = SpikeRouter(rows, self.plan.synapses.ways)
        m.submodules.recurrence = recurrence
        wiring.connect(m, wiring.flipped(self.i), recurrence.i)
        wiring.connect(m, own.o, recurrence.own)
        wiring.connect(m, recurrence.o, synapses.i)
        # The last timestep's spikes have no timestep to come back in.
        m.d.comb += [
            own.valid.eq(array.o.valid & ~array.o.last),
            own.spikes.eq(array.o.spikes), own.end.eq(array.o.end),
            own.begin.eq(array.begin & ~array.begin_last),
            array.room.eq(self.room & own.room),
        ]
        moved = own.o.valid & own.o.ready
        back = sum((slot.event for slot in own.o.payload.slots), C(0))
        m.d.comb += self.events.recurrent_events.eq(Mux(moved, back, 0))
