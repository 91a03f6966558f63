"""An SPI peripheral sends what it took, escaped, once, and drops nothing without a word."""

from amaranth.hdl import Module, Mux, Signal

from spikewright.boards.spi import ESCAPE, IDLE, SpiPeripheral

from .prover import Claims
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_source


def carries(claims: Claims, dut: SpiPeripheral, inside: Module):
    """Follows the edges as the synchronisers give them, bit by bit."""
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)

    # The lines as they were two cycles ago.
    lines = {}
    for name, first in (("cs_n", 1), ("sck", 0), ("copi", 0)):
        one, two = Signal(init=first, name=f"{name}_1"), Signal(init=first, name=f"{name}_2")
        m.d.sync += [one.eq(getattr(dut, name)), two.eq(one)]
        lines[name] = two
    before, place, bits = Signal(), Signal(range(8)), Signal(8)
    rises = lines["sck"] & ~before & ~lines["cs_n"]
    ends = rises & (place == 7)
    cut = lines["cs_n"] & (place != 0)
    m.d.sync += before.eq(lines["sck"])
    with m.If(rises):
        m.d.sync += [place.eq(place + 1), bits.eq(lines["copi"] | bits << 1)]
    with m.If(lines["cs_n"]):
        m.d.sync += place.eq(0)

    # From the host: a byte is offered, or dropped with a word.
    came = Signal(8)
    m.d.comb += came.eq(lines["copi"] | bits << 1)
    ended, whole = claims.past(ends), claims.past(came)
    blocked = claims.past(o.valid & ~o.ready)
    claims.always("offers each byte that came whole", ~ended | blocked | (
        o.valid & (o.payload == whole)))
    claims.always("offers nothing else", ~o.valid | ended | blocked)
    claims.always("says what it drops", dut.overrun == (ends & o.valid & ~o.ready))
    claims.always("says what is cut", dut.framing_error == cut)

    # To the host: what is on the line is the byte that was loaded, as far as it was not sent yet.
    now, loaded, half = Signal(8), Signal(), Signal()
    loads = ends | (lines["cs_n"] & ~loaded)
    wide = i.payload[1:].any()
    with m.If(loads):
        m.d.sync += [loaded.eq(i.valid), now.eq(IDLE)]
        with m.If(i.valid):
            m.d.sync += [half.eq(~wide & ~half),
                         now.eq(Mux(wide, i.payload, Mux(half, i.payload + 1, ESCAPE)))]
    with m.Elif(cut):
        m.d.sync += [loaded.eq(0), now.eq(IDLE)]
    claims.always("the line has the byte", dut.cipo == now.bit_select(place ^ 7, 1))
    claims.always("takes a byte when its last half is loaded",
                  (i.valid & i.ready) == (i.valid & loads & (wide | half)))
    claims.always("says that there is something", dut.ready == (loaded | i.valid))


def test_every_byte_is_carried_once_or_complained_of():
    prove_unbounded(SpiPeripheral(), carries)
    assert_offers_without_asking(SpiPeripheral())


def test_a_byte_can_come_and_go():
    assert_possible(SpiPeripheral(), carries, lambda dut: dut.o.valid & (dut.o.payload == 0xA5))
