"""What compiles, under which names, and what is refused with which words."""

from collections import OrderedDict
from typing import Any

import pytest
import snntorch as snn
import torch
from torch import nn

from spikewright.gen import Readout, ReadoutKind
from spikewright.gen.errors import RecipeError, SpecError, UnsupportedModuleError
from spikewright.model import QuantizedNet, compile

#: snnTorch's annotations say that beta is bool.
Lapicque: Any = snn.Lapicque


def _pair(fan_in=4, neurons=3, **neuron):
    return nn.Linear(fan_in, neurons), snn.Leaky(**{"beta": 0.9, "init_hidden": True, **neuron})


def test_readme_net_compiles():
    net = nn.Sequential(
        nn.Flatten(), nn.Dropout(0.1),
        nn.Sequential(nn.Linear(8, 5), nn.Dropout(0.2), snn.Leaky(beta=0.9, init_hidden=True)),
        nn.Identity(), nn.Linear(5, 2), Lapicque(beta=0.8, init_hidden=True),
    )
    spec = compile(net, input_shape=(2, 2, 2), timesteps=5, bits=3, name="tiny")
    assert [layer.name for layer in spec.layers] == ["layer2_0", "layer4"]
    assert (spec.name, spec.inputs, spec.classes, spec.timesteps) == ("tiny", 8, 2, 5)
    assert [layer.synapse.weight_bits for layer in spec.layers] == [3, 3]


def test_a_quantised_net_is_taken_as_it_stands():
    spec = compile(nn.Sequential(*_pair()), 4, 5, bits=3)
    assert compile(QuantizedNet(spec), 4, 5) == spec
    with pytest.raises(SpecError, match=r"inputs \(4,\) and 5 timesteps; .* \(4,\) and 6"):
        compile(QuantizedNet(spec), 4, 6)
    with pytest.raises(RecipeError, match="drop bits"):
        compile(QuantizedNet(spec), 4, 5, bits=4)


def test_named_modules_give_layer_names():
    linear, neuron = _pair()
    spec = compile(nn.Sequential(OrderedDict(fc1=linear, lif1=neuron)), (4,), 2)
    assert spec.layers[0].name == "fc1"


class Custom(nn.Module):
    def forward(self, x):
        return x


def _parametrised():
    linear, neuron = _pair()
    return nn.Sequential(nn.utils.parametrizations.weight_norm(linear), neuron)


def _hooked():
    linear, neuron = _pair()
    linear.register_forward_hook(lambda module, inputs, output: output.neg())
    return nn.Sequential(linear, neuron)


def _renamed_reset():
    linear, neuron = _pair()
    neuron.reset_mechanism = "zero"
    return nn.Sequential(linear, neuron)


def _shared():
    linear, neuron = _pair()
    return nn.Sequential(linear, neuron, nn.Linear(3, 3), neuron)


def _maps(*modules, neuron=True):
    """``modules`` on maps of (2, 6, 6), and an output."""
    return nn.Sequential(*modules, *([snn.Leaky(0.5)] if neuron else []), nn.Flatten(),
                         nn.LazyLinear(2), snn.Leaky(0.5))


def _rleaky(**options):
    neuron: Any = snn.RLeaky
    return neuron(beta=0.5, **options)


@pytest.mark.parametrize(("net", "words"), [
    (lambda: nn.Sequential(nn.Conv3d(1, 1, 3), *_pair()), r"module 0 \(Conv3d\).*nn.Sequential of"),
    (lambda: nn.Sequential(nn.Conv2d(1, 1, 3), *_pair()), r"module 0 \(Conv2d\) needs maps"),
    (lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), r"module 1 \(BatchNorm1d\)"),
    (lambda: nn.Sequential(Custom(), *_pair()), r"module 0 \(Custom\)"),
    (lambda: Custom(), r"module net \(Custom\)"),
    (lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3), *_pair(3)), "without a neuron"),
    (lambda: nn.Sequential(*_pair(), nn.Linear(3, 2)), "module 2 .* no neuron behind"),
    (lambda: nn.Sequential(snn.Leaky(0.9)), "no Linear or Conv2d in front"),
    (lambda: nn.Sequential(), "no layers"),
    (lambda: nn.Sequential(nn.Flatten(0), *_pair()), "flattens dimensions 0 to -1"),
    (lambda: nn.Sequential(*_pair(state_quant=lambda m: m)), r"module 1 \(Leaky\) has state_quant"),
    (lambda: nn.Sequential(*_pair(graded_spikes_factor=2.0)), "graded spikes"),
    (lambda: nn.Sequential(nn.Linear(4, 3), snn.Alpha(0.9, 0.8)), "Alpha"),
    (_shared, "used twice"),
    (_parametrised, "ParametrizedLinear"),
    (_hooked, "forward hooks"),
    (_renamed_reset, "changed after it was made"),
])
def test_unsupported(net, words):
    with pytest.raises(UnsupportedModuleError, match=words):
        compile(net(), (4,), 5)


