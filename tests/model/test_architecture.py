"""The notation of papers becomes the net that it says, and what it cannot say is refused."""

import pytest
import snntorch as snn
import torch
from torch import nn

from spikewright.gen import Readout, ReadoutKind
from spikewright.gen.errors import RecipeError
from spikewright.model import compile, nets
from spikewright.model.architecture import Convolution, Dense, Pooling, parse
from spikewright.model.recipe import Recipe


def _recipe(net, **parts):
    return Recipe.check({"encoding": {"timesteps": 3}, "net": net, **parts}, "test")


@pytest.mark.parametrize(("text", "layer"), [
    (256, Dense(256)), ("256", Dense(256)),
    ("16c5", Convolution(16, (5, 5), 1, 0, 1)),
    ("16C5x3s2p1g4", Convolution(16, (5, 3), 2, 1, 4)),
    ("p2", Pooling("average", 2, 2)), ("m3s2", Pooling("max", 3, 2)),
])
def test_notation(text, layer):
    assert parse(text) == layer


@pytest.mark.parametrize("text", [
    "", "0", "c5", "16c", "0c3", "16c0", "16c3s0", "16c3g0", "p0", "p2s0", "q2", "16c3 p2", "-4",
])
def test_no_notation(text):
    with pytest.raises(ValueError, match="is no layer; allowed are"):
        parse(text)


def test_the_net_of_the_paper():
    hidden = ["16c5s2p2", "16c3p1", "p2", "8c3p1", "m2", 256]
    net = nets.build(_recipe({"hidden": hidden, "beta": 0.9}), (2, 34, 34), 10)
    spec = compile(net, (2, 34, 34), 3)
    assert [layer.output_shape for layer in spec.layers] == [
        (16, 17, 17), (16, 17, 17), (8, 8, 8), (256,), (10,)]
    assert [layer.name for layer in spec.layers] == ["conv1", "conv2", "conv3", "fc4", "fc5"]
    assert [type(layer.pool).__name__ for layer in spec.layers] == [
        "NoneType", "NoneType", "SumPool2d", "MaxPool2d", "NoneType"]
    votes = nets.unroll(net, torch.zeros(3, 4, 2 * 34 * 34)).votes
    assert votes.shape == (3, 4, 10)


@pytest.mark.parametrize(("net", "kinds"), [
    ({"neuron": "synaptic", "alpha": 0.5}, (snn.Synaptic, snn.Synaptic)),
    ({"neuron": "rleaky"}, (snn.RLeaky, snn.Leaky)),
    ({"neuron": "rsynaptic", "alpha": 0.5, "all_to_all": False}, (snn.RSynaptic, snn.Synaptic)),
])
def test_neurons_recur_in_hidden_layers_only(net, kinds):
    made = nets.build(_recipe({"hidden": ["3c2", 5], "beta": 0.5, **net, "all_to_all": False}
                              if net["neuron"].startswith("r") else
                              {"hidden": ["3c2", 5], "beta": 0.5, **net}), (1, 4, 4), 2)
    found = [module for module in made if isinstance(module, nets.NEURONS)]
    assert [type(module) for module in found] == [kinds[0], kinds[0], kinds[1]]


def test_all_to_all_recurrence():
    net = nets.build(_recipe({"hidden": [5], "beta": 0.5, "neuron": "rleaky"}), (4,), 2)
    assert compile(net, 4, 3).layers[0].recurrent.weight.shape == (5, 5)


def test_output_of_populations_and_membranes():
    recipe = _recipe({"hidden": [5], "beta": 0.5},
                     readout={"kind": "membrane", "population": 3, "beta": 0.25})
    readout = recipe.readout.contract
    assert readout == Readout(kind=ReadoutKind.MEMBRANE, population=3)
    spec = compile(nets.build(recipe, (4,), 2), 4, 3, readout=readout, decay_fraction=2)
    assert (spec.layers[-1].neurons, spec.classes) == (6, 2)
    assert (spec.layers[-1].neuron.threshold, spec.layers[-1].neuron.decay) == (None, 1)


def test_early_exit():
    recipe = _recipe({"hidden": [5], "beta": 0.5},
                     readout={"kind": "first-spike", "early_exit": True})
    assert recipe.readout.contract == Readout(kind=ReadoutKind.FIRST_SPIKE, early_exit=True)


