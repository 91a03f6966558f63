"""Ends an inference at the network's input when its result is decided."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .streams import EventLayout


class EarlyExit(wiring.Component):
    """Passes beats on until the inference is decided; then makes the timestep under way its last,
    and takes the rest of it, one beat per cycle, up to its own last tick.

    Between timesteps it is the next one that becomes the last; so does a tick that is already
    offered when the decision comes stay as it is. A decision after the inference's own last tick
    changes nothing. The beats of the next inference wait until the result has been taken, so they
    always find the network undecided.

    Throughput: one beat per cycle; no latency. A tick that is offered at least one cycle after
    ``decided`` rose is the last.

    Parameters
    ----------
    shape : EventLayout

    Members
    -------
    i, o : In, Out(stream of EventLayout)
    decided : In
        The result of the inference that passed, or passes, is decided. Falls when it is taken.
    taken : In
        The result has been taken.
    """

    def __init__(self, shape: EventLayout):
        super().__init__({
            "i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)),
            "decided": In(1), "taken": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        cut = Signal()  # stands still while a beat is offered, because that may not change
        dropping = Signal()
        closed = Signal()
        passing = ~dropping & ~closed
        m.d.comb += [
            o.valid.eq(i.valid & passing),
            o.payload.eq(i.payload),
            o.payload.last.eq(i.payload.last | (i.payload.tick & cut)),
            i.ready.eq(dropping | (passing & o.ready)),
        ]
        with m.If(~o.valid | o.ready):
            m.d.sync += cut.eq(self.decided & ~self.taken)
        ends = i.payload.tick & i.payload.last
        with m.If(dropping & i.valid & ends):
            m.d.sync += dropping.eq(0)
        with m.If(self.taken):
            m.d.sync += closed.eq(0)
        with m.If(o.valid & o.ready & o.payload.tick & o.payload.last):
            m.d.sync += [closed.eq(1), dropping.eq(~ends)]
        return m
