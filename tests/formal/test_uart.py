"""Serial lines: what the transmitter says, what the receiver makes of any line, and both."""

# Amaranth's declarations of members call what makes their types.
# pyright: reportInvalidTypeForm=false

import pytest
from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikewright.boards.uart import SerialLine, UartReceiver, UartTransmitter

from .prover import Claims, internal, prove
from .streams import assert_offers_without_asking, assume_source, claim_source

DIVISORS = [4, 5, 12]


def frames(claims: Claims, dut: UartTransmitter, inside: Module):
    """Each byte taken is a frame on the line, every bit ``divisor`` cycles long."""
    m, divisor = claims.m, dut.divisor
    assume_source(claims, dut.i)
    sending, frame = Signal(), Signal(10)
    place, cycle = Signal(range(10)), Signal(range(divisor))
    bit_over = cycle == divisor - 1
    over = bit_over & (place == 9)
    with m.If(sending):
        m.d.sync += cycle.eq(Mux(bit_over, 0, cycle + 1))
        with m.If(bit_over):
            m.d.sync += [place.eq(Mux(over, 0, place + 1)), sending.eq(~over)]
    with m.If(dut.i.valid & dut.i.ready):
        m.d.sync += [sending.eq(1), frame.eq(Cat(0, dut.i.payload, 1))]
    claims.always("the line is the frame's, or idle",
                  dut.tx == (~sending | frame.bit_select(place, 1)))
    claims.always("takes a byte as soon as the line is free", dut.i.ready == (~sending | over))

    # Strengthening: its own counters count down what these count up.
    wait, left, bits = (internal(inside, name) for name in ("wait", "left", "bits"))
    claims.always("counts", Mux(
        sending,
        (left == 10 - place) & (wait == divisor - 1 - cycle) & (place <= 9) & (cycle < divisor)
        & frame[9]
        & (bits == (Cat(frame, C(0x1FF, 9)) >> place)[:9]),
        (left == 0) & (place == 0) & (cycle == 0) & bits[0],
    ))


@pytest.mark.parametrize("divisor", DIVISORS)
def test_the_transmitter_sends_every_byte_as_a_frame(divisor):
    prove(UartTransmitter(divisor), frames, steps=3)


def receives(claims: Claims, dut: UartReceiver | SerialLine, inside: Module):
    claim_source(claims, dut.o)
    claims.always("drops for one reason", ~(dut.framing_error & dut.overrun))
    claims.always("has a byte in the way when it drops one for another",
                  ~dut.overrun | (dut.o.valid & ~dut.o.ready))


@pytest.mark.parametrize("divisor", DIVISORS)
def test_the_receiver_keeps_the_rules_on_any_line(divisor):
    prove(UartReceiver(divisor), receives, steps=3)
    assert_offers_without_asking(UartReceiver(divisor))


@pytest.mark.parametrize("divisor", DIVISORS)
def test_both_side_by_side_keep_the_rules(divisor):
    def both(claims: Claims, dut: SerialLine, inside: Module):
        assume_source(claims, dut.i)
        receives(claims, dut, inside)

    prove(SerialLine(divisor), both, steps=3)
    assert_offers_without_asking(SerialLine(divisor))


class Loop(wiring.Component):
    """A serial line whose transmitter is heard by its receiver."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    dropped: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.line = line = SerialLine(4)
        connect(m, flipped(self.i), line.i)
        connect(m, line.o, flipped(self.o))
        m.d.comb += [line.rx.eq(line.tx), self.dropped.eq(line.framing_error | line.overrun)]
        return m


def same_bytes(claims: Claims, dut: Loop, inside: Module):
    m = claims.m
    assume_source(claims, dut.i)
    claims.assume(dut.o.ready)
    number = claims.fixed(1, "number")
    entered, left, entered_as = Signal(2), Signal(2), Signal(8)
    with m.If(dut.i.valid & dut.i.ready & ~entered[1]):
        m.d.sync += entered.eq(entered + 1)
        with m.If(entered == number):
            m.d.sync += entered_as.eq(dut.i.payload)
    with m.If(dut.o.valid & ~left[1]):
        m.d.sync += left.eq(left + 1)
    claims.always("drops nothing", ~dut.dropped)
    claims.always("arrives as it was sent", ~dut.o.valid | (left != number)
                  | ((entered > number) & (dut.o.payload == entered_as)))


@pytest.mark.slow
@pytest.mark.parametrize("cycles", [46, 86])
def test_bytes_arrive_as_they_were_sent_in_the_first_cycles(cycles):
    """One or two frames of 40 cycles, and the 6 that the receiver takes to see the last bit."""
    prove(Loop(), same_bytes, steps=cycles, from_reset=True)
