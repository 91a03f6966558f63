"""Brings a network that has come to a standstill back to work."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.streams import EventLayout, result_stream

#: Inferences without events that leave every memory as it was before the first: sums have two
#: halves, and each is cleared by the sweep of every other timestep.
FLUSHES = 2


class Recovery(wiring.Component):
    """Stands between the network and what feeds it; passes beats and results on until the network
    is wedged, then resets it and makes it forget.

    A reset leaves block memories as they are. So two inferences of one empty timestep follow it:
    their sweeps clear the sums of what was under way, and store the membranes that an inference
    begins with. Their results are dropped. If a result had been sent in part, the rest of it
    follows, with scores of 0.

    No latency, no register on the way.

    Parameters
    ----------
    layout : EventLayout
    classes, score_bits : int
        Of results.

    Members
    -------
    wedged : In
    reset : Out
        The network is to be reset in this cycle.
    active : Out
        Beats wait; what held beats of the inference is to be reset.
    waiting : In
        Results wait to be sent, or are.
    i, o : In, Out(stream of EventLayout)
    results, answers : In, Out(stream of ResultLayout)
        From the network, and on.
    """

    def __init__(self, layout: EventLayout, classes: int, score_bits: int):
        self.classes = classes
        events = stream.Signature(layout)
        results = result_stream(classes, score_bits)
        super().__init__({
            "wedged": In(1), "reset": Out(1), "active": Out(1), "waiting": In(1),
            "i": In(events), "o": Out(events), "results": In(results), "answers": Out(results),
        })

    def elaborate(self, platform):
        m = Module()
        sent, answered = Signal(range(FLUSHES + 1)), Signal(range(FLUSHES + 1))
        begun, following = Signal(), Signal.like(self.answers.payload.index)
        leaves = self.answers.valid & self.answers.ready
        with m.If(leaves):
            m.d.sync += [begun.eq(~self.answers.payload.last),
                         following.eq(self.answers.payload.index + 1)]
        m.d.comb += [
            self.active.eq(1),
            # The rest of a result; while the network works, its own instead.
            self.answers.valid.eq(begun),
            self.answers.payload.index.eq(following),
            self.answers.payload.last.eq(following == self.classes - 1),
        ]
        with m.FSM():
            with m.State("PASS"):
                m.d.comb += [
                    self.active.eq(self.wedged),
                    self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload),
                    self.i.ready.eq(self.o.ready),
                    self.answers.valid.eq(self.results.valid),
                    self.answers.payload.eq(self.results.payload),
                    self.results.ready.eq(self.answers.ready),
                ]
                with m.If(self.wedged):
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += self.reset.eq(1)
                m.d.sync += [sent.eq(0), answered.eq(0)]
                m.next = "FLUSH"
            with m.State("FLUSH"):
                m.d.comb += [
                    self.o.valid.eq(sent != FLUSHES),
                    self.o.payload.tick.eq(1), self.o.payload.last.eq(1),
                    self.results.ready.eq(1),
                ]
                m.d.sync += [
                    sent.eq(sent + (self.o.valid & self.o.ready)),
                    answered.eq(answered + (self.results.valid & self.results.payload.last)),
                ]
                with m.If(self.wedged):
                    m.next = "RESET"
                with m.Elif((sent == FLUSHES) & (answered == FLUSHES) & ~begun & ~self.waiting):
                    m.next = "PASS"
        return m
