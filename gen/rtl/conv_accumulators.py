"""One bank of a convolution's sums, with its own copy of the kernel."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from .block_memory import BlockMemory


class SumBank(wiring.Component):
    """Adds a block of weights to a block of sums, or hands a block of sums out and clears it.

    Throughput: one operation per cycle, on the same or on different words, without a bubble. An
    operation reads in cycle 0 and its word is in the memory for an operation that reads in cycle
    3; additions that come sooner get the sum forwarded. ``taken`` gets what the memory holds, so
    a take reads at least 3 cycles after the last addition to its word.

    The stages are *read* (cycle 0), *select* (1: the memory's word or a forwarded sum) and *add*
    (2: and write). Memory words only ever go into registers, and one addition stands between
    registers.

    Parameters
    ----------
    plan : Conv2dPlan

    Members
    -------
    fetch : In
        The weights of ``weight_address`` will be added in the next cycle, if the events carry
        values; without values, weights are read with their sums and this is not used.
    weight_address : In
        In the cycle of ``fetch``, or in cycle 0.
    value : In
        Cycle 0; present only with ``value_bits``.
    add : In
        Cycle 0: add to the sums at ``address``.
    take, clear : In
        Cycle 0: hand out the sums at ``address``, and leave zeros there if ``clear``.
    address : In
    taken : Out, lanes × signed
        Cycle 1.
    """

    def __init__(self, plan: Conv2dPlan):
        self.plan = plan
        members = {
            "fetch": In(1), "weight_address": In(range(max(plan.weight_words, 2))),
            "add": In(1), "take": In(1), "clear": In(1), "address": In(range(plan.sum_words)),
            "taken": Out(data.ArrayLayout(signed(plan.word_bits), plan.lanes)),
        }
        if plan.value_bits:
            members["value"] = In(plan.value_bits)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        words = self.taken.shape()
        m.submodules.sums = sums = BlockMemory(words, plan.sum_words)
        m.d.comb += [sums.read_address.eq(self.address), self.taken.eq(sums.read_data)]

        take_1 = Signal()
        operand = self._operand(m, take_1)
        written_1, written_2 = Signal(), Signal()
        address_1, address_2 = Signal.like(self.address), Signal.like(self.address)
        m.d.sync += [
            take_1.eq(self.take),
            written_1.eq(self.add | (self.take & self.clear)), written_2.eq(written_1),
            address_1.eq(self.address), address_2.eq(address_1),
        ]

        # An event comes back to the same block of channels after a multiple of group_blocks
        # operations, so only sums that many cycles old can be missing from the memory.
        word, total = Signal(words, reset_less=True), Signal(words)
        selected = sums.read_data.as_value()
        if 2 % plan.group_blocks == 0:
            total_before = Signal(words, reset_less=True)
            repeats_2 = Signal()
            m.d.sync += [
                total_before.eq(total),
                repeats_2.eq(written_2 & (self.address == address_2)),
            ]
            selected = Mux(repeats_2, total_before.as_value(), selected)
        if plan.group_blocks == 1:
            repeats_1 = Signal()
            m.d.sync += repeats_1.eq(written_1 & (self.address == address_1))
            selected = Mux(repeats_1, total.as_value(), selected)
        with m.If(take_1):
            m.d.sync += word.eq(0)
        with m.Else():
            m.d.sync += word.as_value().eq(selected)
        for lane in range(plan.lanes):
            m.d.comb += total[lane].eq(word[lane] + operand[lane])
        m.d.comb += [
            sums.write.eq(written_2), sums.write_address.eq(address_2), sums.write_data.eq(total),
        ]
        return m

    def _operand(self, m: Module, clear: Value):
        """What is added in cycle 2: the weights, times the event's value; 0 to clear."""
        plan = self.plan
        bits = plan.synapse.weight_bits
        m.submodules.weights = weights = memory.Memory(
            shape=data.ArrayLayout(signed(bits), plan.lanes), depth=plan.weight_words,
            init=list(plan.weights()),
        )
        read = weights.read_port()
        m.d.comb += read.addr.eq(self.weight_address)
        arrived = read.data
        value = C(1, 1)
        if plan.value_bits:
            arrived, value = Signal.like(read.data, reset_less=True), Signal(plan.value_bits)
            m.d.comb += read.en.eq(self.fetch)
            m.d.sync += [arrived.eq(read.data), value.eq(self.value)]
        operand = Signal(data.ArrayLayout(signed(bits + plan.value_bits), plan.lanes),
                         reset_less=True)
        with m.If(clear):
            m.d.sync += operand.eq(0)
        with m.Else():
            for lane in range(plan.lanes):
                m.d.sync += operand[lane].eq(arrived[lane] * value if plan.value_bits
                                             else arrived[lane])
        return operand
