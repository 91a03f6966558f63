"""Where membranes live: one word per neuron that events add to and sweeps replace.

Both kinds take one operation per cycle, on row after row, without a bubble between operations.
They differ in how they bridge the cycles that a sweep spends in :class:`~.neurons.Neurons`.
"""

from typing import Any

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..folding import LayerPlan
from .neurons import Neurons, needs_flag


class _Membranes(wiring.Component):
    """Members, relative to the cycle in which an operation is issued:

    read_row : In, cycle 0
    op_valid, op_row, op_tick : In, cycle 2
    op_weights : In, lanes × signed, cycle 2
        Weights shifted to membrane steps; zero if the operation carries no event.
    u : Out, lanes × signed, cycle 2
        Stored word plus weights.
    flag : Out, lanes, cycle 2
    store_valid, store_row, store_word, store_flag : In
        From :class:`~.neurons.Neurons`.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        row = range(plan.rows) if plan.rows > 1 else 1
        words = data.ArrayLayout(signed(plan.accumulator_bits), plan.lanes)
        super().__init__({
            "read_row": In(row),
            "op_valid": In(1), "op_row": In(row), "op_tick": In(1),
            "op_weights": In(words),
            "u": Out(words), "flag": Out(plan.lanes),
            "store_valid": In(1), "store_row": In(row),
            "store_word": In(words), "store_flag": In(plan.lanes),
        })

    def _initial_words(self) -> list[Any]:
        """Before an inference a membrane is 0, so the stored word is the bias."""
        layer = self.plan.layer
        words = layer.neuron.per_neuron("bias", layer.neurons).tolist()
        bias = layer.neuron.bias
        words += [bias if isinstance(bias, int) else 0] * self.plan.padding
        return [words[first : first + self.plan.lanes]
                for first in range(0, len(words), self.plan.lanes)]


class MembraneMemory(_Membranes):
    """Membranes in block memory, for layers of at least :attr:`MIN_ROWS` rows.

    Every operation writes back after the latency of a sweep, event or not, so one write port is
    enough; the next operation on the same row comes ``rows`` cycles later and finds it done.
    """

    #: An operation reads in cycle 0 and writes in cycle 2 + STORE_LATENCY.
    MIN_ROWS = 2 + Neurons.STORE_LATENCY + 1

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        flags = plan.lanes if needs_flag(plan.layer.neuron) else 0
        shape = data.StructLayout({
            "words": data.ArrayLayout(signed(plan.accumulator_bits), plan.lanes), "flags": flags,
        })
        initial: list[Any] = [{"words": words, "flags": 0} for words in self._initial_words()]
        m.submodules.memory = store = memory.Memory(shape=shape, depth=plan.rows, init=initial)
        read, write = store.read_port(), store.write_port()
        word = Signal(shape, reset_less=True)
        m.d.comb += read.addr.eq(self.read_row)
        m.d.sync += word.eq(read.data)
        for lane in range(plan.lanes):
            m.d.comb += self.u[lane].eq(word.words[lane] + self.op_weights[lane])
        if flags:
            m.d.comb += self.flag.eq(word.flags)

        valid, tick, row = self.op_valid, self.op_tick, self.op_row
        summed, flagged = self.u, self.flag
        for stage in range(Neurons.STORE_LATENCY):
            names = [f"{name}_{stage}" for name in ("valid", "tick", "row", "summed", "flagged")]
            following = [Signal.like(value, name=name, reset_less=name != names[0])
                         for name, value in zip(names,
                                                (valid, tick, row, summed, flagged), strict=True)]
            m.d.sync += [new.eq(old) for new, old in
                         zip(following, (valid, tick, row, summed, flagged), strict=True)]
            valid, tick, row, summed, flagged = following
        m.d.comb += [
            write.addr.eq(row),
            write.en.eq(valid),
            write.data.words.eq(Mux(tick, self.store_word.as_value(), summed.as_value())),
        ]
        if flags:
            m.d.comb += write.data.flags.eq(Mux(tick, self.store_flag, flagged))
        return m


class MembraneRegisters(_Membranes):
    """Membranes in flip-flops, for layers of few rows.

    A sweep takes the sum away and adds the new word when it comes back; meanwhile events of the
    next timestep collect from zero. Sums wrap, so the order of additions does not matter.
    """

    #: Cycles from one sweep of a row to the next: it has to be back before it is taken again.
    TICK_DISTANCE = Neurons.STORE_LATENCY + 2

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        back_valid, back_row = Signal(), Signal.like(self.store_row)
        back_word = Signal.like(self.store_word, reset_less=True)
        m.d.sync += [back_valid.eq(self.store_valid), back_row.eq(self.store_row),
                     back_word.eq(self.store_word)]
        initial = self._initial_words()
        words = [
            Signal(data.ArrayLayout(signed(plan.accumulator_bits), plan.lanes), name=f"words_{row}",
                   init=initial[row])
            for row in range(plan.rows)
        ]
        flags = [Signal(plan.lanes, name=f"flags_{row}") for row in range(plan.rows)]
        selected = Signal.like(self.u)
        with m.Switch(self.op_row):
            for row in range(plan.rows):
                with m.Case(row):
                    m.d.comb += [selected.eq(words[row]), self.flag.eq(flags[row])]
        for lane in range(plan.lanes):
            m.d.comb += self.u[lane].eq(selected[lane] + self.op_weights[lane])
        for row in range(plan.rows):
            here = self.op_valid & (self.op_row == row)
            back = back_valid & (back_row == row)
            for lane in range(plan.lanes):
                kept = Mux(here & self.op_tick, 0, words[row][lane])
                arriving = Mux(here & ~self.op_tick, self.op_weights[lane], 0)
                returning = Mux(back, back_word[lane], 0)
                m.d.sync += words[row][lane].eq(kept + arriving + returning)
            if needs_flag(plan.layer.neuron):
                with m.If(self.store_valid & (self.store_row == row)):
                    m.d.sync += flags[row].eq(self.store_flag)
        return m
