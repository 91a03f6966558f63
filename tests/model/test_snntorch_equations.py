"""The contract's equations are snnTorch's: golden = snnTorch in float64, by equality.

Weights, biases and thresholds are multiples of 2¹⁶, and no inference lasts longer than 16 divided
by the fraction bits of the decays: no product of either side is ever rounded, so whatever differs
would be an equation.
"""

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import (
    Conv2d,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    SumPool2d,
    simulate,
)

torch.set_num_threads(1)

UNIT = 1 << 16
SUBTRACT = {"subtract": Reset.SUBTRACT, "none": Reset.NONE}
KEEP = {**SUBTRACT, "zero": Reset.ZERO_KEEP_INPUT}
DROP = {**SUBTRACT, "zero": Reset.ZERO_DROP_INPUT}


def real(values) -> torch.Tensor:
    return torch.tensor(np.array(values), dtype=torch.float64)


def spike(x: torch.Tensor) -> torch.Tensor:
    """snnTorch's own step, which otherwise answers in float32."""
    return (x > 0).to(x.dtype)


def loaded(module: nn.Module, **parameters) -> nn.Module:
    """``module`` in float64 with these parameters."""
    module = module.double()
    with torch.no_grad():
        for name, value in parameters.items():
            getattr(module, name).copy_(real(value))
    return module


