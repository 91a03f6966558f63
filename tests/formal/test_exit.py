"""An early exit ends inferences in time, and loses no beat of any other."""

import pytest
from amaranth.hdl import Module, Signal

from spikewright.gen.rtl.exit import EarlyExit
from spikewright.gen.rtl.streams import EventLayout

from .prover import Claims, RefutedError, internal, prove
from .streams import assert_offers_without_asking, assume_source, claim_source

SHAPES = [EventLayout(1), EventLayout(3, ways=2, value_bits=2)]


def exits(claims: Claims, dut: EarlyExit, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    moved_in, moved_out = i.valid & i.ready, o.valid & o.ready
    ends_in = moved_in & i.payload.tick & i.payload.last
    ends_out = moved_out & o.payload.tick & o.payload.last

    # An inference is decided at some time after its first beat, until its result is taken.
    begun, closed, ahead = Signal(), Signal(), Signal(2)
    m.d.sync += [
        begun.eq((begun | moved_out) & ~dut.taken),
        closed.eq((closed & ~dut.taken) | ends_out),
        ahead.eq(ahead + ends_out - ends_in),
    ]
    claims.assume(~dut.taken | closed)
    claims.assume(~dut.decided | begun)
    claims.assume(~claims.past(dut.decided & ~dut.taken) | dut.decided)

    same = (o.payload.slots.as_value() == i.payload.slots.as_value()) & (
        o.payload.tick == i.payload.tick)
    claims.always("beats pass as they come", ~o.valid | (i.valid & same))
    claims.always("is not in the way", (ahead != 0) | closed
                  | ((o.valid == i.valid) & (i.ready == o.ready)))
    claims.always("takes the rest at once", (ahead == 0) | (i.ready & ~o.valid))
    claims.always("lets the next one wait", ~closed | (ahead != 0) | (~i.ready & ~o.valid))
    claims.always("drops nothing else", ~moved_in | moved_out | (ahead == 1))
    claims.always("a last tick stays one", ~o.valid | o.payload.last | ~i.payload.last)
    claims.always("ends only what is decided", ~o.valid | (o.payload.last == i.payload.last)
                  | (dut.decided & o.payload.tick))
    waited = claims.past(o.valid & ~o.ready)
    claims.always("ends what is decided", ~(o.valid & o.payload.tick) | waited | o.payload.last
                  | ~(dut.decided & claims.past(dut.decided & begun)))

    # Strengthening: its own registers say the same.
    claims.always("knows what to drop", ahead == internal(inside, "dropping"))
    claims.always("knows what to wait for", closed == internal(inside, "closed"))
    claims.always("waits only for what began", begun | ~closed)
    claims.always("cuts only what is decided", ~internal(inside, "cut") | dut.decided)


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_what_is_decided_and_loses_no_other_beat(shape):
    prove(EarlyExit(shape), exits, steps=4)


@pytest.mark.parametrize("shape", SHAPES)
def test_offers_without_asking(shape):
    assert_offers_without_asking(EarlyExit(shape))


class Hasty(EarlyExit):
    """Forgets that there is more to drop as soon as the result has been taken."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.taken):
            m.d.sync += internal(m, "dropping").eq(0)
        return m


def test_a_rest_taken_for_the_next_inference_is_found():
    with pytest.raises(RefutedError, match=r"takes the rest at once|knows what to drop"):
        prove(Hasty(SHAPES[0]), exits, steps=10)
