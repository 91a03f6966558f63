"""Recipes: TOML of anybody's becomes a recipe whose every number is one, or is refused."""

import math
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.model.recipe import Recipe, bundled
from spikewright.model.recipe import _folder as folder_of_recipes

from .law import Refused, attempt, budget, untouched
from .mutations import accidents, after, toml_of, twisted

pytestmark = pytest.mark.usefixtures("little_memory")

#: What the bundled recipes say, and how.
TEXTS = {name: (folder_of_recipes() / f"{name}.toml").read_bytes() for name in bundled()}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("recipes") / "mine.toml"


def load(path, content):
    path.write_bytes(content)
    with untouched(path.parent):
        assert_finite(attempt(Recipe.load, str(path)))


def assert_finite(got):
    """A recipe that is accepted has no number that is none, and is the same when read again."""
    if not isinstance(got, Refused):
        assert all(math.isfinite(number) for number in _numbers(got.model_dump()))
        assert Recipe.check(got.model_dump(mode="json"), "again") == got


def _numbers(value: Any):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, float):
        yield value


@budget(150)
@given(name=st.sampled_from(sorted(TEXTS)), data=st.data())
def test_damaged_text(path, name, data):
    load(path, after(TEXTS[name], data.draw(accidents(TEXTS[name]))))


@budget(300)
@given(name=st.sampled_from(sorted(TEXTS)), data=st.data())
def test_twisted_fields(path, name, data):
    tree = data.draw(twisted(tomllib.loads(TEXTS[name].decode())))
    load(path, toml_of(tree) if isinstance(tree, dict) else str(tree).encode(errors="replace"))


@budget(150)
@given(data=st.data(), tree=st.data())
def test_every_field_there_is(path, data, tree):
    """Those that no bundled recipe names, too."""
    whole = Recipe.load("digits").model_dump(mode="json", exclude_none=True)
    twist = tree.draw(twisted(whole))
    load(path, toml_of(twist) if isinstance(twist, dict) else b"")


@budget(100)
@given(part=st.sampled_from(["training", "quantisation", "data", "encoding"]),
       given_value=st.one_of(st.text(max_size=8), st.integers(), st.floats(),
                             st.sampled_from([math.inf, math.nan])),
       field=st.sampled_from(["seed", "epochs", "sharpness", "bits", "membrane_bits",
                              "budget_kbits", "method", "source", "time_window"]))
def test_options(part, field, given_value):
    assert_finite(attempt(Recipe.load("digits").override, part, **{field: given_value}))
