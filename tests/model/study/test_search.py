import pytest

from spikewright.gen.errors import RecipeError
from spikewright.model.study.search import search


def asked(searching):
    found = []
    while (chosen := searching.ask()) is not None:
        found.append(chosen)
    return found


def test_a_grid_is_every_combination_once(make_study):
    study = make_study({"beta": (0.5, 0.75), "seed": (0, 1, 2)})
    found = asked(search(study))
    assert len(found) == search(study).total == 6
    assert found[:3] == [{"beta": 0.5, "seed": seed} for seed in range(3)]


def test_a_slope_without_effect_makes_no_second_trial(make_study):
    study = make_study({"surrogate": ("heaviside", "atan"), "slope": (1, 2)})
    assert len(asked(search(study))) == 3


def test_a_table_sets_several_names(make_study):
    study = make_study({"kind": ({"surrogate": "atan", "slope": 2}, {"surrogate": "SSO"})})
    assert asked(search(study)) == [{"surrogate": "atan", "slope": 2}, {"surrogate": "SSO"}]


def test_random_trials_repeat_and_stay_in_range(make_study):
    study = make_study(
        {"beta": {"low": 0.5, "high": 1.0}, "slope": {"low": 1, "high": 100, "log": True}},
        search={"kind": "random", "trials": 50, "seed": 3})
    found = asked(search(study))
    assert found == asked(search(study))
    assert all(0.5 <= each["beta"] <= 1 and 1 <= each["slope"] <= 100 for each in found)
    assert all(isinstance(each["slope"], int) for each in found)
    # Half of them below 10, of so many between 30 and 70 % by all chance.
    assert 0.3 < sum(each["slope"] <= 10 for each in found) / len(found) < 0.7


def test_impossible_combinations_are_refused_before_anything_runs(make_study):
    with pytest.raises(RecipeError, match="no smooth form"):
        search(make_study({"surrogate": ("atan", "SSO"), "method": ("sast",)}))


def guided(make_study, trials):
    return make_study({"beta": {"low": 0.1, "high": 1.0}, "hidden": ([8], [16])},
                      search={"kind": "optuna", "trials": trials, "seed": 1,
                              "objectives": ["accuracy", "cycles"]})


def figures(chosen):
    """Best at β = 0.3; cycles follow the neurons."""
    return {"accuracy": 1 - (chosen["beta"] - 0.3) ** 2, "cycles": chosen["hidden"][0]}


def test_optuna_finds_what_is_better(make_study):
    searching = search(guided(make_study, 60))
    found = []
    while (chosen := searching.ask()) is not None:
        found.append(chosen)
        searching.tell(chosen, figures(chosen))
    assert len(found) == 60
    far = [abs(each["beta"] - 0.3) for each in found]
    assert sum(far[-20:]) < sum(far[:20])


def test_optuna_goes_on_with_what_it_is_told(make_study):
    study = guided(make_study, 12)
    first = search(study)
    before = [first.ask() for _ in range(10)]
    second = search(study)
    for chosen in before:
        second.remember(chosen)
        second.tell(chosen, figures(chosen))
    more = asked(second)
    assert len(more) == 2
    assert not [each for each in more if each in before]


def test_optuna_ends_where_nothing_is_left(make_study):
    study = make_study({"beta": (0.5, 0.75)},
                       search={"kind": "optuna", "trials": 10, "objectives": ["cycles"]})
    searching = search(study)
    assert sorted(each["beta"] for each in asked(searching)) == [0.5, 0.75]
    assert searching.total == 2
