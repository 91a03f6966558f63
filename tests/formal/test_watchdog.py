"""The watchdog barks when nothing has moved for too long, and never at a network that works."""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal

from spikewright.boards.recovery import Recovery
from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.streams import EventLayout
from spikewright.gen.rtl.watchdog import Watchdog

from .prover import Claims, prove
from .reachability import prove_unbounded
from .streams import assume_source, claim_source, meaning


def barks(claims: Claims, dut: Watchdog, inside: Module):
    """Exactly then: after ``limit`` + 1 silent cycles, one after the other."""
    silent = Signal(range(dut.limit + 2))
    with claims.m.If(~dut.waiting | dut.progress):
        claims.m.d.sync += silent.eq(0)
    with claims.m.Elif(silent <= dut.limit):
        claims.m.d.sync += silent.eq(silent + 1)
    claims.always("it barks exactly when too much is silent",
                  dut.wedged == (silent == dut.limit + 1))


@pytest.mark.parametrize("limit", [1, 4, 37])
def test_watchdog(limit):
    prove_unbounded(Watchdog(limit), barks)


def network(timesteps: int = 2) -> Network:
    spec = NetworkSpec(
        input_shape=(1,), timesteps=timesteps,
        layers=(Layer(name="fc", synapse=Linear(weight=np.ones((1, 1), np.int64),
                                                weight_bits=2),
                      neuron=Neuron(decay=1, decay_fraction=1, threshold=1)),),
    )
    return Network(spec, Folding(), counters=False, watchdog=True)


def works(claims: Claims, dut: Network, inside: Module):
    """Any inferences, any pauses of their source and of who takes the results."""
    i = dut.i
    assume_source(claims, i)
    claims.assume(i.payload.slots[0].address == 0)
    ticks = Signal(range(dut.spec.timesteps + 1))
    with claims.m.If(i.valid & i.ready & i.payload.tick):
        claims.m.d.sync += ticks.eq(Mux(i.payload.last, 0, ticks + 1))
    claims.assume(~i.valid | ~i.payload.tick | i.payload.last
                  | (ticks != dut.spec.timesteps - 1))
    claims.always("it never barks", ~dut.wedged)


@pytest.mark.slow
def test_it_never_barks_at_a_network_that_works_in_the_first_cycles():
    """More of them than it is patient for, so that it could bark. The search for all cycles was
    undecided after 120 s."""
    dut = network()
    assert dut.watchdog is not None
    prove(dut, works, steps=dut.watchdog.limit + 12, from_reset=True)


def passes_on(claims: Claims, dut: Recovery, inside: Module):
    """Streams keep their rules while the network works, and results at all times; those that were
    begun are finished."""
    m = claims.m
    assume_source(claims, dut.i)
    assume_source(claims, dut.results)
    # The watchdog waits for nobody who does not take results.
    claims.assume(~dut.wedged | ~dut.results.valid | dut.answers.ready)
    index = Signal.like(dut.results.payload.index)
    taken = dut.results.valid & dut.results.ready
    with m.If(dut.reset):
        m.d.sync += index.eq(0)
    with m.Elif(taken):
        m.d.sync += index.eq(Mux(dut.results.payload.last, 0, index + 1))
    claims.assume(~dut.results.valid | (
        (dut.results.payload.index == index)
        & (dut.results.payload.last == (index == dut.classes - 1))))
    # The network answers what it was sent, class by class.
    owed = Signal(3)
    sent = dut.o.valid & dut.o.ready & dut.o.payload.tick & dut.o.payload.last
    m.d.sync += owed.eq(Mux(dut.reset, 0, owed + sent - (taken & dut.results.payload.last)))
    claims.assume(~dut.results.valid | (owed != 0))
    claims.assume(owed != 7)
    place = Signal.like(dut.answers.payload.index)
    with m.If(dut.answers.valid & dut.answers.ready):
        m.d.sync += place.eq(Mux(dut.answers.payload.last, 0, place + 1))
    claim_source(claims, dut.answers)
    claims.always("results are whole", ~dut.answers.valid | (
        (dut.answers.payload.index == place)
        & (dut.answers.payload.last == (place == dut.classes - 1))))
    offered = claims.past(dut.o.valid & ~dut.o.ready & ~dut.wedged & ~dut.reset)
    payload = meaning(dut.o.payload)
    same = payload == claims.past(payload)
    claims.always("beats wait", ~claims.begun | ~offered | (dut.o.valid & same))
    flushing = dut.active & ~dut.wedged & dut.o.valid
    claims.always("nothing but empty timesteps follows a reset", ~flushing | (
        dut.o.payload.tick & dut.o.payload.last & ~dut.o.payload.slots[0].event))


@pytest.mark.parametrize("classes", [1, 3])
def test_recovery(classes):
    prove_unbounded(Recovery(EventLayout(1), classes, 2), passes_on)
