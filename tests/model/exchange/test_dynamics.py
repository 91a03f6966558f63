"""snnTorch's own modules against the contract: equal, where every value is representable."""

from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snntorch._neurons.neurons import SpikingNeuron
from torch import nn

from spikewright.gen import Readout, ReadoutKind, Reset, simulate
from spikewright.model import compile, quantise
from spikewright.model.exchange.dynamics import float_layers
from spikewright.model.nets import unroll
from spikewright.model.readouts import scores
from spikewright.model.surrogates import build

#: snnTorch's annotations allow neither tensors nor numbers other than bool.
Leaky: Any = snn.Leaky
Lapicque: Any = snn.Lapicque
Synaptic: Any = snn.Synaptic
RLeaky: Any = snn.RLeaky
RSynaptic: Any = snn.RSynaptic

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
    "if": (lambda reset: Leaky(beta=1, threshold=1.5, reset_mechanism=reset, init_hidden=True,
                               spike_grad=build("atan")), 1.0),
    "synaptic": (lambda reset: Synaptic(alpha=0.5, beta=0.75, threshold=1.5, reset_mechanism=reset,
                                        init_hidden=True, spike_grad=build("atan")), 1.0),
    "rleaky": (None, 1.0),
    "rleaky-one-to-one": (None, 1.0),
    "rsynaptic": (None, 1.0),
    "rsynaptic-one-to-one": (None, 1.0),
}


def _recurrent(kind, reset, neurons, rng):
    """Weights in quarters from each neuron to all, or in sixteenths to itself."""
    options: dict[str, Any] = {
        "beta": 0.75, "threshold": 1.5, "reset_mechanism": reset, "init_hidden": True,
        "spike_grad": build("atan"), "all_to_all": not kind.endswith("one-to-one"),
    }
    if options["all_to_all"]:
        options["linear_features"] = neurons
    else:
        options["V"] = torch.from_numpy(rng.integers(-8, 9, neurons) / 16).float()
    synaptic = kind.startswith("rsynaptic")
    neuron = RSynaptic(alpha=0.5, **options) if synaptic else RLeaky(**options)
    if options["all_to_all"]:
        with torch.no_grad():
            weight = rng.integers(-8, 8, (neurons, neurons)) * STEP
            neuron.recurrent.weight.copy_(torch.from_numpy(weight))
            neuron.recurrent.bias.copy_(torch.from_numpy(rng.integers(-8, 9, neurons) / 16))
    return neuron


def _neuron(kind, reset, neurons, rng):
    make, _ = NEURONS[kind]
    if make is not None:
        return make(reset)
    if kind.startswith("r"):
        return _recurrent(kind, reset, neurons, rng)
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
        modules += [linear, _neuron(kind, reset, neurons, rng)]
    return nn.Sequential(*modules)


def _exact(kind):
    """Options that make every number of the net a whole number of steps."""
    gain = NEURONS[kind][1]
    return {"steps": [STEP * gain] * 2, "bits": 4, "weight_shift": 14, "decay_fraction": 2}


def _membranes(net, x):
    """Spikes and membranes of every neuron module, as snnTorch returns them."""
    spikes, membranes = [], []
    for module in net:
        if not isinstance(module, SpikingNeuron):
            x = module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            continue
        for state in ("mem", "syn", "spk"):
            if hasattr(module, state):
                setattr(module, state, torch.zeros_like(x[0]))
        pairs = [(module(current), torch.clone(module.mem)) for current in x]
        x = torch.stack([s for s, _ in pairs])
        spikes.append(x)
        membranes.append(torch.stack([m for _, m in pairs]))
    return spikes, membranes


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", NEURONS)
@settings(deadline=None, max_examples=10)
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
        s, m = (part[layer].transpose(0, 1).flatten(2).numpy() for part in theirs)
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
    for out in (unroll(net, x).votes, quantised(x)):
        ((out - target) ** 2).sum().backward()
    gain = NEURONS[kind][1]
    for linear, layer in zip((net[0], net[2]), quantised.layers, strict=True):
        for name in ("weight", "bias"):
            theirs, ours = getattr(linear, name).grad, getattr(layer, name).grad
            assert theirs.abs().max() > 0
            # The float net's parameters stand before the input gain, ours behind it.
            torch.testing.assert_close(ours.float() * gain, theirs, rtol=1e-4, atol=1e-5)


