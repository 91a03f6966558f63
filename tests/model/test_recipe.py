import pytest

from spikewright.gen.errors import RecipeError
from spikewright.model.recipe import Recipe, bundled

MINIMAL = {"encoding": {"timesteps": 2}, "net": {"beta": 0.9}}


def test_bundled():
    assert {"breast_cancer", "digits", "dvs_objects", "mnist", "nmnist", "nmnist_conv",
            "nmnist_conv_fast", "sast_nmnist"} <= set(bundled())


@pytest.mark.parametrize("name", bundled())
def test_bundled_recipes_load(name):
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert Recipe.check(recipe.model_dump(mode="json"), "again") == recipe


def _with(**parts):
    fields = {key: dict(value) for key, value in MINIMAL.items()}
    for part, values in parts.items():
        fields.setdefault(part, {}).update(values)
    return fields


@pytest.mark.parametrize(("fields", "words"), [
    (_with(net={"width": 3}), "net.width: Extra inputs"),
    (_with(training={"epochs": 0}), r"training.epochs: .* \(given: 0\)"),
    (_with(quantisation={"bits": 9}), "quantisation.bits"),
    (_with(net={"neuron": "izhikevich"}), "net.neuron: .*'leaky', 'lapicque'"),
    (_with(net={"R": 1}), "needs beta, and has no R, C and time_step"),
    (_with(net={"neuron": "lapicque", "beta": None, "R": 2}), "needs beta, or R and C"),
    (_with(net={"neuron": "lapicque", "beta": 1}), "between 0 and 1"),
    (_with(net={"neuron": "lapicque", "R": 1, "C": 1}), "two of beta, R and C"),
    (_with(net={"neuron": "lapicque", "reset_delay": False}), "always delays"),
    (_with(surrogate={"name": "cubic"}), "'cubic' is unknown; allowed are LSO"),
    (_with(surrogate={"name": "atan", "slope": 3}), "atan has no slope; it takes alpha"),
    (_with(surrogate={"name": "heaviside", "slope": 3}), "it takes no parameters"),
    ({"net": {"beta": 0.9}}, "encoding: Field required"),
])
def test_wrong_fields(fields, words):
    with pytest.raises(RecipeError, match=words) as caught:
        Recipe.check(fields, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)


def test_files(tmp_path):
    with pytest.raises(RecipeError, match=r"'diggits' is no recipe; .* digits, .*mnist, nmnist"):
        Recipe.load("diggits")
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(str(tmp_path / "none.toml"))
    path = tmp_path / "bad.toml"
    path.write_text("[net\n")
    with pytest.raises(RecipeError, match="no valid TOML"):
        Recipe.load(str(path))


def test_overrides_leave_the_rest():
    recipe = Recipe.load("digits")
    assert recipe.override("training", epochs=None, seed=None) == recipe
    changed = recipe.override("training", epochs=3)
    assert changed.training.epochs == 3
    assert changed.net == recipe.net
    with pytest.raises(RecipeError, match=r"option: training\.epochs"):
        recipe.override("training", epochs=-1)


def test_another_kind_of_source_is_split_its_own_way():
    recipe = Recipe.load("digits")
    assert recipe.from_source(None) is recipe
    assert recipe.from_source("nmnist").data.train is None
    events = recipe.from_source("events:a.npz").override("data", train=7)
    assert events.from_source("events:b.npz").data.train == 7
    grouped = Recipe.load("dvs_objects")
    assert grouped.from_source("events:b.npz").data.split == "recording"
    assert grouped.from_source("digits").data.split is None
