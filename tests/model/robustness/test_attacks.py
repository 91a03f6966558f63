from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.model.robustness.attacks import (
    ASCENTS,
    Ascent,
    ascend,
    checkpoints,
    margin,
    search,
)
from spikewright.model.robustness.budget import Flips, Level, Shifts

BUDGETS = {"level": lambda: Level(0.2, 15), "flip": lambda: Flips(0.3),
           "shift": lambda: Shifts(0.5)}


def _linear(inputs, classes, seed):
    weights = torch.randn(classes, inputs, generator=torch.Generator().manual_seed(seed))
    return lambda x: x.flatten(1) @ weights.T


def _net(logits):
    return lambda x: (logits(x), logits(x))


@given(seed=st.integers(0, 1000), kind=st.sampled_from(list(BUDGETS)),
       attack=st.sampled_from(list(ASCENTS)))
@settings(max_examples=40, deadline=None)
def test_attacks_stay_in_the_budget_and_never_help(seed, kind, attack):
    torch.manual_seed(seed)
    budget, logits = BUDGETS[kind](), _linear(24, 3, seed)
    x = torch.randint(0, 16 if kind == "level" else 2, (5, 4, 6)).float()
    y = torch.randint(3, (5,))
    start = x.clone()
    found = ascend(ASCENTS[attack], _net(logits), budget, x, y)
    assert torch.equal(x, start)
    assert budget.spent(found.x, x).max() <= 1
    assert torch.equal(found.fooled, logits(found.x).argmax(1) != y)
    assert (found.fooled >= (logits(x).argmax(1) != y)).all()
    controlled = search(_net(logits), budget, x, y, queries=20, seed=seed)
    assert budget.spent(controlled.x, x).max() <= 1
    assert (margin(logits(controlled.x), y) >= margin(logits(x), y)).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_one_step_finds_the_best_flips_of_a_linear_net(seed):
    torch.manual_seed(seed)
    budget, logits = Flips(0.5), _linear(8, 2, seed)
    x, y = (torch.rand(1, 2, 4) < 0.5).float(), torch.zeros(1, dtype=torch.int64)
    k = int(budget.count(x))
    best = max(
        float(margin(logits((x.flatten() - torch.eye(8)[list(which)].sum(0)).abs().view_as(x)),
                     y))
        for size in range(k + 1) for which in combinations(range(8), size)
    )
    for attack in ASCENTS.values():
        climb = Ascent(attack.name, attack.steps, attack.step, attack.adaptive, "margin")
        found = ascend(climb, _net(logits), budget, x, y)
        assert found.loss.item() == pytest.approx(best, abs=1e-4)


def test_more_steps_climb_higher():
    torch.manual_seed(0)
    first, second = torch.randn(30, 40), torch.randn(3, 30)

    def logits(x):
        return (x.flatten(1) @ first.T / 20).sin() @ second.T

    x, y = torch.randint(0, 16, (64, 2, 20)).float(), torch.randint(3, (64,))
    found = {}
    for name, attack in ASCENTS.items():
        climb = Ascent(name, attack.steps, attack.step, attack.adaptive, "margin")
        found[name] = ascend(climb, _net(logits), Level(0.2, 15), x, y).loss.mean().item()
    assert found["fgsm"] < found["pgd"] < found["apgd"]


def test_checkpoints_are_those_of_the_paper():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_search_needs_no_gradient():
    weights = np.random.default_rng(0).normal(size=(2, 12))

    def decide(x):
        return torch.from_numpy((x.flatten(1).numpy() @ weights.T > 1).astype(np.float32))

    x = (torch.rand(40, 3, 4) < 0.5).float()
    y = decide(x).argmax(1)
    found = search(_net(decide), Flips(0.5), x, y, queries=100, seed=0)
    assert found.fooled.float().mean() > 0.5
    again = search(_net(decide), Flips(0.5), x, y, queries=100, seed=0)
    assert torch.equal(found.x, again.x)


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_foolbox_finds_the_same(attack):
    foolbox = pytest.importorskip("foolbox")
    torch.manual_seed(0)
    most, epsilon = 1 << 20, 8 / 255
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 3)).double().eval()
    x, y = torch.rand(20, 4, 6, dtype=torch.float64), torch.randint(3, (20,))
    theirs = {"fgsm": lambda: foolbox.attacks.LinfFastGradientAttack(),
              "pgd": lambda: foolbox.attacks.LinfProjectedGradientDescentAttack(
                  abs_stepsize=2.55 / 255, steps=7, random_start=False)}[attack]()
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    _, expected, _ = theirs(model, x, y, epsilons=epsilon)

    def logits(levels):
        return net(levels / most)

    found = ascend(ASCENTS[attack], _net(logits), Level(epsilon, most), x * most, y)
    loss = torch.nn.functional.cross_entropy(net(expected), y, reduction="none")
    assert torch.allclose(found.loss, loss, atol=1e-5)
    assert (found.fooled >= (net(expected).argmax(1) != y)).all()
