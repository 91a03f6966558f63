"""A layer's own spikes as events of its next timestep."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..linear import LinearPlan
from ..plan import LayerPlan
from .streams import address_bits, event_stream


class Recurrence(wiring.Component):
    """Adds to each timestep from below, behind its events, the layer's own spikes of the timestep
    before; in the first timestep of an inference there are none.

    A timestep so has the beats of the one from below and, from the second on, those of the own one,
    of which each has at least one. Throughput: one beat per cycle; no latency.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i : In(stream of EventLayout)
        From below.
    own : In(stream of EventLayout)
        The layer's spikes; none are sent for the last timestep of an inference.
    o : Out(stream of EventLayout)
        Own addresses begin at ``plan.synapses.own_base`` of every way.
    from_own : Out
        The beat comes from ``own``.
    """

    def __init__(self, plan: LayerPlan):
        assert isinstance(plan.synapses, LinearPlan)
        self.synapses = synapses = plan.synapses
        below, own, both = (address_bits(addresses) for addresses in (
            synapses.own_base, synapses.bank_inputs - synapses.own_base, synapses.bank_inputs))
        super().__init__({
            "i": In(event_stream(below, synapses.ways, synapses.value_bits)),
            "own": In(event_stream(own, synapses.ways)),
            "o": Out(event_stream(both, synapses.ways, synapses.value_bits)),
            "from_own": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        later = Signal()
        last = Signal()
        moved = self.o.valid & self.o.ready
        with m.If(self.from_own):
            m.d.comb += [
                self.o.valid.eq(self.own.valid), self.own.ready.eq(self.o.ready),
                self.o.payload.tick.eq(self.own.payload.tick), self.o.payload.last.eq(last),
            ]
            for way in range(self.synapses.ways):
                slot, own = self.o.payload.slots[way], self.own.payload.slots[way]
                m.d.comb += [slot.event.eq(own.event),
                             slot.address.eq(own.address + self.synapses.own_base)]
                if self.synapses.value_bits:
                    m.d.comb += slot.value.eq(1)
            with m.If(moved & self.own.payload.tick):
                m.d.sync += [self.from_own.eq(0), later.eq(~last)]
        with m.Else():
            m.d.comb += [
                self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready),
                self.o.payload.last.eq(self.i.payload.last),
                self.o.payload.tick.eq(self.i.payload.tick & ~later),
            ]
            for way in range(self.synapses.ways):
                slot, below = self.o.payload.slots[way], self.i.payload.slots[way]
                m.d.comb += [slot[name].eq(below[name]) for name in slot.shape().members]
            with m.If(moved & self.i.payload.tick):
                m.d.sync += [
                    last.eq(self.i.payload.last), self.from_own.eq(later),
                    later.eq(~(self.i.payload.last & ~later)),
                ]
        return m
