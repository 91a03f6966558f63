"""One layer: synapses, neurons, and what comes back from them."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from ..linear import LinearPlan
from ..plan import LayerPlan, SpikeRows
from ..synapses import Linear
from .array import NeuronArray, SpikesSignature
from .conv import Conv2dSynapses
from .counters import LayerEvents
from .linear import LinearSynapses
from .loading import LoadSignature, chained
from .recurrence import Recurrence
from .router import SpikeRouter


class SpikingLayer(wiring.Component):
    """Address events in, the spikes of sweeps out.

    Throughput and latency are those of :class:`~.linear.LinearSynapses` or
    :class:`~.conv.Conv2dSynapses`, and of :class:`~.array.NeuronArray`.

    **Slices** (:mod:`spikewright.gen.slices`) are layers of fewer lanes and units side by side.
    Every event goes to all of them, into registers of each, so that what is behind these, and
    between an address and its weights, reaches 1/S of the memories and sums. All control is built
    S times. A row of the layer's spikes is the slices' side by side, in a register, because they
    may come from far apart: that cycle of latency is all that slices change in a layer's cycles.

    Slices run in lock step: they are the same machine from the same reset, fed by the same beats,
    ``room`` and ``cut``, and nothing of what they do depends on weights or sums. So they end every
    timestep in the same cycle, that is the barrier, and any of them can speak for all. Slices with
    queues of their own would be no faster, because each event takes each of them the same number
    of cycles; they would cost S queues, and arbiters behind them.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i : In(stream of EventLayout)
    o : Out(SpikesSignature)
    load, full : In, Out
        The layer's part of :func:`~.image.network_image`; see :class:`~.weights.WeightStore`.
    settling : Out
        See :class:`~.neurons.Neurons`.
    room, cut : In
    begin, begin_last : Out
        See :class:`~.array.NeuronArray`.
    events : Out(LayerEvents)
        What to count, but for ``events_out`` and ``queue_peak``.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        synapses = plan.synapses
        #: Of each slice. Kept as attributes so that simulations can look inside.
        self.arrays = [NeuronArray(part) for part in plan.slices]
        self.synapses = [_synapses(part.synapses) for part in plan.slices]
        self.recurrence = Recurrence(plan) if isinstance(plan.layer.recurrent, Linear) else None
        ways = synapses.ways
        protected = {}
        if synapses.protected:
            most = ways * len(plan.slices)
            protected = {"weights_mended": most, "weights_rejected": most}
        super().__init__({
            "i": (self.recurrence or self.synapses[0]).signature.members["i"],
            "o": Out(SpikesSignature(plan)),
            "load": In(LoadSignature()), "full": Out(1), "settling": Out(1),
            "room": In(1), "cut": In(1), "begin": Out(1), "begin_last": Out(1),
            "events": Out(LayerEvents(
                events_in=ways, recurrent_events=ways, events_out=max(plan.ways_out, plan.units),
                synops=synapses.most_synops, saturations=plan.units, queue_peak=2, **protected,
            )),
        })

    def elaborate(self, platform):
        m = Module()
        for n, (synapses, array) in enumerate(zip(self.synapses, self.arrays, strict=True)):
            slice_ = f"_{n}" if n else ""
            m.submodules[f"array{slice_}"] = array
            m.submodules[f"synapses{slice_}"] = synapses
            wiring.connect(m, synapses.sums, array.sums)
            m.d.comb += array.cut.eq(self.cut)
        m.d.comb += [
            self.full.eq(chained(m, self.load, [*self.synapses, *self.arrays])),
            self.settling.eq(Cat(array.settling for array in self.arrays).any()),
        ]
        self._merge(m)

        moved = self.i.valid & self.i.ready
        from_below = sum((slot.event for slot in self.i.payload.slots), C(0))
        m.d.comb += self.events.events_in.eq(Mux(moved, from_below, 0))
        if self.recurrence is not None:
            self._recur(m, self.recurrence)
        else:
            self._multicast(m, self.i, self.room)
        activity = self.synapses[0].activity
        m.d.comb += [
            self.events.synops.eq(sum((each.activity.synops for each in self.synapses), C(0))),
            self.events.saturations.eq(sum((array.saturated for array in self.arrays), C(0))),
            self.events.busy.eq(activity.busy),
            self.events.sweeping.eq(activity.taking),
            self.events.stalled.eq(activity.stalled),
            self.events.starved.eq(activity.starved),
        ]
        if "mended" in activity.signature.members:
            m.d.comb += [
                self.events.weights_mended.eq(
                    sum((each.activity.mended for each in self.synapses), C(0))),
                self.events.weights_rejected.eq(
                    sum((each.activity.rejected for each in self.synapses), C(0))),
            ]
        return m

    def _multicast(self, m: Module, beats, room: Value):
        """Every slice takes each beat, in the same cycle."""
        m.d.comb += beats.ready.eq(self.synapses[0].i.ready)
        for synapses, array in zip(self.synapses, self.arrays, strict=True):
            m.d.comb += [
                synapses.i.valid.eq(beats.valid), synapses.i.payload.eq(beats.payload),
                array.room.eq(room),
            ]

    def _merge(self, m: Module):
        """The slices' spikes, each unit in its place."""
        first = self.arrays[0]
        m.d.comb += [self.begin.eq(first.begin), self.begin_last.eq(first.begin_last)]
        merged = m.d.comb if len(self.arrays) == 1 else m.d.sync
        merged += [
            self.o.valid.eq(first.o.valid), self.o.step.eq(first.o.step),
            self.o.end.eq(first.o.end), self.o.last.eq(first.o.last),
        ]
        for part, array in zip(self.plan.slices, self.arrays, strict=True):
            for unit, place in enumerate(part.members.tolist()):
                merged += [self.o.spikes[place].eq(array.o.spikes[unit]),
                           self.o.membranes[place].eq(array.o.membranes[unit])]

    def _recur(self, m: Module, recurrence: Recurrence):
        rows = SpikeRows(self.plan.order, self.plan.steps - 1)
        m.submodules.own = own = SpikeRouter(rows, self.plan.synapses.ways)
        m.submodules.recurrence = recurrence
        wiring.connect(m, wiring.flipped(self.i), recurrence.i)
        wiring.connect(m, own.o, recurrence.own)
        self._multicast(m, recurrence.o, self.room & own.room)
        # The last timestep's spikes have no timestep to come back in.
        m.d.comb += [
            own.valid.eq(self.o.valid & ~self.o.last),
            own.spikes.eq(self.o.spikes), own.end.eq(self.o.end),
            own.begin.eq(self.begin & ~self.begin_last),
        ]
        moved = own.o.valid & own.o.ready
        back = sum((slot.event for slot in own.o.payload.slots), C(0))
        m.d.comb += self.events.recurrent_events.eq(Mux(moved, back, 0))


def _synapses(plan: LinearPlan | Conv2dPlan) -> LinearSynapses | Conv2dSynapses:
    return LinearSynapses(plan) if isinstance(plan, LinearPlan) else Conv2dSynapses(plan)
