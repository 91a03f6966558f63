"""One bank of a convolution's sums, with its own copy of the kernel."""

from itertools import pairwise
from typing import Any

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from .block_memory import BlockMemory


class SumBank(wiring.Component):
    """Adds a block of weights to a block of sums, or hands a block of sums out and clears it.

    Throughput: one operation per cycle, on the same or on different words, without a bubble. An
    operation reads in cycle 0 and its word is in the memory for an operation that reads in cycle
    4; additions that come sooner get the sum forwarded. ``taken`` gets what the memory holds, so
    a take reads at least 4 cycles after the last addition to its word.

    The stages are *read* (cycle 0), *store* (1), *add* (2, to the memory's word or a forwarded sum)
    and *write* (3). What a memory gives late in a cycle, or needs early, has that cycle's wires
    for itself.

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

        now = data.StructLayout({"written": 1, "take": 1, "address": self.address.shape()})
        operations = [Signal(now, name=f"operation_{n}") for n in range(5)]
        m.d.comb += [
            operations[0].written.eq(self.add | (self.take & self.clear)),
            operations[0].take.eq(self.take), operations[0].address.eq(self.address),
        ]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(operations)]

        # Events come back to a block of channels after group_blocks cycles at the earliest, so only
        # sums of at least that age can be wanted before they are in the memory. Those of two and
        # three cycles ago are known early enough to share a register.
        repeats = [
            operations[1 + age].written & (operations[1 + age].address == operations[1].address)
            if age >= plan.group_blocks else C(0) for age in (1, 2, 3)
        ]
        total = Signal(words)
        stored, last, before_last, earlier = (
            Signal(words, name=name, reset_less=True)
            for name in ("stored", "last", "before_last", "earlier"))
        use_last, use_earlier = Signal(), Signal()
        m.d.sync += [
            stored.eq(sums.read_data), before_last.eq(last),
            use_last.eq(repeats[0]), use_earlier.eq(repeats[1] | repeats[2]),
            earlier.eq(Mux(repeats[1], last.as_value(), before_last.as_value())),
        ]
        word = data.View(words, Mux(use_last, last.as_value(), Mux(
            use_earlier, earlier.as_value(), stored.as_value())))
        operand = self._operand(m)
        for lane in range(plan.lanes):
            m.d.comb += total[lane].eq(word[lane] + operand[lane])
        with m.If(operations[2].take):
            m.d.sync += last.eq(0)
        with m.Else():
            m.d.sync += last.eq(total)
        m.d.comb += [
            self.taken.eq(stored),
            sums.write.eq(operations[3].written), sums.write_address.eq(operations[3].address),
            sums.write_data.eq(last),
        ]
        return m

    def _operand(self, m: Module):
        """What is added in cycle 2: the weights, times the event's value."""
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
        for lane in range(plan.lanes):
            m.d.sync += operand[lane].eq(arrived[lane] * value)
        return operand
