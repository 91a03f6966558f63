"""The cycle model with gradients: its values are the cycle model's, its gradients lead downhill."""

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Conv2d, Folding, Layer, Linear, NetworkSpec, Neuron, simulate
from spikewright.gen.cycles import timeline
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.traffic import LayerTraffic
from spikewright.model import surrogates
from spikewright.model.quantisation.net import QuantizedNet
from spikewright.model.training.latency import Latency, cycles

from ...gen.strategies import networks
from ...gen.timing import random_design


def _by_time(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array.swapaxes(0, 1))).float()


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 1 << 32))
def test_value_equals_the_cycle_model(seed):
    design = random_design(seed, samples=5)
    trace = simulate(design.spec, design.signals, engine="cycles", folding=design.folding)
    latency = Latency(design.spec, design.folding)
    found = latency(_by_time(design.signals), [_by_time(fired) for fired in trace.spikes])
    assert found.tolist() == trace.cycles.tolist(), design


@st.composite
def crowds(draw, plans, timesteps, samples=4):
    """Beats of every layer, (timesteps, samples) from below and of its own, that some spikes might
    have."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))

    def some():
        return rng.integers(0, rng.choice([2, 20, 60]), (timesteps, samples))

    return [LayerTraffic(some(), some() if isinstance(plan.layer.recurrent, Linear) else None)
            for plan in plans]


def _tensors(crowd, **options):
    return [tuple(None if each is None else torch.tensor(each, dtype=torch.float64, **options)
                  for each in (layer.below, layer.own)) for layer in crowd]


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_gradients_are_subgradients_where_sums_are_in_registers(data):
    """A convex function lies above all of its tangents."""
    spec = data.draw(networks(features={"recurrent", "synaptic", "one_to_one"}))
    plans = layer_plans(spec, Folding(default=LayerFolding(
        units=1, ways=data.draw(st.integers(1, 3)))))
    here = data.draw(crowds(plans, spec.timesteps))
    beats = _tensors(here, requires_grad=True)
    value = cycles(plans, beats)
    assert value.tolist() == timeline(plans, here).cycles.tolist()
    value.sum().backward()
    there = _tensors(data.draw(crowds(plans, spec.timesteps)))
    climb = torch.zeros_like(value)
    for before, after in zip(chain(*beats), chain(*there), strict=True):
        if before is not None and after is not None and before.grad is not None:
            climb += ((after - before).detach() * before.grad).sum(0)
    assert (cycles(plans, there) >= value + climb - 1e-9).all()


def _convolutions():
    """1 → 4 → 4 channels on 6 × 6 maps, the second of which takes four cycles an event."""
    rng = np.random.default_rng(0)
    layers = [
        Layer(
            name=f"conv{n}",
            synapse=Conv2d(weight=rng.integers(-2, 6, (4, channels, 3, 3)), weight_bits=4,
                           input_shape=(channels, 6, 6), padding=1),
            neuron=Neuron(decay=3, decay_fraction=2, threshold=12),
        ) for n, channels in enumerate([1, 4])
    ]
    spec = NetworkSpec(input_shape=(1, 6, 6), layers=layers, timesteps=6)
    folding = Folding.each(LayerFolding(), LayerFolding(lanes=1), spec=spec)
    return spec, folding, rng.random((8, 6, 36)) < 0.3


def test_training_on_cycles_alone_lowers_them():
    spec, folding, signals = _convolutions()
    net = QuantizedNet(spec, [surrogates.build("atan")] * 2, [np.full(1, 0.1)] * 2)
    latency, x = Latency(spec, folding), _by_time(signals)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    for _ in range(20):
        taken = latency(x, net.activity(x).spikes)
        optimizer.zero_grad()
        taken.mean().backward()
        optimizer.step()
    before, after = (simulate(s, signals, engine="cycles", folding=folding).cycles
                     for s in (spec, net.spec()))
    assert after.mean() < 0.9 * before.mean()


@pytest.mark.parametrize("busy", [0, 1])
def test_only_what_is_waited_for_is_paid_for(busy, small_net):
    """Of two layers, the one with many beats gets the gradient of all timesteps, the other that of
    the one which it cannot do meanwhile: its first or its last."""
    beats = [(torch.full((5, 1), 50.0 if n == busy else 3.0, dtype=torch.float64,
                         requires_grad=True), None) for n in range(2)]
    cycles(layer_plans(small_net, Folding()), beats).sum().backward()
    expected = [[[1] * 5, [0, 0, 0, 0, 1]], [[1, 0, 0, 0, 0], [1] * 5]][busy]
    assert [below.grad.flatten().tolist() for below, _ in beats] == expected
