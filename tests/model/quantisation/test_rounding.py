from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikewright.gen import Readout, ReadoutKind, Rounding, first_difference, simulate
from spikewright.gen.arithmetic import signed_digits
from spikewright.gen.errors import RecipeError, SpecError
from spikewright.model import nets, quantise
from spikewright.model.quantisation import rounding
from spikewright.model.quantisation.report import report
from spikewright.model.quantisation.settings import Quantisation
from spikewright.model.quantisation.steps import weight_steps


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
@pytest.mark.parametrize("per", ["layer", "channel"])
def test_training_starts_from_the_rounded_net(bits, scale, per):
    quantised = quantise(_net(), (12,), 4, bits=bits, scale=scale, per=per)
    assert quantised.trainable().spec() == quantised.spec
    for layer, floats, steps in zip(
        quantised.spec.layers, quantised.floats, quantised.steps, strict=True
    ):
        assert steps.shape == ((1,) if per == "layer" else (layer.neurons,))
        step = steps[:, np.newaxis]
        inside = np.abs(floats.weight) <= ((1 << (bits - 1)) - 1) * step
        error = np.abs(layer.synapse.weight * step - floats.weight)
        assert (error[inside] <= np.broadcast_to(step, error.shape)[inside] / 2 * (1 + 1e-9)).all()
        assert layer.neuron.threshold is not None
        error = np.abs(layer.neuron.threshold * steps / 16 - floats.threshold)
        assert (error <= steps / 32 * (1 + 1e-9)).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 8))
def test_mse_step_beats_using_the_whole_range(seed, bits):
    weight = np.random.default_rng(seed).standard_t(3, (6, 7))
    limit = 1 << (bits - 1)

    def error(step):
        return np.square(np.clip(np.rint(weight / step), -limit, limit - 1) * step - weight).sum()

    (step,) = weight_steps(weight, bits, Quantisation())
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


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("per", ["layer", "channel"])
@pytest.mark.parametrize("decay", ["fixed-point", "power-of-two"])
def test_the_module_that_is_trained_is_the_golden_model(bits, per, decay):
    """With maps, pooling, recurrence and a current; a layer's bits differ from its neighbours'."""
    quantised = quantise(_loopy(snn.RSynaptic, True, alpha=0.7), (1, 5, 5), 4, per=per,
                         decay=decay, bits=[bits, 10 - bits, 4],
                         readout=Readout(kind=ReadoutKind.MEMBRANE))
    spec = quantised.spec
    assert [layer.synapse.weight_bits for layer in spec.layers] == [bits, 10 - bits, 4]
    signals = np.random.default_rng(bits).random((20, 4, 25)) < 0.6
    golden = simulate(spec, signals, engine="golden", membranes=True)
    assert first_difference(simulate(spec, signals, engine="torch", membranes=True), golden) is None
    with torch.no_grad():
        traces = quantised.trainable().trace(torch.from_numpy(signals).transpose(0, 1))
    for trace, spikes, membranes in zip(traces, golden.spikes, golden.membranes, strict=True):
        assert (trace.spikes.transpose(0, 1).numpy() == spikes).all()
        assert (trace.membranes.transpose(0, 1).numpy() == membranes).all()
    assert all(spikes.any() for spikes in golden.spikes[:2])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_unit_for_each_neuron_is_exact(seed):
    """Weights on a grid of each neuron's own are integers without any error, so snnTorch's own
    spikes are the integer net's."""
    rng = np.random.default_rng(seed)
    scales = 2.0 ** rng.integers(-4, 0, 5)
    weight = rng.integers(-7, 8, (5, 12))
    weight[:, 0] = 7
    net: Any = nn.Sequential(nn.Linear(12, 5), snn.Leaky(
        beta=1.0, threshold=torch.from_numpy(scales * 16), init_hidden=True)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(weight * scales[:, np.newaxis]))
        net[0].bias.copy_(torch.from_numpy(rng.integers(-3, 4, 5) * scales / 16))
    spec = quantise(net, (12,), 6, per="channel", scale="percentile", percentile=100).spec
    assert (spec.layers[0].synapse.weight == weight).all()
    assert spec.layers[0].neuron.threshold == 256
    signals = rng.random((4, 6, 12)) < 0.5
    with torch.no_grad():
        spikes = nets.unroll(net, torch.from_numpy(signals).double().transpose(0, 1)).spikes[0]
    trace = simulate(spec, signals, engine="golden")
    assert (trace.spikes[0] == spikes.transpose(0, 1).numpy()).all()


