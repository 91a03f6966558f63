"""A register between two streams keeps what it took until it is taken."""

import pytest
from amaranth.hdl import Module

from spikewright.boards.stage import StreamRegister
from spikewright.gen.rtl.streams import EventLayout

from .prover import Claims, RefutedError
from .reachability import prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_same, claim_source


def passes(claims: Claims, dut: StreamRegister, inside: Module):
    assume_source(claims, dut.i)
    claim_source(claims, dut.o)
    claim_same(claims, dut.i, dut.o, most=1)
    claims.always("refuses only what it has no room for", dut.i.ready | dut.o.valid)


def test_every_payload_leaves_once_and_in_order():
    prove_unbounded(StreamRegister(EventLayout(2)), passes)
    assert_offers_without_asking(StreamRegister(EventLayout(2)))


class Greedy(StreamRegister):
    """Takes a payload in the cycle in which one leaves, and forgets it."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


def test_a_lost_payload_is_found():
    with pytest.raises(RefutedError, match=r"o (offers what|leaves as it) entered|holds no more"):
        prove_unbounded(Greedy(EventLayout(1)), passes)
