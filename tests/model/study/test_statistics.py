import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spikewright.model.study.statistics import (
    bound,
    by_task,
    choices,
    correlation,
    front,
    interval,
    sensitivity,
    varying,
)
from spikewright.model.study.store import Row


def row(number, figures, **settings):
    return Row(str(number), number, settings, "runs/x", "finished", figures, None)


def grid(figure, seeds=3):
    """Rows of β × lanes × seed whose cycles are ``figure(β, lanes, seed)``."""
    return [row(n, {"cycles": figure(beta, lanes, seed)}, beta=beta, lanes=lanes, seed=seed)
            for n, (beta, lanes, seed) in enumerate(
                (b, width, s) for b in (0.5, 0.75) for width in ("8", "4") for s in range(seeds))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_the_interval_is_students(values):
    made = interval(values)
    assert made.half is not None
    if stats.sem(values):
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert made.mean - made.half == pytest.approx(low, abs=1e-6)
        assert made.mean + made.half == pytest.approx(high, abs=1e-6)


def test_tasks_are_kept_apart():
    rows = [row(n, {"cycles": n}, recipe=recipe, seed=n) for n, recipe in enumerate("aab")]
    assert {name: len(part) for name, part in by_task(rows).items()} == {"a": 2, "b": 1}
    assert list(by_task(rows[:2])) == [""]
    data = [row(n, {"cycles": n}, **{"recipe": recipe, "data.source": source})
            for n, (recipe, source) in enumerate((("a", "x"), ("b", "y"), ("b", "z")))]
    assert list(by_task(data)) == ["a, x", "b, y", "b, z"]
    assert list(by_task(data[:2])) == ["a", "b"]


def test_one_value_has_no_interval():
    assert interval([3.0]).half is None
    assert interval([3.0]).text() == "3.000"


@pytest.mark.parametrize(("values", "scale", "decimals", "text"), [
    ([12_345.6], 1, None, "12,346"), ([1.0, 3.0], 1, None, "2.000 ± 12.706"),
    ([0.5], 100, 2, "50.00"), ([4321.0], 1e-3, None, "4.321"),
])
def test_text_has_four_digits_or_what_is_asked(values, scale, decimals, text):
    assert interval(values).text(scale, decimals) == text


def test_repetitions_are_one_choice():
    rows = grid(lambda beta, lanes, seed: 10 * beta + seed)
    found = choices(rows)
    assert len(found) == 4
    assert [len(each.rows) for each in found] == [3] * 4
    assert found[0].settings == {"beta": 0.5, "lanes": "8"}
    assert found[0].values("cycles") == [5, 6, 7]
    assert varying(rows) == ["beta", "lanes"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_the_front_is_what_nothing_beats(points):
    rows = [row(n, {"accuracy": a, "cycles": c}, beta=n) for n, (a, c) in enumerate(points)]
    best = {each.settings["beta"] for each in front(choices(rows), ("accuracy", "cycles"))}
    for n, (a, c) in enumerate(points):
        beaten = any(x >= a and y <= c and (x, y) != (a, c) for x, y in points)
        assert (n in best) == (not beaten)


def test_choices_without_a_figure_are_on_no_front():
    rows = [row(0, {"accuracy": 1.0, "energy_pj": None}, beta=1),
            row(1, {"accuracy": 0.5, "energy_pj": 3.0}, beta=2)]
    assert [c.settings["beta"] for c in front(choices(rows), ("accuracy", "energy_pj"))] == [2]


def test_sensitivity_is_over_seeds_where_all_saw_the_same():
    rows = grid(lambda beta, lanes, seed: 100 * beta + (lanes == "4") + seed)
    found = sensitivity(rows, "beta", "cycles")
    assert found.over == "seeds"
    assert [(label, level.mean, level.n) for label, level in found.levels] == [
        ("0.5", 51.5, 3), ("0.75", 76.5, 3)]
    # What the other setting does is in no interval: seeds alone are, 0, 1 and 2.
    assert found.levels[0][1].half == pytest.approx(interval([0, 1, 2]).half)
    assert found.effect == 25
    # Every seed says the same of the change, so there is no doubt about it.
    assert (found.changes[0], found.changes[1].mean, found.changes[1].half) == (None, 25, 0)
    assert sensitivity(rows[1:], "beta", "cycles").over == "trials"
    assert sensitivity(rows[1:], "beta", "cycles").changes == (None, None)
    assert sensitivity(rows, "beta", "accuracy") is None


def test_fields_that_go_with_other_settings_are_no_settings_of_their_own():
    cells = [(beta, neuron, slope) for beta in (0.5, 0.75) for neuron in ("leaky", "lapicque")
             for slope in (1, 2)]
    rows = [row(n, {"cycles": 100 * beta + seed}, **{
        "beta": beta, "neuron": neuron, "slope": slope, "seed": seed,
        "training.gain": 1 if neuron == "leaky" else 1 / beta, "training.rate": slope + seed % 2})
        for n, (seed, (beta, neuron, slope)) in enumerate(
            (seed, cell) for seed in range(3) for cell in cells)]
    assert varying(rows) == ["beta", "neuron", "slope", "training.gain", "training.rate"]
    assert bound(rows) == ["training.gain"]
    # Of a random search every choice has its own β, which all fields would follow from.
    assert bound([row(n, {"cycles": n}, **{"beta": n / 10, "training.gain": n % 3})
                  for n in range(10)]) == []
    fewer = [each for each in rows if each.settings["slope"] == 1 and each.settings["seed"] < 2]
    assert sensitivity(fewer, "beta", "cycles").over == "trials"
    found = sensitivity(fewer, "beta", "cycles", ["training.gain", "training.rate"])
    assert (found.over, found.changes[1].mean, found.changes[1].half) == ("seeds", 25, 0)


def test_many_numbers_are_shown_in_quarters():
    rows = [row(n, {"cycles": n}, beta=n / 100) for n in range(100)]
    found = sensitivity(rows, "beta", "cycles")
    assert [level.n for _, level in found.levels] == [25] * 4
    assert [level.mean for _, level in found.levels] == [12, 37, 62, 87]


def test_correlation_is_that_of_choices():
    rows = [row(n, {"accuracy": n // 2, "cycles": (n // 2) ** 3 + n % 2}, beta=n // 2, seed=n % 2)
            for n in range(20)]
    found = correlation(choices(rows), "accuracy", "cycles")
    assert (found.n, found.spearman) == (10, pytest.approx(1))
    assert found.pearson < 0.99
    assert correlation(choices(rows[:8]), "accuracy", "cycles") is None
    flat = [row(n, {"accuracy": 1, "cycles": n}, beta=n) for n in range(10)]
    assert correlation(choices(flat), "accuracy", "cycles") is None


def test_intervals_of_correlations_hold_what_they_promise():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(100):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 30).T
        found = correlation(choices([row(n, {"accuracy": a, "cycles": c}, beta=n) for n, (a, c)
                                     in enumerate(zip(x, y, strict=True))]), "accuracy", "cycles")
        hits += found.low <= 6 / np.pi * np.arcsin(0.3) <= found.high
    assert hits / 100 > 0.9
