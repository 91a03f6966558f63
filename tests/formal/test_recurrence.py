"""A layer's own spikes join the timestep after theirs: every beat passes once, ticks once."""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal

from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.recurrence import Recurrence

from .prover import Claims, internal, prove
from .streams import assert_offers_without_asking, assume_source, claim_source


def recurrence(ways: int) -> Recurrence:
    layer = Layer(name="fc", synapse=Linear(weight=np.ones((4, 4), np.int64), weight_bits=4),
                  recurrent=Linear(weight=np.ones((4, 4), np.int64), weight_bits=4),
                  neuron=Neuron(decay=1, decay_fraction=1, threshold=3))
    spec = NetworkSpec(input_shape=(4,), timesteps=3, layers=(layer,))
    folding = Folding(default=LayerFolding(lanes=4, units=2, ways=ways))
    return Recurrence(layer_plans(spec, folding)[0])


def joins(claims: Claims, dut: Recurrence, inside: Module):
    m, i, own, o = claims.m, dut.i, dut.own, dut.o
    assume_source(claims, i)
    assume_source(claims, own)
    claim_source(claims, o)
    #: Whether it is the inference's first timestep, whose beats come now, and if it is the last.
    later, from_own, last = Signal(), Signal(), Signal()
    moved = o.valid & o.ready
    ends = moved & Mux(from_own, own.payload.tick, i.payload.tick & ~later)
    ending = Mux(from_own, last, i.payload.last)
    with m.If(moved & ~from_own & i.payload.tick):
        m.d.sync += [from_own.eq(later), last.eq(i.payload.last)]
    with m.If(ends):
        m.d.sync += [from_own.eq(0), later.eq(~ending)]

    claims.always("takes a beat from one of them when one leaves",
                  (i.ready == (o.ready & ~from_own)) & (own.ready == (o.ready & from_own)))
    claims.always("offers what it is offered", o.valid == Mux(from_own, own.valid, i.valid))
    base = dut.synapses.own_base
    for way in range(dut.synapses.ways):
        slot, below, back = (s.payload.slots[way] for s in (o, i, own))
        claims.always(f"passes events of way {way}",
                      ~o.valid | (slot.event == Mux(from_own, back.event, below.event)))
        address = Mux(from_own, back.address + base, below.address)
        claims.always(f"passes addresses of way {way}",
                      ~o.valid | ~slot.event | (slot.address == address[:len(slot.address)]))
    claims.always("ticks when both have", ~moved | (o.payload.tick == ends))
    claims.always("ends with the one from below", ~ends | (o.payload.last == ending))

    # Strengthening: it knows where it is.
    claims.always("knows whose turn it is", dut.from_own == from_own)
    claims.always("knows the first timestep", internal(inside, "later") == later)
    claims.always("knows the last", ~from_own | (internal(inside, "last") == last))


@pytest.mark.parametrize("ways", [1, 2])
def test_every_beat_passes_once_and_timesteps_tick_once(ways):
    prove(recurrence(ways), joins, steps=4)
    assert_offers_without_asking(recurrence(ways))
