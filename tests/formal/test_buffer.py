"""The buffer in front of the network holds every beat, in order, until its inference is whole."""

import pytest
from amaranth.hdl import Module, Signal

from spikewright.boards.buffer import InferenceBuffer
from spikewright.gen.rtl.streams import EventLayout

from .prover import Claims, internal, prove
from .reachability import prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_same, claim_source

DEPTHS = [1, 2, 4, 7]


def surroundings(claims: Claims, dut: InferenceBuffer):
    assume_source(claims, dut.i)
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
    queue, playing = inside.submodules.queue, internal(inside, "playing")
    claims.always("level counts them", held == queue.level)
    claims.always("the queue and its register hold them",
                  (held >= queue.r_rdy) & (held - queue.r_rdy <= dut.depth))
    waiting = internal(inside, "waiting_for_result")
    claims.always("waits for the result", (owed & ~begun) == waiting)
    claims.always("knows that it has left", (begun & ~owed) == internal(inside, "answered"))
    claims.always("waits or plays", ~waiting | ~playing)
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
