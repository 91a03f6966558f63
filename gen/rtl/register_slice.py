"""A register between two streams that costs no throughput."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class RegisterSlice(wiring.Component):
    """Cuts every path between ``i`` and ``o``; ``valid``, ``ready`` and payloads are registers.

    Throughput: one transfer per cycle; what comes while the other side pauses waits in a second
    register. Latency: 1 cycle.

    Parameters
    ----------
    shape : shape
        Of the payload.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        kept, spare = Signal(), Signal.like(Value.cast(i.payload))
        m.d.comb += i.ready.eq(~kept)
        with m.If(~o.valid | o.ready):
            m.d.sync += [o.valid.eq(kept | i.valid), kept.eq(0),
                         Value.cast(o.payload).eq(Mux(kept, spare, Value.cast(i.payload)))]
        with m.Elif(i.valid & i.ready):
            m.d.sync += kept.eq(1)
        with m.If(i.ready):
            m.d.sync += spare.eq(Value.cast(i.payload))
        return m
