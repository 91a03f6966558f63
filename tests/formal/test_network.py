"""Layers and networks: every timestep that enters is swept once, every inference answered once."""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal

from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.layer import SpikingLayer
from spikewright.gen.rtl.network import Network

from .prover import Claims, prove
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_source


def net(layers: int, neurons: int, recurrent: bool = False) -> NetworkSpec:
    def linear(count, inputs):
        return Linear(weight=np.ones((count, inputs), np.int64), weight_bits=2)

    return NetworkSpec(input_shape=(1,), timesteps=2, layers=tuple(
        Layer(name=f"fc{n}", synapse=linear(neurons, neurons if n else 1),
              recurrent=linear(neurons, neurons) if recurrent else None,
              neuron=Neuron(decay=1, decay_fraction=1, threshold=1))
        for n in range(layers)))


def answers_timesteps(claims: Claims, dut: SpikingLayer, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    for slot in i.payload.slots:
        claims.assume(slot.address == 0)
    # At most seven timesteps are under way; which of them end the inference.
    entering, leaving, ending = Signal(3), Signal(3), Signal(8)
    with m.If(i.valid & i.ready & i.payload.tick):
        m.d.sync += [entering.eq(entering + 1), ending.bit_select(entering, 1).eq(i.payload.last)]
    with m.If(o.valid & o.end):
        m.d.sync += leaving.eq(leaving + 1)
    held = Signal(3)
    m.d.comb += held.eq(entering - leaving)
    claims.always("sweeps what came", ~o.valid | (held != 0))
    claims.always("holds few timesteps", held < 6)
    claims.always("ends with the inference",
                  ~o.valid | (o.last == ending.bit_select(leaving, 1)))
    step = Signal(range(dut.plan.steps + 1))
    with m.If(o.valid):
        m.d.sync += step.eq(Mux(o.end, 0, step + 1))
    claims.always("sweeps whole timesteps", ~o.valid | (
        (o.step == step) & (o.end == (step == dut.plan.steps - 1))))


def layer(neurons: int, lanes: int, recurrent: bool) -> SpikingLayer:
    folding = Folding(default=LayerFolding(lanes=lanes))
    return SpikingLayer(layer_plans(net(1, neurons, recurrent), folding)[0])


def test_every_timestep_is_swept_once():
    prove_unbounded(layer(1, 1, False), answers_timesteps)


@pytest.mark.slow
@pytest.mark.parametrize(("neurons", "lanes", "recurrent"), [(2, 1, False), (1, 1, True)])
def test_every_timestep_is_swept_once_in_the_first_cycles(neurons, lanes, recurrent):
    """Sums in memory, and spikes that come back, are too much for the search."""
    prove(layer(neurons, lanes, recurrent), answers_timesteps, steps=24, from_reset=True)


def answers_inferences(claims: Claims, dut: Network, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claims.assume(i.payload.slots[0].address == 0)
    claim_source(claims, o)
    ticks, held = Signal(range(dut.spec.timesteps + 1)), Signal(4)
    index = Signal(range(dut.spec.classes + 1))
    enters = i.valid & i.ready & i.payload.tick
    claims.assume(~i.valid | ~i.payload.tick | i.payload.last
                  | (ticks != dut.spec.timesteps - 1))
    leaves = o.valid & o.ready & (index == dut.spec.classes - 1)
    with m.If(enters):
        m.d.sync += ticks.eq(Mux(i.payload.last, 0, ticks + 1))
    with m.If(o.valid & o.ready):
        m.d.sync += index.eq(Mux(leaves, 0, index + 1))
    m.d.sync += held.eq(held + (enters & i.payload.last) - leaves)
    claims.always("answers what came", ~o.valid | (held != 0))
    claims.always("holds few inferences", held < 12)
    claims.always("answers class by class", ~o.valid | (
        (o.payload.index == index) & (o.payload.last == (index == dut.spec.classes - 1))))


def test_every_inference_is_answered_once():
    prove_unbounded(Network(net(1, 1), Folding(), counters=False), answers_inferences)


@pytest.mark.slow
def test_every_inference_of_two_layers_is_answered_once_in_the_first_cycles():
    dut = Network(net(2, 1), Folding(), counters=False)
    prove(dut, answers_inferences, steps=30, from_reset=True)


def test_an_inference_can_be_answered_while_others_wait():
    dut = Network(net(1, 1), Folding(), counters=False)
    assert_possible(dut, answers_inferences, lambda dut: (
        dut.o.valid & dut.o.ready & dut.i.valid & ~dut.i.ready))


def test_offers_without_asking():
    assert_offers_without_asking(Network(net(2, 2), Folding(), counters=False))
