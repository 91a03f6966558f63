from dataclasses import replace

import numpy as np
import pytest
import torch

from spikewright.gen import NetworkSpec, Stimulus, simulate
from spikewright.model import nets, runs
from spikewright.model.compiler import quantise
from spikewright.model.recipe import Recipe
from spikewright.model.robustness.attacks import ASCENTS, ascend
from spikewright.model.robustness.budget import Flips
from spikewright.model.robustness.victim import Victim, density, floats, integers
from spikewright.model.surrogates import build

FIELDS = {
    "encoding": {"timesteps": 5}, "net": {"hidden": [12], "beta": 0.8}, "training": {"gain": 4},
}


@pytest.fixture
def trained():
    torch.manual_seed(0)
    recipe = Recipe.check(FIELDS, "test")
    rng = np.random.default_rng(0)
    samples = Stimulus(rng.random((30, 5, 16)) < 0.4, rng.integers(0, 2, 30))
    net = nets.build(recipe, (1, 4, 4), 2)
    return runs.Trained(net, recipe, samples, samples, (1, 4, 4), 2)


def _integers(trained, **options) -> tuple[Victim, NetworkSpec]:
    spec = quantise(trained.net, trained.shape, 5, bits=4, **options).spec
    return integers(spec, 1.0, floats(trained).own), spec


@pytest.mark.parametrize("per", ["layer", "channel"])
def test_attacked_integers_decide_as_hardware(trained, per):
    victim, spec = _integers(trained, per=per)
    x = torch.from_numpy(trained.samples.spikes).float()
    y = torch.from_numpy(trained.samples.labels)
    found = ascend(ASCENTS["pgd"], victim, Flips(0.3), x, y)
    decided = simulate(spec, found.x.numpy(), engine="golden").prediction
    assert ((decided != trained.samples.labels) == found.fooled.numpy()).all()
    assert found.fooled.sum() > (victim(x)[1].argmax(1) != y).sum()


@pytest.mark.parametrize("kind", ["float", "integer"])
def test_another_surrogate_changes_gradients_but_no_decision(trained, kind):
    victim = floats(trained) if kind == "float" else _integers(trained)[0]
    x = torch.from_numpy(trained.samples.spikes).float().requires_grad_()
    before = victim(x)[1]
    (own,) = torch.autograd.grad(victim(x)[0].square().sum(), x)
    with victim.through(build("atan", alpha=1.0)):
        assert torch.equal(victim(x)[1], before)
        (other,) = torch.autograd.grad(victim(x)[0].square().sum(), x)
    (again,) = torch.autograd.grad(victim(x)[0].square().sum(), x)
    assert torch.equal(own, again)
    assert not torch.equal(own, other)


def test_density_is_what_the_band_leaves(trained):
    x = torch.from_numpy(trained.samples.spikes).float()
    y = torch.from_numpy(trained.samples.labels)
    everything = density(floats(trained), x, y, 1.0)
    assert everything.hidden == [1.0]
    recipe = Recipe.check({**FIELDS, "training": {"gradient_band": 0.2}}, "test")
    net = nets.build(recipe, (1, 4, 4), 2)
    net.load_state_dict(trained.net.state_dict())
    narrow = density(floats(replace(trained, net=net, recipe=recipe)), x, y, 1.0)
    with torch.no_grad():
        linear, neuron = list(net)[:2]
        _, u = nets.over_time(neuron, linear(x.transpose(0, 1)))
    assert narrow.hidden == [pytest.approx(float(((u - 1).abs() <= 0.2).float().mean()))]
    assert narrow.norm < everything.norm


def test_steep_surrogates_hide_what_mild_ones_find(trained):
    """Why attacks sweep surrogates."""
    victim = floats(trained)
    x = torch.from_numpy(trained.samples.spikes).float()
    y = victim(x)[1].argmax(1)
    fooled = {}
    for slope in (1.0, 1e12):
        with victim.through(build("fast_sigmoid", slope=slope)):
            found = ascend(ASCENTS["fgsm"], victim, Flips(0.1), x, y)
            fooled[slope] = found.fooled.sum().item()
    assert fooled[1.0] > fooled[1e12]
