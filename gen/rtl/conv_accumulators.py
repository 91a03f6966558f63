"""One bank of a convolution's sums, with its own copy of the kernel."""

from itertools import pairwise
from typing import Any

from amaranth import *
from amaranth.lib import data, enum, memory, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from .block_memory import BlockMemory


class Source(enum.Enum, shape=2):
    """What weights are added to: the memory's word, the sum of one or two cycles ago, or 0."""

    MEMORY = 0
    ONE_AGO = 1
    TWO_AGO = 2
    ZERO = 3


class SumBank(wiring.Component):
    """Adds a block of weights to a block of sums, or hands a block of sums out and clears it.

    Throughput: one operation per cycle, on the same or on different words, without a bubble. An
    operation reads in cycle 0 and its word is in the memory for an operation that reads in cycle
    3; additions that come sooner get the sum forwarded. ``taken`` gets what the memory holds, so
    a take reads at least 3 cycles after the last addition to its word.

    The stages are *read* (cycle 0), *store* (1: what comes out of a block memory late in the cycle
    goes straight into registers) and *add* (2: to the memory's word or a forwarded sum).

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
        Cycle 2.
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
        m.d.comb += sums.read_address.eq(self.address)

        stored = Signal(words, reset_less=True)
        m.d.sync += stored.eq(sums.read_data)
        m.d.comb += self.taken.eq(stored)

        now = data.StructLayout({"written": 1, "take": 1, "address": self.address.shape()})
        operations = [Signal(now, name=f"operation_{n}") for n in range(4)]
        m.d.comb += [
            operations[0].written.eq(self.add | (self.take & self.clear)),
            operations[0].take.eq(self.take), operations[0].address.eq(self.address),
        ]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(operations)]

        # An event comes back to the same block of channels after a multiple of group_blocks
        # operations, so only sums of that many cycles ago can be missing from the memory.
        total = Signal(words)
        totals = [Signal(words, name=f"total_{age}_ago", reset_less=True) for age in (1, 2)]
        m.d.sync += [totals[0].eq(total), totals[1].eq(totals[0])]
        # Two bits of selection, so that a bit of the sum and its selection are a LUT of five.
        word, source = Signal(words), Signal(Source)
        m.d.sync += source.eq(Source.MEMORY)
        for age, name in reversed(list(enumerate((Source.ONE_AGO, Source.TWO_AGO), start=1))):
            if age % plan.group_blocks == 0:
                before = operations[1 + age]
                with m.If(before.written & (before.address == operations[1].address)):
                    m.d.sync += source.eq(name)
        with m.If(operations[1].take):
            m.d.sync += source.eq(Source.ZERO)
        with m.Switch(source):
            with m.Case(Source.MEMORY):
                m.d.comb += word.eq(stored)
            for name, before in zip((Source.ONE_AGO, Source.TWO_AGO), totals, strict=True):
                with m.Case(name):
                    m.d.comb += word.eq(before)
        operand = self._operand(m, operations[1].take)
        for lane in range(plan.lanes):
            m.d.comb += total[lane].eq(word[lane] + operand[lane])
        m.d.comb += [
            sums.write.eq(operations[2].written), sums.write_address.eq(operations[2].address),
            sums.write_data.eq(total),
        ]
        return m

    def _operand(self, m: Module, clear: Value):
        """What is added in cycle 2: the weights, times the event's value; 0 to clear."""
        plan = self.plan
        bits = plan.synapse.weight_bits
        words: list[Any] = list(plan.weights())
        m.submodules.weights = weights = memory.Memory(
            shape=data.ArrayLayout(signed(bits), plan.lanes), depth=len(words), init=words)
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
