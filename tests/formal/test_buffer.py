"""The buffer in front of the network holds every beat, in order, until its inference is whole; and
gives what it gathered in order, whole, and as often as it is told."""

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from spikewright.boards.buffer import InferenceBuffer
from spikewright.gen.rtl.streams import EventLayout

from .prover import Claims, internal, prove
from .reachability import assert_possible, prove_unbounded
from .streams import (
    assert_offers_without_asking,
    assume_source,
    claim_same,
    claim_source,
    meaning,
)

DEPTHS = [1, 2, 4, 8]


def surroundings(claims: Claims, dut: InferenceBuffer):
    assume_source(claims, dut.i)
    claims.assume(~Cat(dut.gather, dut.release, dut.run).any())
    # A result leaves once, at some time after the first beat of its inference.
    begun, owed = Signal(), Signal()
    left = dut.o.valid & dut.o.ready
    ends = dut.o.payload.tick & dut.o.payload.last
    claims.m.d.sync += [
        begun.eq((begun | left) & ~(left & ends)),
        owed.eq((owed & ~dut.done) | (left & ~begun)),
    ]
    claims.assume(~dut.done | owed)
    return begun, owed


def counts(claims: Claims, dut: InferenceBuffer, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    begun, owed = surroundings(claims, dut)
    claim_source(claims, o)
    held = Signal(range(dut.depth + 3))
    m.d.sync += held.eq(held + (i.valid & i.ready) - (o.valid & o.ready))
    claims.always("takes no more than fits", ~i.ready | (held <= dut.depth))
    claims.always("refuses only when full", i.ready | (held >= dut.depth))
    claims.always("offers only what it holds", ~o.valid | (held != 0))

    # Strengthening: its own registers count the same.
    playing, written, left = (internal(inside, name) for name in ("playing", "written", "left"))
    level = (written - left)[: len(written)]
    claims.always("memory and register hold them",
                  (held == level + internal(inside, "fetched")) & (level <= dut.depth))
    claims.always("gathers nothing", ~internal(inside, "gathering") & ~internal(inside, "lost"))
    claims.always("waits for the result", owed == internal(inside, "owed"))
    claims.always("knows that an inference has begun", begun == internal(inside, "begun"))
    claims.always("waits or plays", ~(owed & ~begun) | ~playing)
    claims.always("plays to the end", ~begun | playing)


@pytest.mark.parametrize("depth", DEPTHS)
def test_as_many_beats_leave_as_entered(depth):
    prove(InferenceBuffer(EventLayout(2), depth), counts, steps=3)


def holds_back(claims: Claims, dut: InferenceBuffer, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    begun, owed = surroundings(claims, dut)
    whole = Signal(range(dut.depth + 2))
    ended = o.valid & o.ready & o.payload.tick & o.payload.last
    m.d.sync += whole.eq(whole + (i.valid & i.ready & i.payload.tick & i.payload.last) - ended)
    filled, cleared = Signal(), Signal()
    m.d.sync += [
        filled.eq((filled | ~i.ready) & ~ended), cleared.eq((cleared | dut.clear) & ~ended),
    ]
    early = o.valid & (whole == 0)
    claims.always("only a full buffer begins early", ~early | filled)
    claims.always("who begins early says so", ~early | dut.spilled | cleared)
    claims.always("is pending until done", dut.pending == ((whole != 0) | (owed & ~begun)))


@pytest.mark.parametrize("depth", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_inferences_leave_whole(depth):
    prove_unbounded(InferenceBuffer(EventLayout(1), depth), holds_back)


@pytest.mark.parametrize("depth", DEPTHS)
def test_offers_without_asking(depth):
    assert_offers_without_asking(InferenceBuffer(EventLayout(2), depth))


def in_order(claims: Claims, dut: InferenceBuffer, inside: Module):
    surroundings(claims, dut)
    claim_same(claims, dut.i, dut.o, most=dut.depth + 1)


@pytest.mark.parametrize("depth", [1, 2])
def test_beats_leave_in_order_and_as_they_came(depth):
    prove_unbounded(InferenceBuffer(EventLayout(1), depth), in_order)


#: Inferences under way at a time.
FLYING = 3


def gathers(claims: Claims, dut: InferenceBuffer, inside: Module):
    """Follows one of the beats that are gathered, whichever it is."""
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    place = claims.fixed(4, "place")
    entered, at, owed = Signal(4), Signal(4), Signal(range(FLYING + 1))
    gathering, lost, inside_in, begun = Signal(), Signal(), Signal(), Signal()
    seen = Signal(len(meaning(i.payload)))
    enters, leaves = i.valid & i.ready, o.valid & o.ready
    ends = o.payload.tick & o.payload.last
    room = entered != dut.depth

    # Whole inferences, and none while it runs; it runs until it has passed.
    claims.assume(~dut.release & (gathering | ~i.valid))
    claims.assume(~dut.gather | (~dut.pending & ~i.valid & ~dut.run))
    claims.assume(~i.valid | ~(dut.run | dut.pending))
    claims.assume(~dut.run | (gathering & dut.gathered & ~inside_in))
    claims.assume(~claims.past(dut.run & ~dut.passed) | dut.run)
    claims.assume(~dut.done | (owed != 0))
    claims.assume((owed != FLYING) | dut.done | ~o.ready)

    with m.If(dut.gather):
        m.d.sync += [gathering.eq(1), entered.eq(0), lost.eq(0), inside_in.eq(0)]
    with m.Elif(enters):
        m.d.sync += [entered.eq(entered + (room & ~lost)), lost.eq(lost | ~room),
                     inside_in.eq(~(i.payload.tick & i.payload.last))]
        with m.If(entered == place):
            m.d.sync += seen.eq(meaning(i.payload))
    with m.If(leaves):
        m.d.sync += [at.eq(Mux(at == entered - 1, 0, at + 1)), begun.eq(~ends)]
    m.d.sync += owed.eq(owed + (leaves & ~begun) - dut.done)

    claims.always("takes whatever comes", ~gathering | i.ready)
    claims.always("says that it is too much",
                  dut.overflow == (gathering & i.valid & ~room & ~lost))
    claims.always("knows what it has", dut.gathered == (gathering & (entered != 0) & ~lost))
    claims.always("offers what was gathered", ~o.valid | (gathering & (entered != 0)))
    claims.always("in order and as it came",
                  ~(o.valid & (at == place)) | (meaning(o.payload) == seen))
    claims.always("rests between passes", dut.pending | dut.run | (
        (at == 0) & ~begun & (owed == 0) & ~o.valid))
    claims.always("is pending until all is done", dut.pending | (owed == 0))
    claims.always("never spills", ~dut.spilled)


@pytest.mark.parametrize("depth", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_what_was_gathered_is_played_in_order_every_time(depth):
    prove_unbounded(InferenceBuffer(EventLayout(1), depth, FLYING), gathers)


def test_what_was_gathered_can_pass_twice_and_can_be_too_much():
    def twice(claims: Claims, dut: InferenceBuffer, inside: Module):
        gathers(claims, dut, inside)
        claims.m.d.sync += passes.eq(passes + dut.passed)

    passes = Signal(2)
    assert_possible(InferenceBuffer(EventLayout(1), 2, FLYING), twice,
                    lambda dut: (passes == 2) & dut.o.valid & dut.o.payload.tick)
    assert_possible(InferenceBuffer(EventLayout(1), 2, FLYING), gathers, lambda dut: dut.overflow)


def goes_on(claims: Claims, dut: InferenceBuffer, inside: Module):
    """Whenever it is stopped: no inference in half."""
    m, o = claims.m, dut.o
    gathering, begun = Signal(), Signal()
    claims.assume(~dut.release & ~(dut.gather & dut.pending) & (gathering | ~dut.i.valid))
    claims.assume(~dut.done & (~dut.run | dut.gathered))
    with m.If(dut.gather):
        m.d.sync += gathering.eq(1)
    with m.If(o.valid & o.ready):
        m.d.sync += begun.eq(~(o.payload.tick & o.payload.last))
    claims.always("what has begun goes on without a pause", ~begun | o.valid)
    stopped = claims.past(~dut.run & ~begun & ~o.valid)
    claims.always("what has not begun waits", ~stopped | ~o.valid)


@pytest.mark.parametrize("depth", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_an_inference_that_has_begun_is_played_to_its_end(depth):
    prove_unbounded(InferenceBuffer(EventLayout(1), depth, 64), goes_on)
