"""Packets of AXI4-Stream as the beats of inferences, which are legal whatever comes."""

from amaranth import *
from amaranth.hdl import Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..linear import Source
from .axi_streams import AxisLayout, word_bytes
from .streams import EventLayout


def slot_bytes(layout: EventLayout) -> int:
    """Bytes of the word that holds a slot of ``layout`` and the flags EVENT and TICK."""
    fields = sum(Shape.cast(layout.slot.members[name]).width
                 for name in ("address", "value") if name in layout.slot.members)
    return word_bytes(fields + 2)


#: Faults of :class:`AxiEvents`, bits of its output.
FAULTS = data.StructLayout({"address": 1, "value": 1, "timesteps": 1})


class AxiEvents(wiring.Component):
    """One packet is one inference, one transfer one beat, one word of it a slot.

    A word of :func:`slot_bytes` is {EVENT, TICK, 0 …, value, address}, address lowest: EVENT says
    that the slot holds a spike, TICK in any slot that the timestep ends after this beat. The last
    transfer of a packet ends the timestep and the inference, with TICK or without. A word whose
    bytes are not all kept is 0. Transfers that are 0 pass unseen.

    What no network may be given is left out, and told: events of addresses that do not exist or do
    not ascend within a timestep and a slot (a sum has room for one of each), or of value 0; and
    what follows on the timestep after which the network is full, up to the packet's end.

    Throughput: one transfer per cycle; no latency.

    Parameters
    ----------
    layout : EventLayout
    source : Source
        Of the network's inputs.
    timesteps : int
        Most in a packet.

    Members
    -------
    i : In(stream of AxisLayout)
    o : Out(stream of EventLayout)
    enable : In
        An inference may begin.
    begins : Out
        Its first beat moves.
    active : Out
        A packet is under way, or a beat offered.
    faults : Out(FAULTS)
        For the cycle in which the transfer is taken.
    """

    def __init__(self, layout: EventLayout, source: Source, timesteps: int):
        self.layout, self.source, self.timesteps = layout, source, timesteps
        self.slot_bytes = slot_bytes(layout)
        super().__init__({
            "i": In(stream.Signature(AxisLayout(self.slot_bytes * layout.ways, keep=True))),
            "o": Out(stream.Signature(layout)),
            "enable": In(1), "begins": Out(1), "active": Out(1), "faults": Out(FAULTS),
        })

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        allowed, running, dropping = Signal(), Signal(), Signal()
        ticks = Signal(range(self.timesteps))
        misplaced, empty = Signal(self.layout.ways), Signal(self.layout.ways)
        ticking = Signal(self.layout.ways)
        for way in range(self.layout.ways):
            self._slot(m, way, ticking[way], misplaced[way], empty[way])
        full = ticks == self.timesteps - 1
        events = Cat(slot.event for slot in o.payload.slots)
        meant = events.any() | o.payload.tick
        m.d.comb += [
            o.payload.tick.eq(ticking.any() | i.payload.last),
            o.payload.last.eq(i.payload.last | (o.payload.tick & full)),
            o.valid.eq(i.valid & allowed & ~dropping & meant),
            i.ready.eq(dropping | (allowed & (o.ready | ~meant))),
            self.begins.eq(o.valid & o.ready & ~running),
            self.active.eq(running | dropping | o.valid),
        ]
        with m.If(i.valid & i.ready & ~dropping):
            m.d.comb += [self.faults.address.eq(misplaced.any()), self.faults.value.eq(empty.any())]
        with m.If(i.valid & i.ready & i.payload.last):
            m.d.sync += dropping.eq(0)
        moved = o.valid & o.ready
        with m.If(moved):
            m.d.sync += running.eq(~o.payload.last)
            with m.If(o.payload.tick):
                m.d.sync += ticks.eq(Mux(o.payload.last, 0, ticks + 1))
            with m.If(o.payload.last & ~i.payload.last):
                m.d.sync += dropping.eq(1)
                m.d.comb += self.faults.timesteps.eq(1)
        # What is offered is not withdrawn.
        with m.If(~o.valid | o.ready):
            m.d.sync += allowed.eq(self.enable | (Mux(moved, ~o.payload.last, running)))
        return m

    def _slot(self, m: Module, way: int, tick: Value, misplaced: Value, empty: Value):
        i, slot = self.i, self.o.payload.slots[way]
        size = 8 * self.slot_bytes
        word = Signal(size, name=f"word_{way}")
        with m.If(i.payload.keep.word_select(way, self.slot_bytes).all()):
            m.d.comb += word.eq(i.payload.data.word_select(way, size))
        address = Value.cast(slot.address)
        bits = len(address)
        m.d.comb += [address.eq(word[:bits]), tick.eq(word[-2])]
        wrong = (word[:bits] >= self._addresses(way)) if self._addresses(way) < 1 << bits else C(0)
        if self.source.shape is not None:
            channels, height, width = self.source.shape
            place = slot.address
            wrong = ((place.channel >= channels) | (place.y >= height) | (place.x >= width))
        rest = word[bits:-2]
        zero = C(0)
        if self.source.value_bits:
            value_bits = len(Value.cast(slot.value))
            m.d.comb += Value.cast(slot.value).eq(rest[:value_bits])
            zero, rest = rest[:value_bits] == 0, rest[value_bits:]
        before = Signal(bits, name=f"before_{way}")
        seen = Signal(name=f"seen_{way}")
        wrong = wrong | rest.any() | (seen & (address <= before))
        event = word[-1]
        m.d.comb += [slot.event.eq(event & ~wrong & ~zero), misplaced.eq(event & wrong),
                     empty.eq(event & ~wrong & zero)]
        with m.If(self.o.valid & self.o.ready):
            with m.If(slot.event):
                m.d.sync += [seen.eq(1), before.eq(address)]
            with m.If(self.o.payload.tick):
                m.d.sync += seen.eq(0)

    def _addresses(self, way: int) -> int:
        """How many the slot has."""
        return len(range(way, len(self.source.order), self.layout.ways))