def test_channels_of_different_size_keep_their_weights():
    net: Any = _net()
    with torch.no_grad():
        net[0].weight *= torch.tensor([1.0, 0.3, 0.1, 1.0, 0.001])[:, None]
    errors = [report(q, q.spec)["layers"][0]["weight_error"] for q in (
        quantise(net, (12,), 4, bits=3, per=per) for per in ("layer", "channel"))]
    assert errors[1] < 0.95 * errors[0]
    finest, coarsest = np.sort(quantise(net, (12,), 4, per="channel").steps[0])[[0, -1]]
    assert coarsest == 16 * finest  # no membrane is wider for a neuron with next to no weights


def test_membranes_that_are_compared_share_a_step():
    net, readout = _loopy(snn.RLeaky, False), Readout(kind=ReadoutKind.MEMBRANE)
    assert [step.size for step in quantise(net, (1, 5, 5), 4, per="channel",
                                           readout=readout).steps] == [3, 5, 1]
    with pytest.raises(SpecError, match=r"layer layer6: its membranes are compared .* one number"):
        quantise(net, (1, 5, 5), 4, steps=[1, 1, np.array([1, 2, 3])], readout=readout)
    with pytest.raises(SpecError, match=r"layer0: steps have shape \(2,\); give one, or .* 3"):
        quantise(net, (1, 5, 5), 4, steps=[np.ones(2), 1, 1], readout=readout)


@given(decay=st.floats(-4, 4), fraction=st.integers(0, 16))
def test_a_power_of_two_takes_one_subtraction(decay, fraction):
    options = Quantisation(decay="power-of-two", decay_fraction=fraction)
    (found,) = rounding._fixed_point(np.array([decay]), options)
    assert len(signed_digits(int(found))) <= 2
    # Powers of two are at most a factor of 2 apart, and nearer to 1 there are others.
    bound = max(abs(decay) / 3, 0.5 / 2**fraction)
    assert abs(found / 2**fraction - decay) <= bound
    if 0 <= decay <= 1:
        assert abs(found / 2**fraction - decay) <= max(min(decay, 1 - decay) / 3, 0.5 / 2**fraction)


@pytest.mark.parametrize(("option", "words"), [
    ({"bits": [4, 3, 2]}, "bits has 3 numbers for 2 layers .layer0, layer2.; give one for each"),
    ({"bits": {"layer2": 3}}, "bits has no number for layer layer0; name every layer"),
    ({"bits": {"fc1": 3}}, "bits names layer 'fc1'; the net has layer0, layer2"),
    ({"membrane_bits": [20]}, "membrane_bits has 1 numbers for 2 layers"),
    ({"bits": [4, 9]}, "bits"), ({"bits": "4,x"}, "bits"),
])
def test_wrong_bits(option, words):
    with pytest.raises(RecipeError, match=words):
        quantise(_net(), (12,), 4, **option)


def test_bits_of_layers_by_name_and_as_an_option():
    for bits in ([4, 3], "4,3", {"layer2": 3, "layer0": 4}):
        spec = quantise(_net(), (12,), 4, bits=bits, membrane_bits={"layer2": 18}).spec
        assert [layer.synapse.weight_bits for layer in spec.layers] == [4, 3]
        assert [layer.neuron.membrane_bits for layer in spec.layers] == [None, 18]


def test_zero_weights_have_a_step():
    assert weight_steps(np.zeros((2, 2)), 4, Quantisation()) == 1
    assert weight_steps(np.eye(40), 4, Quantisation(scale="percentile", percentile=50)) == 1 / 7


def test_options_reach_the_spec():
    spec = quantise(_net(), (12,), 4, bits=5, weight_shift=6, decay_fraction=10,
                    rounding=Rounding.NEAREST, membrane_bits=20).spec
    for layer, decay in zip(spec.layers, (0.9, 1 + np.log(0.7)), strict=True):
        assert layer.synapse.weight_bits == 5
        assert layer.synapse.weight_shift == 6
        assert layer.neuron.decay == round(decay * 1024)
        assert layer.neuron.rounding is Rounding.NEAREST
        assert layer.neuron.membrane_bits == 20


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