@pytest.mark.parametrize(("net", "words"), [
    (lambda: _maps(nn.Conv2d(2, 3, 3, dilation=2)), "dilation"),
    (lambda: _maps(nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")), "padding_mode=reflect"),
    (lambda: _maps(nn.Conv2d(2, 3, 2, padding="same")), "even kernel"),
    (lambda: _maps(nn.MaxPool2d(2), nn.Conv2d(2, 3, 1)), "pools the network's inputs"),
    (lambda: _maps(nn.AvgPool2d(2, padding=1), nn.Conv2d(2, 3, 1)), "padding=1"),
    (lambda: _maps(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(2, 3, 1)), "ceil_mode=True"),
    (lambda: _maps(nn.AvgPool2d(2, divisor_override=3), nn.Conv2d(2, 3, 1)), "divisor_override=3"),
    (lambda: _maps(nn.AvgPool2d(2), nn.AvgPool2d(2), nn.Conv2d(2, 3, 1)), "merge the two"),
    (lambda: _maps(nn.Conv2d(2, 3, 1), nn.MaxPool2d(2)), "between a synapse and its neuron"),
    (lambda: nn.Sequential(nn.Conv2d(2, 3, 1), snn.Leaky(0.5), nn.AvgPool2d(2)), "net's output"),
    (lambda: nn.Sequential(nn.Conv2d(2, 3, 1), snn.Leaky(0.5), nn.Linear(6, 2), snn.Leaky(0.5)),
     r"put nn.Flatten\(\) in front"),
    (lambda: nn.Sequential(nn.Unflatten(1, (3, 6, 6)), nn.Conv2d(3, 3, 1), snn.Leaky(0.5)),
     "as many signals"),
    (lambda: _maps(nn.Conv2d(2, 3, 1), _rleaky(conv2d_channels=3, kernel_size=3), neuron=False),
     "all_to_all=False"),
])
def test_unsupported_on_maps(net, words):
    with pytest.raises(UnsupportedModuleError, match=words):
        compile(net(), (2, 6, 6), 5)


@pytest.mark.parametrize(("net", "words"), [
    (lambda: _maps(nn.Conv2d(3, 3, 1)), "3 input channels, but 2 reach it"),
    (lambda: _maps(nn.Conv2d(2, 3, 7)), "smaller kernel or more padding"),
    (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=3), snn.Leaky(0.5)), "vertical padding is 3"),
    (lambda: _maps(nn.AvgPool2d(7), nn.Conv2d(2, 3, 1)), "kernel of the pooling"),
    (lambda: _maps(nn.Conv2d(2, 3, 1), snn.Leaky(torch.ones(3)), neuron=False),
     r"one per channel \(channels, 1, 1\)"),
    (lambda: _maps(nn.Conv2d(2, 3, 1), _rleaky(linear_features=108), neuron=False),
     "all_to_all=False behind a Conv2d"),
    (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3), _rleaky(linear_features=4)),
     "give linear_features=3"),
])
def test_unrepresentable_on_maps(net, words):
    with pytest.raises(SpecError, match=words):
        compile(net(), (2, 6, 6), 5)


def test_layers_know_their_geometry():
    net = nn.Sequential(
        nn.Conv2d(2, 4, (3, 5), stride=2, padding="valid", groups=2), snn.Leaky(0.5),
        nn.AvgPool2d(2), nn.Conv2d(4, 3, 1), snn.Leaky(0.5),
        nn.Flatten(), nn.Linear(12, 2), snn.Leaky(0.5),
    )
    spec = compile(net, (2, 10, 12), 5)
    conv, pooled, dense = spec.layers
    assert (conv.synapse.stride, conv.synapse.padding, conv.synapse.groups) == ((2, 2), (0, 0), 2)
    assert (conv.output_shape, pooled.pool.output_shape) == ((4, 4, 4), (4, 2, 2))
    assert dense.inputs == 3 * 2 * 2


