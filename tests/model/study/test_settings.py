from collections import Counter

import pytest

from spikewright.gen.errors import RecipeError
from spikewright.model.study.settings import Study
from spikewright.model.study.space import settings
from spikewright.model.study.trial import resolve
from spikewright.model.surrogates import PARAMETERS, STEEPNESS


@pytest.mark.parametrize(("text", "said"), [
    ('name = "a"', "space: Field required"),
    ('name = "a b"\n[space]\nbeta = [1]', "name: "),
    ('name = "a"\n[space]\nbeta = []', "space.beta.choices: "),
    ('name = "a"\n[space]\nbeta = {low = 1, high = 0.5}', "low must be below high"),
    ('name = "a"\n[space]\nbeta = {low = 0.5, high = 1}', "space.beta: is a range"),
    ('name = "a"\n[space]\nbeta = [1]\n[search]\nkind = "random"', "trials is missing"),
    ('name = "a"\n[space]\nbeta = [1]\n[search]\ntrials = 3', "a grid has as many"),
    ('name = "a"\n[space]\nbeta = [1]\n[search]\nobjectives = ["speed"]', "search.objectives.0: "),
    ('name = "a"\n[space]\nbeta = [1]\n[set]\nbeta = 1', "set.beta: varies in space too"),
    ('name = "a"\n[space]\nbeta = [1]\nretry = 3', "space.retry"),
])
def test_messages_name_the_field(tmp_path, text, said):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as error:
        Study.load(str(path))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("fields", "said"), [
    ({"net.gamma": 1}, "net.gamma"),
    ({"speed": 1}, "speed: is no field"),
    ({"nothing.here": 1}, "nothing.here: is no field"),
    ({"beta": 2}, "net.beta"),
    ({"method": "magic"}, "allowed are plain, sast, sparse-gradient, conversion"),
    ({"surrogate": "heaviside", "method": "sast"}, "no smooth form"),
])
def test_impossible_trials_are_refused_by_field(fields, said):
    with pytest.raises(RecipeError) as error:
        resolve("digits", fields)
    assert said in str(error.value)


def test_short_names_are_fields():
    trial = resolve("digits", {
        "surrogate": "atan", "slope": 3, "neuron": "lapicque", "beta": 0.5, "theta": 2,
        "reset": "zero", "bits": 3, "seed": 7, "hidden": [20, 10], "lanes": [4, 2, 1]})
    recipe = trial.recipe
    assert (recipe.surrogate.name, recipe.surrogate.alpha, recipe.surrogate.slope) == (
        "atan", 3, None)
    assert (recipe.net.neuron, recipe.net.beta, recipe.net.threshold) == ("lapicque", 0.5, 2)
    assert (recipe.net.reset_mechanism, recipe.net.hidden) == ("zero", (20, 10))
    assert (recipe.quantisation.bits, recipe.training.seed) == (3, 7)
    assert trial.hardware["lanes"] == "4,2,1"


@pytest.mark.parametrize("method", ["plain", "sast", "sparse-gradient", "conversion"])
def test_methods_set_what_they_need_and_no_more(method):
    recipe = resolve("digits", {"method": method}).recipe
    assert (recipe.surrogate.forward == "smooth") == (method == "sast")
    assert bool(recipe.training.sharpness) == (method == "sast")
    assert (recipe.training.gradient_band is not None) == (method == "sparse-gradient")
    given = resolve("digits", {"method": "sast", "training.sharpness": 0.3}).recipe
    assert given.training.sharpness == 0.3


def test_more_timesteps_see_as_much_of_a_recording():
    recipe = resolve("digits", {"timesteps": 6}).recipe
    assert (recipe.encoding.timesteps, recipe.encoding.time_window) == (6, 50_000)


def test_the_key_is_that_of_the_settings():
    plain = resolve("digits", {"beta": 0.5, "lanes": "8,1"})
    assert plain.key == resolve("digits", {"lanes": "8,1", "net.beta": 0.5}).key
    other = resolve("digits", {"beta": 0.5, "lanes": "4,1"})
    assert (other.model, other.key == plain.key) == (plain.model, False)
    assert resolve("digits", {"beta": 0.6, "lanes": "8,1"}).model != plain.model


def test_bundled_studies_are_possible():
    from spikewright.model.study.search import search

    quick = Study.load("study-quick")
    assert search(quick).total == quick.combinations == 48
    # All of the other one's are 9,792; each surrogate and each data set are enough.
    full = Study.load("surrogates")
    assert full.combinations == 3 * 34 * 2 * 2 * 2 * 3 * 2 * 2
    slopes = Counter()
    for data in full.space["data"]:
        for chosen in full.space["surrogate"]:
            trial = full.trial(settings({"data": data, "surrogate": chosen}) | {"beta": 0.75})
            slopes[trial.recipe.surrogate.name, trial.recipe.name] += 1
    assert {name for name, _ in slopes} == set(PARAMETERS)
    assert all(count == (4 if name in STEEPNESS else 1) for (name, _), count in slopes.items())
