from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from spikewright.gen import simulate
from spikewright.model import quantise
from spikewright.model.quantisation.report import report

SIGNALS = np.random.default_rng(0).random((6, 4, 12)) < 0.5


def _net(**neuron: Any) -> Any:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(12, 5), snn.Leaky(**{"beta": 0.9, "init_hidden": True, **neuron}),
        nn.Linear(5, 3), snn.Leaky(beta=0.875, init_hidden=True),
    )


def _told(net, **options):
    quantised = quantise(net, (12,), 4, **options)
    trace = simulate(quantised.spec, SIGNALS, engine="golden")
    return report(quantised, quantised.spec, trace)


def test_what_happened():
    quantised = quantise(_net(), (12,), 4, bits=4)
    told = report(quantised, quantised.spec)
    assert told["warnings"] == []
    first = told["layers"][0]
    assert first["layer"] == "layer0"
    assert first["sparsity"] == (quantised.spec.layers[0].synapse.weight == 0).mean()
    assert 0 < first["weight_error"] < 0.2
    assert first["decay"] == pytest.approx(first["decay_wanted"], abs=1 / 512)
    assert first["membrane_bits"] == quantised.spec.bounds[0].membrane_bits
    assert "spikes" not in first


def test_units_of_channels_are_told_as_a_range():
    first = _told(_net(), per="channel")["layers"][0]
    low, high = first["weight_step"]
    assert low < high == 16 * first["membrane_step"][1]
    assert first["threshold"][0] < first["threshold"][1]


def test_decays_are_told_with_what_they_cost():
    layers = _told(_net(beta=torch.tensor([0.9, 0.8, 0.9, 0.9, 0.9])))["layers"]
    assert [layer["decay_adders"] for layer in layers] == [None, 1]  # 0.875 is 1 − 1/8
    assert _told(_net(), decay_fraction=4)["layers"][0]["decay_adders"] == 1  # 14/16
    cheap = _told(_net(beta=0.8), decay="power-of-two")
    assert cheap["layers"][0]["decay"] == 0.75
    assert cheap["layers"][0]["decay_adders"] == 1
    assert any("layer0 decays otherwise: 0.8 became 0.75" in w for w in cheap["warnings"])


def test_activity_is_that_of_the_trace():
    net = _net(threshold=0.3)
    quantised = quantise(net, (12,), 4)
    trace = simulate(quantised.spec, SIGNALS, engine="golden")
    first = report(quantised, quantised.spec, trace)["layers"][0]
    assert first["spikes"] == trace.spikes[0].sum() / 6 > 0
    assert first["silent"] == (trace.spikes[0].sum((0, 1)) == 0).mean()
    assert first["saturations"] == first["saturated"] == 0


@pytest.mark.parametrize(("change", "words"), [
    (lambda net: net[0].weight.mul_(1e-3), "layer0 can never fire"),
    (lambda net: net[2].weight.zero_(), "layer2 has no weights left"),
    (lambda net: net[1].beta.fill_(0.001), "layer0 forgets at once"),
    (lambda net: net[0].weight.copy_(torch.tensor([0.25, -0.5]).repeat(5, 6)), "layer0 is silent"),
    (lambda net: net[0].bias.fill_(9), "layer0 always fires: 100% of its neurons"),
])
def test_warnings(change, words):
    net = _net()
    with torch.no_grad():
        net[0].bias.zero_()
        change(net)
    told = _told(net, bits=4)["warnings"]
    assert any(words in warning for warning in told), told


def test_saturation_is_warned_of():
    quantised = quantise(_net(threshold=0.3), (12,), 4, membrane_bits={"layer0": 10})
    narrow = quantised.spec.layers[0].neuron
    assert narrow.membrane_bits is not None
    spec = replace(quantised.spec, layers=(
        replace(quantised.spec.layers[0], neuron=replace(
            narrow, membrane_bits=int(narrow.per_neuron("threshold", 5).max()).bit_length() + 1)),
        quantised.spec.layers[1]))
    trace = simulate(spec, SIGNALS, engine="golden")
    told = report(quantised, spec, trace)
    count = trace.counters["saturations"][:, 0].sum()
    assert told["layers"][0]["saturations"] == count / 6 > 0
    assert told["layers"][0]["saturated"] == count / trace.spikes[0].size
    assert any("layer0 saturates" in warning for warning in told["warnings"])


def test_memory_beyond_the_budget_is_warned_of():
    quantised = quantise(_net(), (12,), 4)
    told = report(quantised, quantised.spec)
    assert told["memory_bits"] == sum(layer["memory_bits"] for layer in told["layers"])
    kbits = told["memory_bits"] / 1000
    assert report(quantised, quantised.spec, budget_kbits=kbits)["warnings"] == []
    over = report(quantised, quantised.spec, budget_kbits=kbits - 0.01)["warnings"]
    assert len(over) == 1
    assert f"takes {kbits:g} kbit" in over[0]


def test_clipping_is_warned_of():
    told = _told(_net(), scale="percentile", percentile=50)
    assert told["layers"][0]["clipped"] > 0.3
    assert any("layer0 lost weights" in warning for warning in told["warnings"])