def run_torch(modules, spikes) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and membranes (S, T, neurons) of the last of ``modules``; each neuron module keeps
    its own state."""
    out, membranes = [], []
    with torch.no_grad():
        for step in spikes.transpose(1, 0, 2):
            x = real(step)
            for module in modules:
                state = module(x)
                x = state[0] if isinstance(state, tuple) else state
            out.append(x.flatten(1).numpy())
            membranes.append(state[-1].flatten(1).numpy())
    return np.stack(out, axis=1), np.stack(membranes, axis=1)


def assert_equal(spec: NetworkSpec, modules, spikes) -> None:
    golden = simulate(spec, spikes, engine="golden", membranes=True)
    fired, membranes = run_torch(modules, spikes)
    assert (golden.spikes[-1] == fired).all()
    assert (golden.membranes[-1] == membranes).all()


@st.composite
def cases(draw):
    """Random numbers, and an inference short enough that no decay has to round."""
    bits = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    timesteps = 16 // bits
    spikes = rng.random((3, timesteps, 5)) < draw(st.sampled_from([0.2, 0.5, 0.9]))
    return bits, rng, spikes


def layer_and_linear(rng, neuron, recurrent=None):
    """4 neurons on 5 inputs, in the contract and in torch."""
    weight, bias = rng.integers(-8, 8, (4, 5)), rng.integers(-2, 3, 4)
    bias_of_recurrence = rng.integers(-1, 2, 4) if isinstance(recurrent, Linear) else 0
    layer = Layer(
        name="fc", synapse=Linear(weight=weight, weight_bits=4, weight_shift=16),
        neuron=Neuron(**neuron, bias=(bias + bias_of_recurrence) * UNIT), recurrent=recurrent,
    )
    linear = loaded(nn.Linear(5, 4), weight=weight * UNIT, bias=bias * UNIT)
    return layer, linear, np.broadcast_to(bias_of_recurrence, 4)


def one_layer(layer: Layer, timesteps: int) -> NetworkSpec:
    kind = ReadoutKind.MEMBRANE if layer.neuron.threshold is None else ReadoutKind.SPIKE_COUNT
    return NetworkSpec(input_shape=(5,), layers=(layer,), timesteps=timesteps,
                       readout=Readout(kind=kind))


@settings(deadline=None, max_examples=30)
@given(cases(), st.booleans())
@pytest.mark.parametrize("mechanism", KEEP)
@pytest.mark.parametrize("leak", [True, False])
def test_leaky_and_if(mechanism, leak, case, delay):
    bits, rng, spikes = case
    decay = rng.integers(0, 1 << bits, 4) if leak else np.full(4, 1 << bits)
    theta = rng.integers(1, 12, 4) * UNIT
    layer, linear, _ = layer_and_linear(rng, {
        "decay": decay, "decay_fraction": bits, "threshold": theta, "reset": KEEP[mechanism],
        "reset_delay": delay,
    })
    neuron = snn.Leaky(beta=real(decay / (1 << bits)), threshold=real(theta),
                       reset_mechanism=mechanism, reset_delay=delay, spike_grad=spike)
    assert_equal(one_layer(layer, spikes.shape[1]), [linear, neuron], spikes)


@settings(deadline=None, max_examples=30)
@given(cases())
@pytest.mark.parametrize("mechanism", DROP)
def test_lapicque(mechanism, case):
    bits, rng, spikes = case
    theta = rng.integers(1, 12, 4) * UNIT
    # R·C = 2ⁿ and C = 1: decay 1 − 1/2ⁿ, gain 1.
    layer, linear, _ = layer_and_linear(rng, {
        "decay": (1 << bits) - 1, "decay_fraction": bits, "threshold": theta,
        "reset": DROP[mechanism],
    })
    neuron = snn.Lapicque(R=real(1 << bits), C=real(1.0), time_step=real(1.0),
                          threshold=real(theta), reset_mechanism=mechanism,
                          spike_grad=spike)
    assert_equal(one_layer(layer, spikes.shape[1]), [linear, neuron], spikes)


@settings(deadline=None, max_examples=30)
@given(cases(), st.booleans())
@pytest.mark.parametrize("mechanism", DROP)
def test_synaptic(mechanism, case, delay):
    bits, rng, spikes = case
    decay, keep = rng.integers(0, (1 << bits) + 1, (2, 4))
    theta = rng.integers(1, 20, 4) * UNIT
    layer, linear, _ = layer_and_linear(rng, {
        "decay": decay, "decay_fraction": bits, "threshold": theta, "reset": DROP[mechanism],
        "reset_delay": delay, "synapse_decay": keep, "synapse_decay_fraction": bits,
    })
    neuron = snn.Synaptic(alpha=real(keep / (1 << bits)), beta=real(decay / (1 << bits)),
                          threshold=real(theta), reset_mechanism=mechanism, reset_delay=delay,
                          spike_grad=spike)
    assert_equal(one_layer(layer, spikes.shape[1]), [linear, neuron], spikes)


@settings(deadline=None, max_examples=30)
@given(cases(), st.booleans(), st.booleans())
@pytest.mark.parametrize("mechanism", DROP)
@pytest.mark.parametrize("synaptic", [False, True])
def test_recurrent(mechanism, synaptic, case, delay, all_to_all):
    bits, rng, spikes = case
    # RSynaptic with reset_delay=False raises in snnTorch; see the test below.
    delay = delay or synaptic
    decay, keep = rng.integers(0, (1 << bits) + 1, (2, 4))
    theta = rng.integers(1, 12, 4) * UNIT
    if all_to_all:
        recurrent = Linear(weight=rng.integers(-8, 8, (4, 4)), weight_bits=4, weight_shift=16)
        how = {"linear_features": 4}
    else:
        recurrent = OneToOne(weight=rng.integers(-8, 8, 4) * UNIT)
        how = {"all_to_all": False, "V": real(recurrent.weight), "learn_recurrent": False}
    current = {"synapse_decay": keep, "synapse_decay_fraction": bits} if synaptic else {}
    layer, linear, bias = layer_and_linear(rng, {
        "decay": decay, "decay_fraction": bits, "threshold": theta, "reset": DROP[mechanism],
        "reset_delay": delay, **current,
    }, recurrent)
    how |= {"beta": real(decay / (1 << bits)), "threshold": real(theta),
            "reset_mechanism": mechanism, "reset_delay": delay, "spike_grad": spike}
    neuron = snn.RSynaptic(alpha=real(keep / (1 << bits)), **how) if synaptic else snn.RLeaky(**how)
    if all_to_all:
        loaded(neuron.recurrent, weight=recurrent.weight * UNIT, bias=bias * UNIT)
    assert_equal(one_layer(layer, spikes.shape[1]), [linear, neuron], spikes)


def test_rsynaptic_cannot_reset_at_once():
    """snnTorch 1.0.0 reads an argument where it means its state, so there is nothing to equal."""
    neuron = snn.RSynaptic(alpha=0.5, beta=0.5, all_to_all=False, reset_delay=False)
    with pytest.raises(TypeError):
        neuron(torch.ones(1, 2))


@settings(deadline=None, max_examples=30)
@given(cases(), st.booleans())
def test_an_integrator_is_a_leaky_that_never_fires(case, synaptic):
    bits, rng, spikes = case
    decay, keep = rng.integers(0, (1 << bits) + 1, (2, 4))
    current = {"synapse_decay": keep, "synapse_decay_fraction": bits} if synaptic else {}
    layer, linear, _ = layer_and_linear(rng, {
        "decay": decay, "decay_fraction": bits, "threshold": None, "reset": Reset.NONE, **current,
    })
    how = {"beta": real(decay / (1 << bits)), "threshold": real(1e30), "reset_mechanism": "none"}
    neuron = snn.Synaptic(alpha=real(keep / (1 << bits)), **how) if synaptic else snn.Leaky(**how)
    assert_equal(one_layer(layer, spikes.shape[1]), [linear, neuron], spikes)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_convolution_and_pooling(data):
    """Two convolutions, a pooling before the second and one before the classifier."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    bits, timesteps = 2, 8
    draw = data.draw
    groups, stride = draw(st.sampled_from([1, 2])), (draw(st.integers(1, 2)), 1)
    padding = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    kinds = [draw(st.sampled_from(["avg", "max", None])) for _ in range(2)]
    window = (draw(st.integers(1, 2)), 2)
    spikes = rng.random((2, timesteps, 2 * 12 * 9)) < 0.3

    layers, modules, shape = [], [nn.Unflatten(1, (2, 12, 9))], (2, 12, 9)

    def neurons(synapse):
        scale = int(np.abs(synapse.weight[0]).sum()) // 4 + 1
        theta = rng.integers(1, scale + 1, synapse.neurons) * UNIT
        decay = rng.integers(0, 1 << bits, synapse.neurons)
        form = synapse.output_shape
        modules.append(snn.Leaky(beta=real(decay / (1 << bits)).reshape(form),
                                 threshold=real(theta).reshape(form), spike_grad=spike))
        return Neuron(decay=decay, decay_fraction=bits, threshold=theta)

    def pooling(kind, shape):
        """Average pooling is a sum in the contract: its divisor goes into the torch weights."""
        if kind is None:
            return None, 1
        modules.append({"avg": nn.AvgPool2d, "max": nn.MaxPool2d}[kind](window))
        contract = {"avg": SumPool2d, "max": MaxPool2d}[kind](input_shape=shape, kernel=window)
        return contract, window[0] * window[1] if kind == "avg" else 1

    def convolution(name, channels, kernel, kind):
        nonlocal shape
        pool, divisor = pooling(kind, shape)
        shape = shape if pool is None else pool.output_shape
        weight = rng.integers(-8, 8, (channels, shape[0] // groups, *kernel))
        synapse = Conv2d(weight=weight, weight_bits=4, weight_shift=16, input_shape=shape,
                         stride=stride, padding=padding, groups=groups)
        modules.append(loaded(
            nn.Conv2d(shape[0], channels, kernel, stride, padding, groups=groups, bias=False),
            weight=weight * UNIT * divisor,
        ))
        layers.append(Layer(name=name, synapse=synapse, neuron=neurons(synapse), pool=pool))
        shape = synapse.output_shape

    convolution("conv1", 4, (3, 2), None)
    convolution("conv2", 6, (2, 2), kinds[0])
    if shape[1] < window[0]:
        kinds[1] = None
    pool, divisor = pooling(kinds[1], shape)
    inputs = int(np.prod(shape)) if pool is None else pool.outputs
    weight = rng.integers(-8, 8, (3, inputs))
    synapse = Linear(weight=weight, weight_bits=4, weight_shift=16)
    modules += [nn.Flatten(), loaded(nn.Linear(inputs, 3, bias=False),
                                     weight=weight * UNIT * divisor)]
    layers.append(Layer(name="fc", synapse=synapse, neuron=neurons(synapse), pool=pool))
    spec = NetworkSpec(input_shape=(2, 12, 9), layers=tuple(layers), timesteps=timesteps)
    assert_equal(spec, modules, spikes)
