"""Every spike that enters a splitter leaves it once, in order, and as fast as promised."""

import pytest
from amaranth.hdl import Module, Signal

from spikewright.gen.rtl.router import SpikeSplitter

from .prover import Claims, RefutedError, internal, prove
from .streams import assert_offers_without_asking, assume_source, claim_source

SHAPES = [(1, 1), (5, 1), (8, 2), (7, 4), (16, 1), (20, 16)]


def splits(claims: Claims, dut: SpikeSplitter, inside: Module):
    """The whole of what a splitter does, from what it owes: spikes accepted and not yet sent."""
    m, lanes, width = claims.m, dut.lanes, dut.width
    i, o = dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)

    busy, owed = Signal(), Signal(lanes)
    base, tick, last = (Signal.like(i.payload[name], name=f"owed_{name}")
                        for name in ("base", "tick", "last"))
    place, sent, left, done = Signal.like(base), Signal(lanes), Signal(lanes), Signal()
    m.d.comb += [
        place.eq(o.payload.base - base), sent.eq(o.payload.spikes << place),
        left.eq(owed & ~sent), done.eq(o.ready & (left == 0)),
    ]
    with m.If(o.valid & o.ready):
        m.d.sync += [owed.eq(left), busy.eq(left != 0)]
    with m.If(i.valid & i.ready):
        m.d.sync += [busy.eq(1), owed.eq(i.payload.spikes), base.eq(i.payload.base),
                     tick.eq(i.payload.tick), last.eq(i.payload.last)]

    claims.always("offers as long as it owes, and not longer", o.valid == busy)
    claims.always("accepts without a bubble", i.ready == (~busy | done))
    whole = ((owed >> place)[:width] == o.payload.spikes) & (place % width == 0)
    earlier = owed & ((1 << place) - 1)
    claims.always("sends whole pieces of what it owes", ~busy | (whole & ((sent & ~owed) == 0)))
    claims.always("sends them in order", ~busy | (earlier == 0))
    claims.always("leaves out what is silent", ~busy | (o.payload.spikes != 0) | (owed == 0))
    claims.always("ticks with the last piece", ~busy | (o.payload.tick == (tick & (left == 0))))
    claims.always("ends with the last piece", ~busy | (o.payload.last == (last & (left == 0))))

    # Strengthening: what it keeps is what it owes.
    row, pending = (internal(inside, name) for name in ("row", "pending"))
    for piece in range(len(pending)):
        owed_here = owed[piece * width : (piece + 1) * width]
        claims.always(f"keeps piece {piece}", ~busy | (
            (pending[piece] == owed_here.any())
            & (~pending[piece] | (row.word_select(piece, width) == owed_here))
        ))
    for name, value in (("base", base), ("tick", tick), ("last", last)):
        claims.always(f"keeps {name}", ~busy | (internal(inside, name) == value))


@pytest.mark.parametrize(("lanes", "width"), SHAPES)
def test_sends_every_spike_once_in_order_and_without_a_bubble(lanes, width):
    prove(SpikeSplitter(lanes, width, addresses=2 * lanes), splits, steps=3)


@pytest.mark.parametrize(("lanes", "width"), SHAPES)
def test_offers_without_asking(lanes, width):
    assert_offers_without_asking(SpikeSplitter(lanes, width, addresses=2 * lanes))


class Forgetful(SpikeSplitter):
    """Loses the second piece of a row when the first is taken late."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        late = Signal()
        m.d.sync += late.eq(self.o.valid & ~self.o.ready)
        with m.If(late & self.o.ready):
            m.d.sync += internal(m, "pending").eq(0)
        return m


def test_a_lost_spike_is_found():
    with pytest.raises(RefutedError, match=r"broken in the last cycle: .*keeps piece 1"):
        prove(Forgetful(4, 2, addresses=8), splits)
