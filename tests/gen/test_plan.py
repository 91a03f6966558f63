"""What is built of a folding: every refusal says what works, and what it says does work."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Folding,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
)
from spikewright.gen.errors import FoldingError
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.linear import LinearPlan
from spikewright.gen.plan import LANES_PER_UNIT, layer_plans

from .strategies import BUILT, foldings, networks

NEURON = Neuron(decay=1, decay_fraction=1, threshold=1)
CONV = Conv2d(weight=np.ones((4, 2, 3, 3)), weight_bits=2, input_shape=(2, 6, 6))


def linear(neurons: int, inputs: int) -> Linear:
    return Linear(weight=np.ones((neurons, inputs)), weight_bits=2)


def net(*layers: Layer) -> NetworkSpec:
    return NetworkSpec(input_shape=layers[0].input_shape, layers=layers, timesteps=2)


def two_linear() -> NetworkSpec:
    return net(Layer(name="hidden", synapse=linear(12, 8), neuron=NEURON),
               Layer(name="out", synapse=linear(5, 12), neuron=NEURON))


def conv_and_linear(**settings) -> NetworkSpec:
    """4 maps of 4 × 4 neurons, then 10 neurons."""
    return net(Layer(name="conv", synapse=CONV, neuron=NEURON, **settings),
               Layer(name="out", synapse=linear(10, 64), neuron=NEURON))


REFUSED = [
    (two_linear(), {"hidden": {"lanes": 13}}, {"lanes": 12},
     "layer hidden: 13 lanes for 12 neurons; allowed are 1 to 12"),
    (two_linear(), {"hidden": {"lanes": 0}}, {"lanes": 1},
     "layer hidden: 0 lanes for 12 neurons; allowed are 1 to 12"),
    (two_linear(), {"out": {"units": 0}}, {"units": 1},
     "layer out: 0 units; at least 1 is needed"),
    (two_linear(), {"out": {"lanes": 3, "units": 4}}, {"units": 3},
     "layer out: 4 units for 3 lanes; use at most 3"),
    (two_linear(), {"out": {"units": 6}}, {"units": 5},
     "layer out: 6 units for 5 lanes; use at most 5"),
    (two_linear(), {"hidden": {"ways": 0}}, {"ways": 1},
     "layer hidden: 0 ways; allowed are 1 to 64"),
    (two_linear(), {"hidden": {"ways": 65}}, {"ways": 64},
     "layer hidden: 65 ways; allowed are 1 to 64"),
    (two_linear(), {"out": {"banks": (1, 1)}}, {"banks": None},
     "layer out: banks are for convolutions; leave them out, or give ways"),
    (conv_and_linear(), {"conv": {"ways": 2}}, {"ways": 1},
     "layer conv: 2 ways; a convolution takes one event at a time; raise lanes or banks instead"),
    (conv_and_linear(), {"conv": {"storage": Storage.SPRAM}}, {"storage": Storage.FIXED},
     "layer conv: spram weights of a convolution are not built, because each bank has its own "
     "copy; use fixed or loadable"),
    (conv_and_linear(), {"conv": {"lanes": 3}}, {"lanes": 2},
     "layer conv: 3 lanes; a divisor of the 4 output channels of a group is needed, such as 2"),
    (conv_and_linear(), {"conv": {"banks": (4, 3)}}, {"banks": (3, 3)},
     "layer conv: 4 × 3 banks; one event reaches at most 3 × 3 positions, so more banks would "
     "idle; use 3 × 3"),
    (conv_and_linear(), {"conv": {"units": 7}}, {"units": 4},
     "layer conv: 7 units; 4 lanes, 3 banks in x allow 1, 2, 4, 12; use 4"),
    (two_linear(), {"hidden": {"slices": 0}}, {"slices": 1},
     "layer hidden: 0 slices for 12 lanes; allowed are 1 to 12"),
    (two_linear(), {"hidden": {"lanes": 3, "slices": 4}}, {"slices": 3},
     "layer hidden: 4 slices for 3 lanes; allowed are 1 to 3"),
    (conv_and_linear(), {"conv": {"slices": 3}}, {"slices": 2},
     "layer conv: 3 slices; a divisor of its 4 lanes and 4 units is needed, such as 2"),
    (conv_and_linear(), {"conv": {"units": 2, "slices": 4}}, {"slices": 2},
     "layer conv: 4 slices; a divisor of its 4 lanes and 2 units is needed, such as 2"),
    (conv_and_linear(), {"conv": {"slices": 0}}, {"slices": 1},
     "layer conv: 0 slices; a divisor of its 4 lanes and 4 units is needed, such as 1"),
    (conv_and_linear(), {"out": {"ways": 6}}, {"ways": 2},
     "layer conv: its rows of 4 spikes cannot be dealt out to 6 ways of the layer behind; give "
     "that a number of ways that divides 4, such as 2"),
]


@pytest.mark.parametrize(("spec", "given", "remedy", "message"), REFUSED)
def test_refusals(spec, given, remedy, message):
    """The exact message; and with what it proposes, the folding can be built."""
    ((name, numbers),) = given.items()
    refused = LayerFolding(**numbers)
    with pytest.raises(FoldingError, match=f"^{re.escape(message)}$"):
        layer_plans(spec, Folding(layers=((name, refused),)))
    layer_plans(spec, Folding(layers=((name, dataclasses.replace(refused, **remedy)),)))


def test_what_is_not_built():
    recurrent = conv_and_linear(recurrent=linear(64, 64))
    with pytest.raises(FoldingError, match=re.escape(
            "layer conv: an all-to-all recurrence of a convolution is not built; use OneToOne, or "
            "a Linear layer")):
        layer_plans(recurrent, Folding())
    layer_plans(conv_and_linear(recurrent=OneToOne(weight=1)), Folding())
    held = NetworkSpec(input_shape=(8,), timesteps=2, input=Input(kind=InputKind.CURRENT), layers=(
        Layer(name="hidden", synapse=linear(4, 8), neuron=NEURON, recurrent=linear(4, 4)),))
    with pytest.raises(FoldingError, match=re.escape(
            "layer hidden: an all-to-all recurrence on an input that is held is not built, because "
            "the held input's sums are not kept apart from the recurrence's; send the input in "
            "every timestep as counts, or make the layer behind it recurrent")):
        layer_plans(held, Folding())
    layer_plans(dataclasses.replace(held, input=Input(kind=InputKind.COUNTS)), Folding())
    behind = net(Layer(name="hidden", synapse=linear(16, 8), neuron=NEURON),
                 Layer(name="out", synapse=linear(5, 4), neuron=NEURON,
                       pool=MaxPool2d(input_shape=(1, 4, 4), kernel=2)))
    with pytest.raises(FoldingError, match=re.escape(
            "layer out: max pooling behind the linear layer hidden is not built; put it behind a "
            "convolution")):
        layer_plans(behind, Folding())


def test_a_slice_without_a_neuron_is_refused():
    """Units are rounded up to what the ways behind, and the slices, divide."""
    spec = net(Layer(name="hidden", synapse=linear(5, 8), neuron=NEURON),
               Layer(name="out", synapse=linear(5, 5), neuron=NEURON))

    def plans(slices):
        return layer_plans(spec, Folding.each(
            LayerFolding(slices=slices), LayerFolding(ways=4), spec=spec))

    with pytest.raises(FoldingError, match=r"^layer hidden: 3 slices of 4 units each, as the ways "
                                           r"behind ask for, leave some without any of the 5 "
                                           r"neurons; use 2$"):
        plans(3)
    assert [part.order.tolist() for part in plans(2)[0].slices] == [
        [[0, 1], [4, -1]], [[2, 3], [-1, -1]]]


def test_foldings_belong_to_a_network():
    spec = two_linear()
    with pytest.raises(FoldingError, match=r"^1 foldings for 2 layers; give one per layer$"):
        Folding.each(LayerFolding(), spec=spec)
    with pytest.raises(FoldingError, match=r"^folding names layer 'fc'; network snn has hidden, "
                                           r"out$"):
        layer_plans(spec, Folding(layers=(("fc", LayerFolding()),)))


def test_units_follow_lanes():
    """An eighth of the lanes, rounded up to what the ways behind divide."""
    assert LANES_PER_UNIT == 8
    spec = net(Layer(name="hidden", synapse=linear(100, 8), neuron=NEURON),
               Layer(name="out", synapse=linear(10, 100), neuron=NEURON))

    def units(lanes, ways):
        folding = Folding.each(LayerFolding(lanes=lanes), LayerFolding(ways=ways), spec=spec)
        return [plan.units for plan in layer_plans(spec, folding)]

    assert units(None, 1) == [13, 2]
    assert units(16, 1) == [2, 2]
    assert units(16, 5) == [5, 2]
    assert units(1, 4) == [4, 2]


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_plans_of_any_network(data):
    """Every neuron is swept once and reaches the layer behind under one address; the words hold
    what they have to."""
    spec = data.draw(networks(features=BUILT))
    plans = layer_plans(spec, data.draw(foldings(spec)))
    for n, (plan, bounds) in enumerate(zip(plans, spec.bounds, strict=True)):
        assert sorted(plan.order[plan.order >= 0]) == list(range(plan.layer.neurons))
        assert plan.order.shape == (plan.steps, plan.units)
        assert plan.padded == (plan.steps * plan.units > plan.layer.neurons)
        rows, leaving = plan.rows.order, plan.layer.neurons
        if n + 1 < len(plans):
            above = spec.layers[n + 1]
            leaving = above.synapse.inputs if isinstance(above.pool, MaxPool2d) else leaving
            assert (plans[n + 1].source.order == rows.reshape(-1)).all()
        assert sorted(rows[rows >= 0]) == list(range(leaving))
        assert plan.rows.last_step < plan.steps
        assert rows.shape[1] % plan.ways_out == 0
        synapses = plan.synapses
        assert synapses.units == plan.units
        assert sorted(unit for part in plan.slices for unit in part.members) == list(
            range(plan.units))
        for part in plan.slices:
            assert (part.order >= 0).any()
            assert part.units * len(plan.slices) == plan.units == len(plan.slices) * (
                part.synapses.units)
            assert part.synapses.lanes * len(plan.slices) == synapses.lanes
        if isinstance(synapses, LinearPlan):
            assert synapses.rows * synapses.lanes >= plan.layer.neurons
            assert synapses.lanes % synapses.units == 0
            assert synapses.sum_bits + synapses.sum_shift >= bounds.sum_bits
            words = [synapses.weight_words(way) for way in range(synapses.ways)]
            limit = 1 << (synapses.weight_bits - 1)
            assert -limit <= np.min(words) <= np.max(words) < limit
