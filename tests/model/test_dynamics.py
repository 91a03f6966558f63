"""snnTorch's own modules against the contract: equal, where every value is representable."""

from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Reset, simulate
from spikewright.model import compile, quantise
from spikewright.model.dynamics import float_layers
from spikewright.model.nets import unroll
from spikewright.model.surrogates import build

#: snnTorch's annotations allow neither tensors nor numbers other than bool.
Leaky: Any = snn.Leaky
Lapicque: Any = snn.Lapicque

TIMESTEPS = 6
FAN_IN, HIDDEN, OUT = 5, 4, 3
STEP = 0.25

RESETS = ["subtract", "zero", "none"]
#: (neuron, input gain): every decay is a multiple of 1/4, so six timesteps need 12 fraction bits.
NEURONS = {
    "leaky": (lambda reset: Leaky(beta=0.75, threshold=1.5, reset_mechanism=reset,
                                      init_hidden=True, spike_grad=build("atan")), 1.0),
    "leaky-no-delay": (lambda reset: Leaky(beta=0.5, threshold=1.5, reset_mechanism=reset,
                                               init_hidden=True, reset_delay=False,
                                               spike_grad=build("atan")), 1.0),
    "leaky-per-neuron": (None, 1.0),
    "lapicque": (lambda reset: Lapicque(R=1, C=4, threshold=1.5, reset_mechanism=reset,
                                            init_hidden=True, spike_grad=build("atan")), 0.25),
    "lapicque-signed": (lambda reset: Lapicque(R=2, C=2, time_step=6, threshold=1.5,
                                                   reset_mechanism=reset, init_hidden=True,
                                                   spike_grad=build("atan")), 3.0),
}


def _neuron(kind, reset, neurons):
    make, _ = NEURONS[kind]
    if make is not None:
        return make(reset)
    quarters = torch.arange(neurons) % 4 / 4
    return Leaky(beta=quarters, threshold=1 + quarters, learn_beta=True, learn_threshold=True,
                     reset_mechanism=reset, init_hidden=True, spike_grad=build("atan"))


def _net(kind, reset, rng):
    """Weights of four bits in quarters, biases in sixteenths."""
    modules = []
    for fan_in, neurons in ((FAN_IN, HIDDEN), (HIDDEN, OUT)):
        linear = nn.Linear(fan_in, neurons)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(rng.integers(-8, 8, (neurons, fan_in)) * STEP))
            linear.bias.copy_(torch.from_numpy(rng.integers(-8, 9, neurons) / 16))
        modules += [linear, _neuron(kind, reset, neurons)]
    return nn.Sequential(*modules)


def _exact(kind):
    """Options that make every number of the net a whole number of steps."""
    gain = NEURONS[kind][1]
    return {"steps": [STEP * gain] * 2, "bits": 4, "weight_shift": 14, "decay_fraction": 2}


def _membranes(net, x):
    """Spikes and membranes of every neuron module, as snnTorch returns them."""
    spikes, membranes = [], []
    for module in net:
        if isinstance(module, nn.Linear):
            x = module(x)
            continue
        module.mem = torch.zeros_like(x[0])
        pairs = [(module(current), module.mem.clone()) for current in x]
        x = torch.stack([s for s, _ in pairs])
        spikes.append(x)
        membranes.append(torch.stack([m for _, m in pairs]))
    return spikes, membranes


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", NEURONS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.1, 0.9))
def test_integers_reproduce_snntorch(kind, reset, seed, rate):
    rng = np.random.default_rng(seed)
    net = _net(kind, reset, rng)
    spikes = rng.random((3, TIMESTEPS, FAN_IN)) < rate
    spec = compile(net, (FAN_IN,), TIMESTEPS, **_exact(kind))
    trace = simulate(spec, spikes, engine="golden", membranes=True)
    assert trace.membranes is not None
    step = _exact(kind)["steps"][0] / 2**14
    with torch.no_grad():
        theirs = _membranes(net, torch.from_numpy(spikes).float().transpose(0, 1))
    for layer in range(2):
        s, m = (part[layer].transpose(0, 1).numpy() for part in theirs)
        assert (s == trace.spikes[layer]).all()
        assert (m.astype(np.float64) == trace.membranes[layer] * step).all()


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", NEURONS)
def test_gradients_through_integers_are_snntorchs(kind, reset):
    """Where rounding changes nothing, training through the integers is training the float net."""
    rng = np.random.default_rng(7)
    net = _net(kind, reset, rng)
    x = torch.from_numpy(rng.random((TIMESTEPS, 8, FAN_IN)) < 0.4).float()
    target = torch.from_numpy(rng.random((TIMESTEPS, 8, OUT))).float()
    quantised = quantise(net, (FAN_IN,), TIMESTEPS, **_exact(kind)).trainable()
    for out in (unroll(net, x), quantised(x)):
        ((out - target) ** 2).sum().backward()
    gain = NEURONS[kind][1]
    for linear, layer in zip((net[0], net[2]), quantised.layers, strict=True):
        for name in ("weight", "bias"):
            theirs, ours = getattr(linear, name).grad, getattr(layer, name).grad
            assert theirs.abs().max() > 0
            # The float net's parameters stand before the input gain, ours behind it.
            torch.testing.assert_close(ours.float() * gain, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("beta", "decay"), [(0.9, 1 + np.log(0.9)), (0.24, 1 + np.log(0.24))])
def test_lapicque_with_beta_alone(beta, decay):
    linear = nn.Linear(2, 3)
    (layer,) = float_layers(nn.Sequential(linear, Lapicque(beta=beta, time_step=3)))
    np.testing.assert_allclose(layer.decay, decay, rtol=1e-5)
    np.testing.assert_allclose(layer.weight, linear.weight.detach() * -np.log(beta), rtol=1e-5)
    np.testing.assert_allclose(layer.bias, linear.bias.detach() * -np.log(beta), rtol=1e-5)


@pytest.mark.parametrize(("make", "reset"), [
    (lambda: Leaky(0.5, reset_mechanism="zero"), Reset.ZERO_KEEP_INPUT),
    (lambda: Lapicque(0.5, reset_mechanism="zero"), Reset.ZERO_DROP_INPUT),
    (lambda: Leaky(0.5), Reset.SUBTRACT),
    (lambda: Lapicque(0.5, reset_mechanism="none"), Reset.NONE),
])
def test_reset_names(make, reset):
    (layer,) = float_layers(nn.Sequential(nn.Linear(1, 1), make()))
    assert layer.reset is reset


def test_leaky_clamps_beta():
    (layer,) = float_layers(nn.Sequential(nn.Linear(1, 1), Leaky(1.7)))
    assert layer.decay.tolist() == [1]
