"""Results as packets of AXI4-Stream."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi_streams import AxisLayout, word_bytes
from .streams import ResultLayout


class AxiResults(wiring.Component):
    """One result is one packet of ``classes + 1`` words: the scores, signed, in the order of the
    classes, then the prediction, the class with the highest. A word has :attr:`word_bytes` bytes.

    Throughput: one word per cycle; no latency.

    Parameters
    ----------
    layout : ResultLayout

    Members
    -------
    i : In(stream of ResultLayout)
    o : Out(stream of AxisLayout)
    """

    def __init__(self, layout: ResultLayout):
        score, index = (layout.members[name] for name in ("score", "index"))
        self.word_bytes = word_bytes(
            max(Shape.cast(score).width, Shape.cast(index).width + 1))
        super().__init__({
            "i": In(stream.Signature(layout)),
            "o": Out(stream.Signature(AxisLayout(self.word_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        closing, winner = Signal(), Signal.like(i.payload.winner)
        m.d.comb += [
            o.valid.eq(i.valid | closing), i.ready.eq(o.ready & ~closing),
            o.payload.data.eq(Mux(closing, winner, i.payload.score)), o.payload.last.eq(closing),
        ]
        with m.If(closing & o.ready):
            m.d.sync += closing.eq(0)
        with m.Elif(i.valid & i.ready & i.payload.last):
            m.d.sync += [closing.eq(1), winner.eq(i.payload.winner)]
        return m
