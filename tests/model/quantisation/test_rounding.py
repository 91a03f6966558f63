from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Readout, ReadoutKind, Rounding
from spikewright.model import quantise
from spikewright.model.quantisation.rounding import report, weight_step
from spikewright.model.quantisation.settings import Quantisation


def _net(seed=0, scale=1.0, neurons=5):
    torch.manual_seed(seed)
    linears = nn.Linear(12, neurons), nn.Linear(neurons, 3)
    with torch.no_grad():
        for linear in linears:
            linear.weight *= scale
    lapicque: Any = snn.Lapicque
    return nn.Sequential(linears[0], snn.Leaky(beta=0.9, init_hidden=True),
                         linears[1], lapicque(beta=0.7, init_hidden=True))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scale", ["mse", "percentile"])
def test_training_starts_from_the_rounded_net(bits, scale):
    quantised = quantise(_net(), (12,), 4, bits=bits, scale=scale)
    assert quantised.trainable().spec() == quantised.spec
    for layer, floats, step in zip(
        quantised.spec.layers, quantised.floats, quantised.steps, strict=True
    ):
        inside = np.abs(floats.weight) <= ((1 << (bits - 1)) - 1) * step
        error = layer.synapse.weight * step - floats.weight
        assert (np.abs(error[inside]) <= step / 2 * (1 + 1e-9)).all()
        assert layer.neuron.threshold is not None
        assert np.abs(layer.neuron.threshold * step / 16 - floats.threshold).max() <= step / 32


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 8))
def test_mse_step_beats_using_the_whole_range(seed, bits):
    weight = np.random.default_rng(seed).standard_t(3, (6, 7))
    limit = 1 << (bits - 1)

    def error(step):
        return np.square(np.clip(np.rint(weight / step), -limit, limit - 1) * step - weight).sum()

    step = weight_step(weight, Quantisation(bits=bits))
    assert error(step) <= error(np.abs(weight).max() / (limit - 1)) * (1 + 1e-12)


def _loopy(kind, all_to_all, **options):
    """Maps, pooling, recurrence and, if ``kind`` has it, a synaptic current."""
    recurrence: dict[str, Any] = {"all_to_all": all_to_all}
    recurrence |= {"linear_features": 5} if all_to_all else {"V": torch.linspace(-0.4, 0.6, 5)}
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 2), snn.Leaky(beta=0.5), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(12, 5), kind(beta=0.9, **options, **recurrence),
        nn.Linear(5, 3), snn.Leaky(beta=0.9, reset_mechanism="none"),
    )
    with torch.no_grad():
        for weight in ("0.weight", "4.weight"):
            net.get_parameter(weight).mul_(4)  # so that every layer fires
    return net


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("all_to_all", [True, False])
@pytest.mark.parametrize(("kind", "options"), [(snn.RLeaky, {}), (snn.RSynaptic, {"alpha": 0.7})])
def test_recurrent_weights_are_rounded_to_steps_of_their_own(bits, all_to_all, kind, options):
    quantised = quantise(_loopy(kind, all_to_all, **options), (1, 5, 5), 4, bits=bits,
                         readout=Readout(kind=ReadoutKind.MEMBRANE))
    module = quantised.trainable()
    assert module.spec() == quantised.spec
    assert module.layers[0].bias.shape == (3,)  # one for each channel
    layer, floats = quantised.spec.layers[1], quantised.floats[1]
    assert floats.recurrent is not None
    membrane_step = quantised.steps[1] / 2**layer.synapse.weight_shift
    if all_to_all:
        step = membrane_step * 2**layer.recurrent.weight_shift
        inside = np.abs(floats.recurrent) <= ((1 << (bits - 1)) - 1) * step
        assert inside.any()
    else:
        step, inside = membrane_step, np.ones(5, bool)
    error = layer.recurrent.weight * step - floats.recurrent
    assert (np.abs(error[inside]) <= step / 2 * (1 + 1e-6)).all()
    assert layer.neuron.synapse_decay == (179 if options else None)
    told = report(quantised, quantised.spec)["layers"]
    assert [entry["fan_in"] for entry in told] == [4, 12, 5]
    assert told[2]["threshold"] is None


@pytest.mark.parametrize("all_to_all", [True, False])
def test_recurrent_weights_are_trained_through_integers(all_to_all):
    net = quantise(_loopy(snn.RSynaptic, all_to_all, alpha=0.7), (1, 5, 5), 4,
                   readout=Readout(kind=ReadoutKind.MEMBRANE)).trainable()
    x = torch.from_numpy(np.random.default_rng(0).random((4, 32, 25)) < 0.6)
    net(x).square().sum().backward()
    for layer in net.layers:
        for name, parameter in layer.named_parameters():
            assert parameter.grad.abs().max() > 0, name


def test_zero_weights_have_a_step():
    assert weight_step(np.zeros((2, 2)), Quantisation()) == 1
    assert weight_step(np.eye(40), Quantisation(scale="percentile", percentile=50)) == 1 / 7


def test_options_reach_the_spec():
    spec = quantise(_net(), (12,), 4, bits=5, weight_shift=6, decay_fraction=10,
                    rounding=Rounding.NEAREST, membrane_bits=20).spec
    for layer, decay in zip(spec.layers, (0.9, 1 + np.log(0.7)), strict=True):
        assert layer.synapse.weight_bits == 5
        assert layer.synapse.weight_shift == 6
        assert layer.neuron.decay == round(decay * 1024)
        assert layer.neuron.rounding is Rounding.NEAREST
        assert layer.neuron.membrane_bits == 20


def test_report_tells_what_happened():
    quantised = quantise(_net(), (12,), 4, bits=4)
    told = report(quantised, quantised.spec)
    assert told["warnings"] == []
    first = told["layers"][0]
    assert first["layer"] == "layer0"
    assert first["sparsity"] == (quantised.spec.layers[0].synapse.weight == 0).mean()
    assert 0 < first["weight_error"] < 0.2
    assert first["decay"] == pytest.approx(first["decay_wanted"], abs=1 / 512)
    assert first["membrane_bits"] == quantised.spec.bounds[0].membrane_bits


@pytest.mark.parametrize(("change", "words"), [
    (lambda net: net[0].weight.mul_(1e-3), "layer0 can never fire"),
    (lambda net: net[2].weight.zero_(), "layer2: every weight became 0"),
    (lambda net: net[1].beta.fill_(0.001), "layer0: a decay became 0"),
])
def test_report_warns(change, words):
    net: Any = _net()
    with torch.no_grad():
        net[0].bias.zero_()
        change(net)
    quantised = quantise(net, (12,), 4, bits=4)
    assert any(words in warning for warning in report(quantised, quantised.spec)["warnings"])


def test_training_through_integers_lowers_the_loss():
    quantised = quantise(_net(scale=3), (12,), 6, bits=3)
    net = quantised.trainable()
    x = torch.from_numpy(np.random.default_rng(0).random((6, 32, 12)) < 0.4)
    y = x[:, :, :3].float().sum(0).argmax(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(80):
        loss = nn.functional.cross_entropy(net(x).sum(0), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert net.spec() != quantised.spec
