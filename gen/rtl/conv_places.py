"""Where an event of a convolution goes: from its coordinates to an address in every bank."""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Axis, Conv2dPlan
from .streams import SpatialLayout, event_stream


class HeadLayout(data.StructLayout):
    """What goes with an operation through the synapses.

    Members
    -------
    event : 1
        It adds weights.
    end, last : 1
        It is its timestep's last; with it the inference ends.
    half : 1
        Of the sums: the timestep's parity.
    value : unsigned
        Of the event; present only with ``value_bits``.
    """

    def __init__(self, value_bits: int = 0):
        members: dict[str, Any] = {"event": 1, "end": 1, "last": 1, "half": 1}
        if value_bits:
            members["value"] = value_bits
        super().__init__(members)


class OperationLayout(data.StructLayout):
    """One access of all banks.

    Members
    -------
    head : HeadLayout
    synops : unsigned
        Sums it updates.
    banks : banks in y × banks in x × {valid, sum, weight}
        ``sum`` and ``weight`` are the bank's addresses; it takes part if ``valid``.
    """

    def __init__(self, plan: Conv2dPlan):
        bank = data.StructLayout({
            "valid": 1, "sum": range(plan.sum_words), "weight": range(max(plan.weight_words, 2)),
        })
        super().__init__({
            "head": HeadLayout(plan.value_bits),
            "synops": range(plan.most_synops + 1),
            "banks": data.ArrayLayout(
                data.ArrayLayout(bank, plan.columns.banks), plan.rows.banks),
        })


class EventPlaces(wiring.Component):
    """Takes beats apart into operations, and looks up what each bank has to do with them.

    Throughput: an event takes ``plan.event_cycles`` operations, a tick without an event one, and
    an operation one cycle, without a bubble between beats. Latency: an operation leaves 2 cycles
    after it was issued (`issued`), a beat's first is issued in the cycle after its transfer, and
    the next beat is transferred as the last is issued. Without ``advance`` everything stands.

    Parameters
    ----------
    plan : Conv2dPlan

    Members
    -------
    i : In(stream of EventLayout of SpatialLayout)
    advance : In
    free : In, 2
        Halves of the sums that a timestep may begin or go on in.
    waiting : Out
        There is a beat.
    issued : Out(HeadLayout)
        The operation of this cycle, counted in only with ``issue``.
    issue : Out
    o : Out(OperationLayout)
        ``head.event`` and ``head.end`` are low if there is no operation.
    """

    def __init__(self, plan: Conv2dPlan):
        self.plan = plan
        super().__init__({
            "i": In(event_stream(SpatialLayout(*plan.signal_shape), value_bits=plan.value_bits)),
            "advance": In(1), "free": In(2),
            "waiting": Out(1), "issue": Out(1), "issued": Out(HeadLayout(plan.value_bits)),
            "o": Out(OperationLayout(plan)),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        beat = Signal(self.i.payload.shape())
        slot = beat.slots[0]
        half = Signal()

        # Innermost first: the block of channels, then the passes in x and in y.
        counts = (plan.group_blocks, plan.columns.passes, plan.rows.passes)
        block, turn_x, turn_y = turns = [
            Signal(range(count) if count > 1 else 0, name=name)
            for name, count in zip(("block", "turn_x", "turn_y"), counts, strict=True)
        ]
        final = Signal()
        m.d.comb += [
            final.eq(~slot.event | Cat(turn == count - 1 for turn, count in
                                       zip(turns, counts, strict=True)).all()),
            self.issue.eq(self.waiting & self.advance & self.free.bit_select(half, 1)),
            self.i.ready.eq(~self.waiting | (self.issue & final)),
            self.issued.event.eq(slot.event),
            self.issued.end.eq(beat.tick & final),
            self.issued.last.eq(beat.last),
            self.issued.half.eq(half),
        ]
        if plan.value_bits:
            m.d.comb += self.issued.value.eq(slot.value)
        with m.If(self.i.ready):
            m.d.sync += [self.waiting.eq(self.i.valid), beat.eq(self.i.payload)]
        with m.If(self.issue & self.issued.end):
            m.d.sync += half.eq(~half)
        carry = self.issue & slot.event
        for turn, count in zip(turns, counts, strict=True):
            with m.If(carry):
                m.d.sync += turn.eq(Mux(turn == count - 1, 0, turn + 1))
            carry = carry & (turn == count - 1)

        # Stage 1: what the coordinates mean to each row and column of banks.
        head = Signal(HeadLayout(plan.value_bits))
        group, weight_base = Signal(range(plan.synapse.groups)), Signal(range(plan.weight_words))
        sum_base = Signal(range(plan.blocks))
        m.d.comb += self._group(m, slot.address.channel, group)
        with m.If(self.advance):
            m.d.sync += [
                head.eq(self.issued),
                head.event.eq(self.issue & self.issued.event),
                head.end.eq(self.issue & self.issued.end),
                sum_base.eq(group * plan.group_blocks + block),
                weight_base.eq(slot.address.channel * plan.group_blocks + block),
            ]
        words = plan.signal_shape[0] * plan.group_blocks
        rows = self._taps(m, plan.rows, slot.address.y, turn_y, "row",
                          tap_words=words * plan.columns.kernel,
                          slot_words=plan.blocks * plan.columns.slots)
        columns = self._taps(m, plan.columns, slot.address.x, turn_x, "column",
                             tap_words=words, slot_words=plan.blocks)

        # Stage 2: an address for each bank.
        across = sum((column.valid for column in columns), C(0)) * plan.lanes
        synops = sum((Mux(row.valid, across, 0) for row in rows), C(0))
        with m.If(self.advance):
            m.d.sync += [self.o.head.eq(head), self.o.synops.eq(synops)]
            for y, row in enumerate(rows):
                for x, column in enumerate(columns):
                    bank = self.o.banks[y][x]
                    m.d.sync += [
                        bank.valid.eq(head.event & row.valid & column.valid),
                        bank.sum.eq(Cat(head.half, row.slot + column.slot + sum_base)),
                        bank.weight.eq(row.tap + column.tap + weight_base),
                    ]
        return m

    def _group(self, m: Module, channel: Value, group: Signal):
        """The group of a channel: its highest bits, or a table."""
        channels, groups = self.plan.signal_shape[0], self.plan.synapse.groups
        size = channels // groups
        if size & (size - 1) == 0:
            return [group.eq(channel >> (size.bit_length() - 1) if groups > 1 else 0)]
        with m.Switch(channel):
            for index in range(channels):
                with m.Case(index):
                    m.d.comb += group.eq(index // size)
        return []

    def _taps(self, m: Module, axis: Axis, coordinate: Value, turn: Value, name: str, *,
              tap_words: int, slot_words: int) -> list[Any]:
        """For each bank of an axis :meth:`.convolution.Axis.taps` of the operation, a cycle later,
        in words of the bank's memories."""
        entry = data.StructLayout({
            "valid": 1,
            "tap": range((axis.kernel - 1) * tap_words + 1),
            "slot": range((axis.slots - 1) * slot_words + 1),
        })
        found = [Signal(entry, name=f"{name}_{bank}") for bank in range(axis.banks)]
        with m.If(self.advance), m.Switch(Cat(turn, coordinate)):
            for place in range(axis.signal):
                for number in range(axis.passes):
                    with m.Case(place << len(turn) | number):
                        for bank, tap in zip(found, axis.taps(place, number), strict=True):
                            m.d.sync += bank.eq(entry.const({
                                "valid": tap.valid, "tap": tap.tap * tap_words,
                                "slot": tap.slot * slot_words,
                            }))
        return found
