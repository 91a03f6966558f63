"""A reset that may come at any time, even in the middle of an inference."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .streams import EventLayout, ResultLayout

#: A sum in memory has two halves, of even and of odd timesteps; an inference without events of one
#: timestep clears one of them, and begins every membrane anew.
EMPTY = 2


class AxiRestart(wiring.Component):
    """Clears what a reset leaves in the memories of a network, before its first inference: sends
    :data:`EMPTY` inferences without events, and drops their results.

    Throughput then: one transfer per cycle; no latency.

    Parameters
    ----------
    beats : EventLayout
    results : ResultLayout

    Members
    -------
    i, o : In, Out(stream of EventLayout)
        To the network.
    i_results, o_results : In, Out(stream of ResultLayout)
        From the network.
    done : Out
        All is clear.
    """

    def __init__(self, beats: EventLayout, results: ResultLayout):
        super().__init__({
            "i": In(stream.Signature(beats)), "o": Out(stream.Signature(beats)),
            "i_results": In(stream.Signature(results)),
            "o_results": Out(stream.Signature(results)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        left, owed = Signal(range(EMPTY + 1), init=EMPTY), Signal(range(EMPTY + 1), init=EMPTY)
        m.d.comb += self.done.eq((left == 0) & (owed == 0))
        with m.If(self.done):
            m.d.comb += [
                self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload),
                self.i.ready.eq(self.o.ready),
                self.o_results.valid.eq(self.i_results.valid),
                self.o_results.payload.eq(self.i_results.payload),
                self.i_results.ready.eq(self.o_results.ready),
            ]
        with m.Else():
            m.d.comb += [
                self.o.valid.eq(left != 0), self.o.payload.tick.eq(1), self.o.payload.last.eq(1),
                self.i_results.ready.eq(1),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += left.eq(left - 1)
            with m.If(self.i_results.valid & self.i_results.payload.last):
                m.d.sync += owed.eq(owed - 1)
        return m