def test_maps_may_be_flattened_before_or_behind_their_neurons():
    conv = nn.Conv2d(2, 3, 2)
    behind = nn.Sequential(conv, snn.Leaky(0.5), nn.Flatten(), *_pair(75))
    before = nn.Sequential(conv, nn.Flatten(), snn.Leaky(0.5), *_pair(75))
    specs = [compile(net, (2, 6, 6), 5) for net in (behind, before)]
    assert (specs[0].layers[0].neuron.bias == specs[1].layers[0].neuron.bias).all()
    assert specs[0].layers[0].output_shape == specs[1].layers[0].output_shape == (3, 5, 5)
    dense = nn.Sequential(nn.Linear(4, 18), nn.Unflatten(1, (2, 3, 3)), snn.Leaky(0.5),
                          nn.Conv2d(2, 1, 3), snn.Leaky(0.5))
    assert compile(dense, 4, 5).layers[1].synapse.input_shape == (2, 3, 3)


def test_a_last_neuron_without_reset_only_integrates_under_a_membrane_readout():
    def net():
        return nn.Sequential(*_pair(), nn.Linear(3, 2), snn.Leaky(0.5, reset_mechanism="none"))

    membrane = Readout(kind=ReadoutKind.MEMBRANE)
    assert compile(net(), 4, 5).layers[-1].neuron.threshold is not None
    assert compile(net(), 4, 5, readout=membrane).layers[-1].neuron.threshold is None
    firing = compile(nn.Sequential(*_pair()), 4, 5, readout=membrane)
    assert firing.layers[-1].neuron.threshold is not None
    with pytest.raises(SpecError, match="recurrence carries nothing"):
        compile(nn.Sequential(nn.Linear(4, 3), _rleaky(linear_features=3, reset_mechanism="none")),
                4, 5, readout=membrane)


def test_inhibition_is_refused():
    with pytest.warns(UserWarning, match="unstable"):
        net = nn.Sequential(*_pair(inhibition=True))
    with pytest.raises(UnsupportedModuleError, match="inhibition=True"):
        compile(net, (4,), 5)


def _with_weight(value):
    linear, neuron = _pair()
    with torch.no_grad():
        linear.weight[1, 2] = value
    return nn.Sequential(linear, neuron)


@pytest.mark.parametrize(("net", "words"), [
    (lambda: _with_weight(float("nan")), r"module 0 \(Linear\): weight has NaN"),
    (lambda: _with_weight(float("inf")), r"module 0 \(Linear\): weight has NaN or infinite"),
    (lambda: nn.Sequential(*_pair(threshold=0.0)), r"module 1 \(Leaky\): threshold goes down to 0"),
    (lambda: nn.Sequential(*_pair(threshold=-1.0)), "must be above 0"),
    (lambda: nn.Sequential(*_pair(beta=float("nan"))), "decay has NaN"),
    (lambda: nn.Sequential(*_pair(beta=torch.ones(2))), "one per neuron"),
    (lambda: nn.Sequential(*_pair(threshold=1e-9)), "raise weight_shift"),
    (lambda: nn.Sequential(*_pair(threshold=1e9)), "layer layer0: threshold .* 32 signed bits"),
    (lambda: nn.Sequential(*_pair(5)), "5 inputs, but 4 signals"),
])
def test_unrepresentable(net, words):
    with pytest.raises(SpecError, match=words):
        compile(net(), (4,), 5)


@pytest.mark.parametrize(("options", "words"), [
    ({"bits": 9}, "bits"), ({"bits": 1}, "bits"),
    ({"colour": 3}, "no option colour; allowed are bits, decay_fraction"),
    ({"method": "qat"}, "no option method"),
    ({"rounding": "sideways"}, "rounding"), ({"decay_fraction": 17}, "decay_fraction"),
])
def test_options_out_of_range(options, words):
    with pytest.raises(RecipeError, match=words):
        compile(nn.Sequential(*_pair()), (4,), 5, **options)


@pytest.mark.parametrize("steps", [[1.0, 1.0], [0.0], [float("nan")]])
def test_steps_must_be_one_positive_number_per_layer(steps):
    with pytest.raises(SpecError, match="each of the 1 layers"):
        compile(nn.Sequential(*_pair()), (4,), 5, steps=steps)