def _maps(pool, rng):
    """Convolutions of every geometry between poolings, with a threshold for each channel."""
    net = nn.Sequential(
        nn.Unflatten(1, (2, 7, 6)),
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), groups=2),
        Leaky(beta=0.75, threshold=torch.tensor([0.5, 1, 1.5, 2]).reshape(4, 1, 1),
              reset_mechanism="subtract", init_hidden=True),
        pool(2, stride=(1, 2)), nn.Conv2d(4, 3, 2, padding=1), Synaptic(0.5, 0.5, init_hidden=True),
        pool((2, 1)), nn.Flatten(), nn.Linear(18, 2),
        Leaky(beta=0.5, reset_mechanism="none", init_hidden=True),
    )
    with torch.no_grad():
        for module in net:
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                weight, bias = (rng.integers(-8, 8, tuple(part.shape)) / 4
                                for part in (module.weight, module.bias))
                module.weight.copy_(torch.from_numpy(weight))
                module.bias.copy_(torch.from_numpy(bias / 4))
    return net


@pytest.mark.parametrize("pool", [nn.AvgPool2d, nn.MaxPool2d])
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.1, 0.9))
def test_maps_and_membrane_readout_reproduce_snntorch(pool, seed, rate):
    rng = np.random.default_rng(seed)
    net = _maps(pool, rng)
    spikes = rng.random((3, TIMESTEPS, 2 * 7 * 6)) < rate
    # Average pooling divides by 4 and by 2, which the weights behind it take in.
    area = [1, 4, 2] if pool is nn.AvgPool2d else [1, 1, 1]
    readout = Readout(kind=ReadoutKind.MEMBRANE)
    spec = compile(net, (2, 7, 6), TIMESTEPS, readout=readout, bits=4, weight_shift=14,
                   decay_fraction=2, steps=[STEP / n for n in area])
    trace = simulate(spec, spikes, engine="golden", membranes=True)
    assert trace.membranes is not None
    with torch.no_grad():
        x = torch.from_numpy(spikes).float().transpose(0, 1)
        theirs = _membranes(net, x)
        votes = unroll(net, x, readout=readout).votes
    for layer, n in enumerate(area):
        s, m = (part[layer].transpose(0, 1).flatten(2).numpy() for part in theirs)
        if layer < 2:  # The last never fires here.
            assert (s == trace.spikes[layer]).all()
        assert (m.astype(np.float64) == trace.membranes[layer] * (STEP / n / 2**14)).all()
    assert (scores(readout, votes).numpy() == trace.scores * (STEP / area[2] / 2**14)).all()


def test_weights_behind_average_pooling_are_trained_as_the_float_net_has_them():
    net: Any = _maps(nn.AvgPool2d, np.random.default_rng(5))
    module = quantise(net, (2, 7, 6), TIMESTEPS, weight_shift=14, decay_fraction=2,
                      steps=[STEP, STEP / 4, STEP / 2]).trainable()
    x = torch.from_numpy(np.random.default_rng(5).random((TIMESTEPS, 8, 84)) < 0.4).float()
    for votes in (unroll(net, x).votes, module(x)):
        votes.sum().backward()
    for synapse, layer in zip((net[1], net[4], net[8]), module.layers, strict=True):
        for name in ("weight", "bias"):
            theirs, ours = getattr(synapse, name), getattr(layer, name)
            assert torch.equal(theirs, ours.to(theirs.dtype))
            torch.testing.assert_close(ours.grad.float(), theirs.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("beta", "decay"), [(0.9, 1 + np.log(0.9)), (0.24, 1 + np.log(0.24))])
def test_lapicque_with_beta_alone(beta, decay):
    linear = nn.Linear(2, 3)
    (layer,) = float_layers(nn.Sequential(linear, Lapicque(beta=beta, time_step=3)), (2,))
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
    (layer,) = float_layers(nn.Sequential(nn.Linear(1, 1), make()), (1,))
    assert layer.reset is reset


def test_leaky_clamps_beta():
    (layer,) = float_layers(nn.Sequential(nn.Linear(1, 1), Leaky(1.7)), (1,))
    assert layer.decay.tolist() == [1]
