"""Serial lines: what passes them, and what the receiver does with a line that says anything."""

import pytest
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikewright.boards.uart import UartReceiver, UartTransmitter

from .prover import Claims, internal, prove
from .streams import assert_offers_without_asking, assume_source, claim_source


@pytest.mark.parametrize("divisor", [4, 5, 12])
def test_the_receiver_keeps_the_rules_on_any_line(divisor):
    def claim(claims: Claims, dut, inside):
        claim_source(claims, dut.o)
        claims.always("one thing at a time", ~(dut.framing_error & dut.overrun))
        claims.always("an overrun has a byte in its way", ~dut.overrun | (dut.o.valid & ~dut.o.ready))
        fell = claims.past(dut.o.valid & dut.o.ready) & ~dut.o.valid
        offered, dropped = dut.o.valid & (~claims.past(dut.o.valid) | claims.past(dut.o.ready)), \
            claims.past(dut.framing_error | dut.overrun)
        claims.always("a byte is offered or dropped", ~(offered & dropped) | fell)

    prove(UartReceiver(divisor), claim, steps=3)
    assert_offers_without_asking(UartReceiver(divisor))
