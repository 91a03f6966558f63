import math

import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen.errors import RecipeError
from spikewright.model import nets
from spikewright.model.readouts import SPIKE_COUNT
from spikewright.model.recipe import Recipe
from spikewright.model.scan import over_time
from spikewright.model.surrogates import build
from spikewright.model.training import sparse_gradient
from spikewright.model.training.sparse_gradient import banded, linear_over_time, skips

#: Sums of float32 in another order.
TOLERANCE = 1e-5

NEURONS = {
    "leaky": lambda spike: snn.Leaky(beta=0.8, spike_grad=spike, init_hidden=True),
    "integrator": lambda spike: snn.Leaky(beta=1.0, spike_grad=spike, init_hidden=True),
    "no reset": lambda spike: snn.Leaky(beta=0.7, spike_grad=spike, init_hidden=True,
                                        reset_mechanism="none", reset_delay=False),
    "lapicque": lambda spike: snn.Lapicque(R=2, C=3, spike_grad=spike, init_hidden=True),
    "synaptic": lambda spike: snn.Synaptic(alpha=0.6, beta=0.8, spike_grad=spike,
                                           init_hidden=True),
}


def _gradients(run, linear, x, weights):
    linear.zero_grad()
    x = x.clone().requires_grad_()
    (run(x)[0] * weights).sum().backward()
    return [x.grad, *(p.grad for p in linear.parameters())]


def _close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() <= TOLERANCE * max(1.0, float(b.abs().max()))


@pytest.fixture
def every_layer(monkeypatch):
    """Layers of tests are small, but the sparse way is what is tested."""
    monkeypatch.setattr(sparse_gradient, "break_even", lambda rows, neurons: 1.0)


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("band", [0.05, 0.5, math.inf])
def test_gradients_are_the_dense_ones_inside_the_band(kind, bias, band, every_layer):
    torch.manual_seed(0)
    spike = build("fast_sigmoid", slope=5)
    linear, neuron = nn.Linear(30, 20, bias=bias), NEURONS[kind](banded(spike, band))
    with torch.no_grad():
        linear.weight *= 4
    # More rows than are multiplied at a time.
    x = (torch.rand(7, 50, 30) < 0.3).float()
    weights = torch.randn(7, 50, 20)
    assert skips(linear, neuron, x)
    ours = _gradients(lambda x: linear_over_time(linear, neuron, x), linear, x, weights)
    theirs = _gradients(lambda x: over_time(neuron, linear(x)), linear, x, weights)
    _close(ours, theirs)
    assert all(gradient.any() for gradient in ours)
    if band == math.inf:
        plain = NEURONS[kind](spike)
        _close(ours, _gradients(lambda x: over_time(plain, linear(x)), linear, x, weights))


@given(band=st.floats(1e-3, 3), steps=st.integers(1, 6), batch=st.integers(1, 5),
       seed=st.integers(0, 1000), share=st.sampled_from([0.0, 1.0]))
@settings(max_examples=40, deadline=None)
def test_sparse_and_dense_products_agree(band, steps, batch, seed, share):
    torch.manual_seed(seed)
    linear = nn.Linear(5, 70)
    neuron = NEURONS["leaky"](banded(build("atan"), band))
    x, weights = torch.randn(steps, batch, 5), torch.randn(steps, batch, 70)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_gradient, "break_even", lambda rows, neurons: share)
        ours = _gradients(lambda x: linear_over_time(linear, neuron, x), linear, x, weights)
    _close(ours, _gradients(lambda x: over_time(neuron, linear(x)), linear, x, weights))


def test_membranes_have_gradients_too(every_layer):
    linear, neuron = nn.Linear(6, 4), NEURONS["leaky"](banded(build("atan"), 0.3))
    x = torch.rand(5, 3, 6)

    def gradients(run):
        linear.zero_grad()
        spikes, membranes = run()
        (spikes.sum() + membranes.square().sum()).backward()
        return [p.grad for p in linear.parameters()]

    _close(gradients(lambda: linear_over_time(linear, neuron, x)),
           gradients(lambda: over_time(neuron, linear(x))))


FIELDS = {
    "encoding": {"timesteps": 5},
    "net": {"hidden": [80, 70], "beta": 0.8},
    "training": {"gradient_band": 0.1, "gain": 4},
}


def test_nets_of_a_recipe_take_the_sparse_way(monkeypatch, every_layer):
    torch.manual_seed(0)
    net = nets.build(Recipe.check(FIELDS, "test"), (1, 4, 4), 2)
    x = (torch.rand(5, 6, 16) < 0.5).float()
    calls = []
    monkeypatch.setattr(sparse_gradient.compressed, "by_neuron",
                        lambda *a, real=sparse_gradient.compressed.by_neuron:
                        calls.append(a) or real(*a))

    def gradients():
        net.zero_grad()
        activity = nets.unroll(net, x, readout=SPIKE_COUNT)
        activity.votes.square().sum().backward()
        return [activity.votes.detach(), *(p.grad for p in net.parameters())]

    ours = gradients()
    assert len(calls) == 3
    monkeypatch.setattr(sparse_gradient, "skips", lambda *_: False)
    _close(ours, gradients())
    assert ours[1].any()


@pytest.mark.parametrize(("part", "change", "message"), [
    ("surrogate", {"forward": "smooth"}, "smooth"),
    ("net", {"hidden": ["4c3", 8]}, "fully connected"),
    ("net", {"reset_mechanism": "zero"}, "subtract"),
    ("net", {"reset_delay": False}, "reset_delay"),
    ("net", {"neuron": "rleaky"}, "leaky"),
])
def test_recipes_that_would_skip_nothing_are_refused(part, change, message):
    fields = {**FIELDS, part: {**FIELDS.get(part, {}), **change}}
    with pytest.raises(RecipeError, match=message):
        Recipe.check(fields, "test")
