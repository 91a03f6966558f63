"""One bank of a convolution's sums, with its own copy of the kernel."""

from itertools import pairwise
from typing import Any

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from ..folding import Storage
from .block_memory import BlockMemory
from .loading import LoadedWord
from .tables import Tables, in_tables


class SumBank(wiring.Component):
    """Adds a block of weights to a block of sums, or hands a block of sums out and clears it.

    Throughput: one operation per cycle, with ``plan.overlap`` an addition and a take, on the same
    or on different words, without a bubble. An
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
        Cycle 0: add to the sums at ``sum``. Without ``plan.overlap`` never with ``take``, with it
        never to the half that is taken from.
    sum : In
        Its lowest bit is the half.
    take, clear : In
        Cycle 0: hand out the sums at ``row``, and leave zeros there if ``clear``.
    row : In
        As ``sum``.
    taken : Out, lanes × signed
        Cycle 2.
    load : In(LoadedWord)
        A word of weights to be written, not during an inference; present only if they can be
        loaded.
    """

    def __init__(self, plan: Conv2dPlan):
        self.plan = plan
        address = range(plan.sum_words)
        members = {
            "fetch": In(1), "weight_address": In(range(max(plan.weight_words, 2))),
            "add": In(1), "sum": In(address), "take": In(1), "clear": In(1), "row": In(address),
            "taken": Out(data.ArrayLayout(signed(plan.word_bits), plan.lanes)),
        }
        if plan.value_bits:
            members["value"] = In(plan.value_bits)
        if plan.storage is not Storage.FIXED:
            members["load"] = In(LoadedWord(range(max(plan.weight_words, 2)),
                                            plan.lanes * plan.weight_bits))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._platform = platform
        if self.plan.overlap:
            self._apart(m)
        else:
            self._together(m)
        return m

    def _together(self, m: Module):
        """Both halves in one memory: a take goes the way of an addition, and leaves zeros."""
        m.submodules.sums = sums = BlockMemory(self.taken.shape(), self.plan.sum_words)
        address = Mux(self.take, self.row, self.sum)
        operations = self._pipeline(m, self.add | (self.take & self.clear), address)
        taking = [self.take, *(Signal(name=f"taking_{n}") for n in (1, 2))]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(taking)]

        stored = Signal(self.taken.shape(), reset_less=True)
        m.d.sync += stored.eq(sums.read_data)
        total = self._add(m, operations, stored, taking[2])
        m.d.comb += [
            sums.read_address.eq(address),
            self.taken.eq(stored),
            sums.write.eq(operations[3].written), sums.write_address.eq(operations[3].address),
            sums.write_data.eq(total),
        ]

    def _apart(self, m: Module):
        """A memory for each half: a take has nothing to do with additions, which go to the other,
        and leaves zeros a cycle later."""
        operations = self._pipeline(m, self.add, self.sum)
        now = data.StructLayout({"clear": 1, "address": self.row.shape()})
        taking = [Signal(now, name=f"taking_{n}") for n in range(3)]
        m.d.comb += [taking[0].clear.eq(self.take & self.clear), taking[0].address.eq(self.row)]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(taking)]

        halves = [BlockMemory(self.taken.shape(), self.plan.sum_words // 2) for _ in range(2)]
        stored = [Signal(self.taken.shape(), name=f"stored_{half}", reset_less=True)
                  for half in range(2)]
        view = data.View(self.taken.shape(), Mux(
            operations[2].address[0], stored[1].as_value(), stored[0].as_value()))
        total = self._add(m, operations, view, C(0))
        for half, sums in enumerate(halves):
            m.submodules[f"sums_{half}"] = sums
            adds = self.add & (self.sum[0] == half)
            writes = operations[3].written & (operations[3].address[0] == half)
            clears = taking[1].clear & (taking[1].address[0] == half)
            m.d.sync += stored[half].eq(sums.read_data)
            m.d.comb += [
                sums.read_address.eq(Mux(adds, self.sum[1:], self.row[1:])),
                sums.write.eq(writes | clears),
                sums.write_address.eq(
                    Mux(writes, operations[3].address[1:], taking[1].address[1:])),
                sums.write_data.eq(Mux(writes, total.as_value(), 0)),
            ]
        m.d.comb += self.taken.eq(Mux(
            taking[2].address[0], stored[1].as_value(), stored[0].as_value()))

    def _pipeline(self, m: Module, written: Value, address: Value) -> list[data.View]:
        """What is done in cycles 0 to 4, and whether it will be written."""
        now = data.StructLayout({"written": 1, "address": self.sum.shape()})
        operations = [Signal(now, name=f"operation_{n}") for n in range(5)]
        m.d.comb += [operations[0].written.eq(written), operations[0].address.eq(address)]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(operations)]
        return operations

    def _add(self, m: Module, operations: list[data.View], stored: Signal | data.View,
             zero: Value) -> Signal | data.View:
        """Cycle 3: the sums of ``stored`` (cycle 2), or of an addition that is not in the memory
        yet, with the operand added; or zeros."""
        plan = self.plan
        words = self.taken.shape()
        # Events come back to a block of channels after group_blocks cycles at the earliest, so only
        # sums of at least that age can be wanted before they are in the memory. Those of two and
        # three cycles ago are known early enough to share a register.
        repeats = [
            operations[1 + age].written & (operations[1 + age].address == operations[1].address)
            if age >= plan.group_blocks else C(0) for age in (1, 2, 3)
        ]
        total = Signal(words)
        last, before_last, earlier = (
            Signal(words, name=name, reset_less=True)
            for name in ("last", "before_last", "earlier"))
        use_last, use_earlier = Signal(), Signal()
        m.d.sync += [
            before_last.eq(last),
            use_last.eq(repeats[0]), use_earlier.eq(repeats[1] | repeats[2]),
            earlier.eq(Mux(repeats[1], last.as_value(), before_last.as_value())),
        ]
        word = data.View(words, Mux(use_last, last.as_value(), Mux(
            use_earlier, earlier.as_value(), stored.as_value())))
        operand = self._operand(m)
        for lane in range(plan.lanes):
            m.d.comb += total[lane].eq(word[lane] + operand[lane])
        with m.If(zero):
            m.d.sync += last.eq(0)
        with m.Else():
            m.d.sync += last.eq(total)
        return last

    def _weights(self, m: Module):
        """Those of ``weight_address``, a cycle later."""
        plan = self.plan
        words: list[Any] = list(plan.weights())
        shape = data.ArrayLayout(signed(plan.synapse.weight_bits), plan.lanes)
        enable = self.fetch if plan.value_bits else C(1)
        if plan.storage is Storage.FIXED and in_tables(
                self._platform, shape.size, len(words)):
            m.submodules.weights = tables = Tables(
                [shape.const(word).as_bits() for word in words], shape.size)
            read = Signal(shape, reset_less=True)
            m.d.comb += tables.address.eq(self.weight_address)
            with m.If(enable):
                m.d.sync += read.as_value().eq(tables.data)
            return read
        fixed = plan.storage is Storage.FIXED
        # Nothing that is read while a word is written is used.
        attributes: dict[str, Any] = {} if fixed else {"no_rw_check": 1}
        # Kept as an attribute so that simulations can look inside.
        m.submodules.weights = self.weights = weights = memory.Memory(
            shape=shape, depth=len(words), init=words, attrs=attributes)
        if fixed:
            port = weights.read_port()
            m.d.comb += [port.addr.eq(self.weight_address), port.en.eq(enable)]
            return port.data
        port, write = weights.read_port(domain="comb"), weights.write_port()
        read = Signal(shape, reset_less=True)
        with m.If(enable):
            m.d.sync += read.eq(port.data)
        m.d.comb += [
            port.addr.eq(self.weight_address), write.addr.eq(self.load.address),
            write.en.eq(self.load.enable), Value.cast(write.data).eq(self.load.word),
        ]
        return read

    def _operand(self, m: Module):
        """What is added in cycle 2: the weights, times the event's value."""
        plan = self.plan
        bits = plan.synapse.weight_bits
        read = self._weights(m)
        arrived = read
        value = C(1, 1)
        if plan.value_bits:
            arrived = Signal.like(read, reset_less=True)
            value = Signal(plan.value_bits)
            m.d.sync += [arrived.eq(read), value.eq(self.value)]
        operand = Signal(data.ArrayLayout(signed(bits + plan.value_bits), plan.lanes),
                         reset_less=True)
        for lane in range(plan.lanes):
            m.d.sync += operand[lane].eq(arrived[lane] * value)
        return operand
