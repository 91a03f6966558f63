import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen.errors import SpikewrightError
from spikewright.model.robustness.budget import Flips, Level, Shifts

EVENTS = {
    "flip": lambda share: Flips(share), "add": lambda share: Flips(share, "add"),
    "remove": lambda share: Flips(share, "remove"), "shift": lambda share: Shifts(share),
}


@st.composite
def draws(draw):
    torch.manual_seed(draw(st.integers(0, 10_000)))
    return tuple(draw(st.integers(1, n)) for n in (4, 6, 5))


@given(shape=draws(), most=st.integers(2, 255), epsilon=st.floats(0.01, 1),
       size=st.floats(0, 5), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_levels_stay_whole_and_near(shape, most, epsilon, size, share):
    budget = Level(max(epsilon, 1 / most), most)
    x = torch.randint(0, most + 1, shape).float()
    wild = torch.randn(shape) * size
    generator = torch.Generator().manual_seed(0)
    for z in (wild, budget.project(wild, x), budget.ascent(wild, x),
              budget.mutate(wild, x, share, generator)):
        changed = budget.apply(z, x)
        assert (changed == changed.round()).all()
        assert 0 <= changed.min() <= changed.max() <= most
        assert (changed - x).abs().max() <= budget.levels <= max(epsilon, 1 / most) * most + 1e-5
        assert budget.spent(changed, x).max() <= 1
    assert torch.equal(budget.apply(budget.zero(x), x), x)


@given(shape=draws(), kind=st.sampled_from(list(EVENTS)), share=st.floats(0.01, 1),
       rate=st.floats(0, 1), size=st.floats(0, 5), drawn=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_events_stay_events_and_few_change(shape, kind, share, rate, size, drawn):
    budget = EVENTS[kind](share)
    x = (torch.rand(shape) < rate).float()
    wild = torch.randn(budget.zero(x).shape) * size
    projected = budget.project(wild, x)
    assert 0 <= projected.min() <= projected.max() <= 1
    k = budget.count(x)
    assert (k == (x.flatten(1).sum(1) * share + 1e-4).floor().clamp(min=1)).all()
    assert (projected.flatten(1).sum(1) <= k + 1e-3).all()
    for z in (wild, projected, budget.ascent(wild, x),
              budget.mutate(projected, x, drawn, torch.Generator().manual_seed(0))):
        changed = budget.apply(z, x)
        assert ((changed == 0) | (changed == 1)).all()
        assert budget.spent(changed, x).max() <= 1
        if kind == "shift":
            assert torch.equal(changed.sum(1), x.sum(1))
            assert ((changed != x).flatten(1).sum(1) <= 2 * k).all()
        else:
            assert ((changed != x).flatten(1).sum(1) <= k).all()
        assert kind != "add" or (changed >= x).all()
        assert kind != "remove" or (changed <= x).all()


@given(values=st.lists(st.floats(-2, 4), min_size=1, max_size=8), events=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_projection_is_the_nearest_point(values, events):
    budget, x = Flips(1.0), torch.zeros(1, 1, 8)
    x[0, 0, :events] = 1
    wanted = torch.zeros(1, 1, 8)
    wanted[0, 0, : len(values)] = torch.tensor(values)
    found = budget.project(wanted, x)
    # What is taken from coordinates that lie between 0 and 1 is the same, and nothing if the
    # budget is not spent: the conditions of the nearest point of a convex set.
    inside = (found > 1e-5) & (found < 1 - 1e-5)
    taken = (wanted - found)[inside]
    assert len(taken) == 0 or taken.max() - taken.min() < 1e-4
    if found.sum() < events - 1e-3:
        assert torch.allclose(found, wanted.clamp(0, 1), atol=1e-5)


def test_an_event_moves_by_one_timestep_only():
    budget, x = Shifts(1.0), torch.zeros(1, 5, 2)
    x[0, 2, 0] = 1
    late = x.roll(1, 1)
    assert budget.spent(late, x).item() == 1
    assert budget.spent(x.roll(2, 1), x).item() == 2
    assert budget.spent(torch.zeros_like(x), x).item() == torch.inf
    wanted = budget.zero(x)
    wanted[0, 1, 2, 0] = 1
    assert torch.equal(budget.apply(wanted, x), late)


def test_budgets_that_allow_nothing_are_refused():
    with pytest.raises(SpikewrightError, match=r"at least 0\.06667"):
        Level(8 / 255, 15)
    assert Level(8 / 255, 255).levels == 8
    with pytest.raises(SpikewrightError, match="at most 1"):
        Flips(0.0)
