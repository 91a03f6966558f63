import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Reset,
    SpikewrightError,
    SumPool2d,
    simulate,
)
from spikewright.gen.arithmetic import Rounding
from spikewright.gen.engines.golden import current

from .strategies import FEATURES, networks, spike_trains

#: Neither leak nor reset: after one timestep the membrane is the sum.
IF = Neuron(decay=1, decay_fraction=0, threshold=1000, reset=Reset.NONE)


@settings(deadline=None)
@given(st.data())
def test_nothing_leaves_its_bounds(data):
    spec = data.draw(networks(features=FEATURES))
    signals = data.draw(spike_trains(spec, 8))
    trace = simulate(spec, signals, engine="golden", membranes=True)
    timesteps = spec.steps(signals)
    for layer, bounds, reaching, spikes, membranes in zip(
        spec.layers, spec.bounds, [signals, *trace.spikes[:-1]], trace.spikes, trace.membranes,
        strict=True,
    ):
        assert within(membranes, bounds.membrane)
        shape = (8, timesteps, layer.neurons)
        sums = np.broadcast_to(layer.synapse.apply(layer.pooled(reaching)), shape)
        before = np.pad(spikes, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        own = 0 if layer.recurrent is None else layer.recurrent.apply(before)
        together = isinstance(layer.recurrent, Linear)
        assert within(sums + own if together else sums, bounds.sums)
        assert (bounds.currents is None) == (layer.neuron.synapse_decay is None)
        i = np.zeros((8, layer.neurons), np.int64)
        for t in range(timesteps):
            i = current(layer.neuron, i, (sums + own + layer.neuron.bias)[:, t])
            assert bounds.currents is None or within(i, bounds.currents)


def within(values, ends):
    return ends[0] <= values.min() and values.max() <= ends[1]


def all_inputs(*shape, values=2):
    """Every input of (timesteps, inputs)."""
    size = int(np.prod(shape))
    return np.array(list(itertools.product(range(values), repeat=size))).reshape(-1, *shape)


@pytest.mark.parametrize("layer", [
    Layer(name="conv", neuron=IF, synapse=Conv2d(
        weight=[[[[3, -1], [-2, 5]]], [[[-4, 1], [1, 0]]]], weight_bits=4, weight_shift=1,
        input_shape=(1, 3, 2), padding=1, stride=2)),
    Layer(name="groups", neuron=IF, synapse=Conv2d(
        weight=[[[[3]]], [[[-4]]], [[[5]]], [[[-7]]]], weight_bits=4, input_shape=(2, 2, 1),
        groups=2)),
    Layer(name="pooled", neuron=IF, synapse=Linear(weight=[[1, -3], [2, 7]], weight_bits=4),
          pool=SumPool2d(input_shape=(2, 2, 1), kernel=(2, 1))),
    Layer(name="dropped", neuron=IF, synapse=Linear(weight=[[3]], weight_bits=4),
          pool=SumPool2d(input_shape=(1, 3, 1), kernel=(2, 1))),
])
@pytest.mark.parametrize("most", [1, 3])
def test_sums_are_reached_by_some_input(layer, most):
    spec = NetworkSpec(input_shape=layer.input_shape, layers=(layer,), timesteps=1,
                       input=Input(kind=InputKind.COUNTS, bits=most.bit_length()))
    inputs = all_inputs(1, layer.inputs, values=most + 1)
    sums = layer.synapse.apply(layer.pooled(inputs))
    assert spec.bounds[0].sums == (min(0, sums.min()), max(0, sums.max()))
    membranes = simulate(spec, inputs, engine="golden", membranes=True).membranes[0]
    assert spec.bounds[0].membrane == (min(0, membranes.min()), max(0, membranes.max()))


def test_currents_and_membranes_are_reached_by_some_input():
    layer = Layer(
        name="fc",
        synapse=Linear(weight=[[1, -4]], weight_bits=4),
        neuron=Neuron(decay=3, decay_fraction=2, threshold=30, bias=1, synapse_decay=1,
                      synapse_decay_fraction=1),
    )
    spec = NetworkSpec(input_shape=(2,), layers=(layer,), timesteps=4)
    inputs = all_inputs(4, 2)
    membranes = simulate(spec, inputs, engine="golden", membranes=True).membranes[0]
    assert spec.bounds[0].membrane == (membranes.min(), membranes.max())
    i, seen = np.zeros((len(inputs), 1), np.int64), []
    for t in range(4):
        i = current(layer.neuron, i, layer.synapse.apply(inputs[:, t]) + 1)
        seen.append(i)
    assert spec.bounds[0].currents == (np.min(seen), np.max(seen))


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_bounds_are_reached_by_some_input(reset, delay):
    """All 2⁹ inputs of three timesteps through a neuron whose membrane gets one step finer input
    each: the proven range is the exact one, not a wider guess."""
    layer = Layer(
        name="fc",
        synapse=Linear(weight=[[1, 2, -4]], weight_bits=4),
        neuron=Neuron(decay=3, decay_fraction=2, threshold=2, reset=reset, reset_delay=delay,
                      rounding=Rounding.NEAREST),
    )
    spec = NetworkSpec(input_shape=(3,), layers=(layer,), timesteps=3)
    membranes = simulate(spec, all_inputs(3, 3), engine="golden", membranes=True).membranes[0]
    bounds = spec.bounds[0].membrane
    assert bounds[0] == membranes.min()
    # m without delay stays at or below θ, while the bound also covers u before the reset.
    if delay or reset is Reset.NONE:
        assert bounds[1] == membranes.max()
    else:
        assert bounds[1] >= membranes.max()


def test_a_membrane_that_explodes_is_refused_with_the_layer_and_the_remedy():
    layer = Layer(
        name="wild",
        synapse=Linear(weight=[[7]], weight_bits=4),
        neuron=Neuron(decay=4, decay_fraction=0, threshold=1, reset=Reset.NONE),
    )
    with pytest.raises(SpikewrightError, match=r"layer wild: .* set membrane_bits"):
        NetworkSpec(input_shape=(1,), layers=(layer,), timesteps=100)


def test_a_current_that_outgrows_every_word_is_refused():
    """A reset that drops the input keeps the membrane small, not the current."""
    layer = Layer(
        name="hoard",
        synapse=Linear(weight=[[1]], weight_bits=2),
        neuron=Neuron(decay=0, decay_fraction=0, threshold=1, reset=Reset.ZERO_DROP_INPUT,
                      bias=1 << 30, synapse_decay=1, membrane_bits=8),
    )
    with pytest.raises(SpikewrightError, match=r"layer hoard: currents may .* lower synapse_decay"):
        NetworkSpec(input_shape=(1,), layers=(layer,), timesteps=1000)