@pytest.mark.parametrize(("net", "words"), [
    ({"hidden": ["16k3"]}, "'16k3' is no layer"),
    ({"hidden": [32, "16c3"]}, "convolutions and poolings first"),
    ({"hidden": ["4c3", "p2", "m2"]}, "merge the two"),
    ({"neuron": "synaptic"}, "need alpha"),
    ({"alpha": 0.5}, "the others have none"),
    ({"all_to_all": False}, "belongs to neurons"),
    ({"hidden": ["4c3"], "neuron": "rleaky"}, "set all_to_all = false"),
    ({"neuron": "rsynaptic", "alpha": 0.5, "reset_delay": False}, "without reset delay"),
])
def test_wrong_nets(net, words):
    with pytest.raises(RecipeError, match=words):
        _recipe({"beta": 0.5, **net})


@pytest.mark.parametrize(("hidden", "words"), [
    (["4c9"], r"conv1 does not fit maps of \(2, 6, 6\)"), (["4c3", "p5"], "pool2 does not fit"),
    (["4c3g3"], "3 groups must divide 2 input"),
])
def test_nets_that_do_not_fit_the_input(hidden, words):
    with pytest.raises(RecipeError, match=words):
        nets.build(_recipe({"hidden": hidden, "beta": 0.5}), (2, 6, 6), 2)


@pytest.mark.parametrize(("parts", "words"), [
    ({"readout": {"kind": "spike-count", "beta": 0.5}}, "beta belongs to kind 'membrane'"),
    ({"net": {"neuron": "lapicque", "R": 1, "C": 5}, "readout": {"kind": "membrane"}},
     "readout.beta is missing"),
    ({"readout": {"kind": "membrane"}, "training": {"loss": "ce_temporal_loss"}}, "judges spikes"),
    ({"readout": {"early_exit": True}}, "early_exit belongs to kind 'first-spike'"),
    ({"training": {"merge": 2}}, "must divide encoding.timesteps, 3"),
    ({"encoding": {"timesteps": 4, "kind": "current"}, "training": {"merge": 2}},
     "1 for a current"),
    ({"encoding": {"timesteps": 512}, "training": {"merge": 256}}, "255 is the largest"),
    ({"net": {"beta": 0.5, "neuron": "rleaky"}, "training": {"merge": 3}}, "cannot take"),
])
def test_parts_that_contradict(parts, words):
    with pytest.raises(RecipeError, match=words):
        Recipe.check({"encoding": {"timesteps": 3}, "net": {"beta": 0.5}, **parts}, "test")


def test_refining_undoes_merging():
    recipe = _recipe({"hidden": [5], "neuron": "synaptic", "alpha": 0.81, "beta": 0.64},
                     readout={"kind": "membrane", "beta": 0.49})
    torch.manual_seed(0)
    plain = nets.build(recipe, (4,), 2)
    torch.manual_seed(0)
    merged = nets.build(recipe, (4,), 2, merge=2)
    bias = merged.get_parameter("fc1.bias").detach().clone()
    assert float(merged.lif1.alpha) == pytest.approx(0.81**2)
    nets.refine(merged, 2)
    for name in ("alpha", "beta"):
        assert getattr(merged.lif1, name).item() == pytest.approx(getattr(plain.lif1, name).item())
    assert float(merged.lif2.beta) == pytest.approx(0.49)
    assert torch.equal(merged.fc1.weight, plain.fc1.weight)
    assert torch.equal(merged.fc1.bias, bias / 2)


def test_unmodified_modules():
    """Users read the modules by name."""
    net = nets.build(_recipe({"hidden": ["2c3", "p2"], "beta": 0.5},
                             training={"dropout": 0.5}), (1, 6, 6), 2)
    assert {name: type(module) for name, module in net.named_children()} == {
        "maps": nn.Unflatten, "conv1": nn.Conv2d, "lif1": snn.Leaky, "pool2": nn.AvgPool2d,
        "flatten": nn.Flatten, "drop2": nn.Dropout, "fc2": nn.Linear, "lif2": snn.Leaky,
    }
