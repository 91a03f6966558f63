"""The five channels of AXI4-Lite as one read and one write at a time."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi_streams import (
    AXIL_ADDRESS,
    AXIL_DATA,
    AXIL_READ,
    AXIL_REQUEST,
    AXIL_RESPONSE,
    AXIL_WRITE,
    OKAY,
    SLVERR,
)


class AxiLite(wiring.Component):
    """A subordinate of AXI4-Lite; reads and writes do not wait for one another.

    Every ``ready`` and ``valid`` is a register's. Address and data of a write may come in any
    order. Throughput: a read, or a write, every four cycles and as many as ``done`` takes.

    Members
    -------
    aw, w, b, ar, r : In, In, Out, In, Out(stream)
        The channels.
    write, write_address, write_data, write_strobe : Out
        Stand until ``write_done``; the address is that of a 32-bit word.
    write_done, write_error : In
    read, read_address : Out
        Stand until ``read_done``.
    read_done, read_data, read_error : In
    """

    def __init__(self):
        super().__init__({
            "aw": In(stream.Signature(AXIL_REQUEST)), "w": In(stream.Signature(AXIL_WRITE)),
            "b": Out(stream.Signature(AXIL_RESPONSE)),
            "ar": In(stream.Signature(AXIL_REQUEST)), "r": Out(stream.Signature(AXIL_READ)),
            "write": Out(1), "write_address": Out(AXIL_ADDRESS - 2),
            "write_data": Out(AXIL_DATA), "write_strobe": Out(AXIL_DATA // 8),
            "write_done": In(1), "write_error": In(1),
            "read": Out(1), "read_address": Out(AXIL_ADDRESS - 2),
            "read_done": In(1), "read_data": In(AXIL_DATA), "read_error": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        aw, w, b, ar, r = self.aw, self.w, self.b, self.ar, self.r
        # Low in reset, as the protocol asks of valid; ready rises after it.
        addressed, given, asked = Signal(init=1), Signal(init=1), Signal(init=1)
        begun = Signal()
        m.d.sync += begun.eq(1)
        m.d.comb += [
            aw.ready.eq(~addressed), w.ready.eq(~given), ar.ready.eq(~asked),
            self.write.eq(begun & addressed & given & ~b.valid),
            self.read.eq(begun & asked & ~r.valid),
        ]
        with m.If(~begun):
            m.d.sync += [addressed.eq(0), given.eq(0), asked.eq(0)]
        with m.If(aw.valid & aw.ready):
            m.d.sync += [addressed.eq(1), self.write_address.eq(aw.payload.addr[2:])]
        with m.If(w.valid & w.ready):
            m.d.sync += [given.eq(1), self.write_data.eq(w.payload.data),
                         self.write_strobe.eq(w.payload.strb)]
        with m.If(self.write & self.write_done):
            m.d.sync += [b.valid.eq(1), b.payload.resp.eq(Mux(self.write_error, SLVERR, OKAY))]
        with m.If(b.valid & b.ready):
            m.d.sync += [b.valid.eq(0), addressed.eq(0), given.eq(0)]
        with m.If(ar.valid & ar.ready):
            m.d.sync += [asked.eq(1), self.read_address.eq(ar.payload.addr[2:])]
        with m.If(self.read & self.read_done):
            m.d.sync += [r.valid.eq(1), r.payload.data.eq(self.read_data),
                         r.payload.resp.eq(Mux(self.read_error, SLVERR, OKAY))]
        with m.If(r.valid & r.ready):
            m.d.sync += [r.valid.eq(0), asked.eq(0)]
        return m
