"""A trial: a recipe, how it is trained, the hardware that it is measured on, and their digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...gen.errors import RecipeError
from ..recipe import Recipe
from ..surrogates import STEEPNESS
from .space import FIELDS, HARDWARE, METHODS, OTHERS

#: Of what :attr:`Trial.key` is a digest of.
VERSION = 1


@dataclass(frozen=True)
class Trial:
    """``settings`` are the names that decided; ``hardware`` holds board, lanes, ways and slices
    (None: not given), the ``samples`` that are counted (None: all) and the ``energy`` setting."""

    settings: dict[str, Any]
    recipe: Recipe
    method: str
    hardware: dict[str, Any]

    @property
    def model(self) -> str:
        """Digest of all that decides the net; trials that share it are trained once."""
        return _digest({"recipe": self.recipe.model_dump(mode="json"), "method": self.method})

    @property
    def key(self) -> str:
        """Digest of all that decides the figures."""
        return _digest({"model": self.model, "hardware": self.hardware})

    @property
    def needs_gpu(self) -> bool:
        """Whether it asks for a GPU, rather than taking one if it is there."""
        return self.recipe.training.device == "cuda"


def resolve(
    base: str, settings: Mapping[str, Any], *, samples: int | None = None, energy: str = "typical",
    where: str = "study",
) -> Trial:
    """The trial that recipe ``base`` becomes with ``settings``, in the names of :mod:`.space`.

    Raises
    ------
    RecipeError
        Naming the field, if a name is unknown, a value out of range, or they do not go together.
    """
    recipe = _loaded(str(settings.get("recipe", base)))
    if isinstance(settings.get("data"), str):
        recipe = recipe.from_source(settings["data"])
    fields = recipe.model_dump(mode="json")
    method = settings.get("method", _method(recipe))
    if method not in METHODS:
        raise RecipeError(f"{where}: method: {method!r} is unknown; allowed are "
                          f"{', '.join(METHODS)}")
    given = {FIELDS.get(name, name): value for name, value in settings.items()
             if name not in OTHERS}
    if "method" in settings:
        given = METHODS[method] | given
    if given.get("surrogate.name", fields["surrogate"]["name"]) != fields["surrogate"]["name"]:
        fields["surrogate"] = {"name": given["surrogate.name"],
                               "forward": fields["surrogate"]["forward"]}
    if "timesteps" in settings and "encoding.time_window" not in given:
        window, before = fields["encoding"]["time_window"], fields["encoding"]["timesteps"]
        if window is not None and _positive(settings["timesteps"]):
            fields["encoding"]["time_window"] = window * before / settings["timesteps"]
    for name, value in given.items():
        _put(fields, name, value, where)
    if "slope" in settings:
        parameter = STEEPNESS.get(fields["surrogate"]["name"])
        if parameter is not None:
            fields["surrogate"][parameter] = settings["slope"]
    checked = Recipe.check(fields, where)
    hardware = {name: _listed(settings.get(name)) for name in HARDWARE}
    hardware |= {"samples": samples, "energy": energy}
    return Trial(dict(settings), checked, method, hardware)


@lru_cache
def _loaded(recipe: str) -> Recipe:
    """Read once, so that all trials of a study start from the same."""
    return Recipe.load(recipe)


def _method(recipe: Recipe) -> str:
    """What a recipe does, if nobody says."""
    if recipe.training.gradient_band is not None:
        return "sparse-gradient"
    return "sast" if recipe.surrogate.forward == "smooth" else "plain"


def _put(fields: dict[str, Any], name: str, value: Any, where: str) -> None:
    *path, last = name.split(".")
    for part in path:
        fields = fields.get(part) if isinstance(fields, dict) else None  # type: ignore[assignment]
    if not isinstance(fields, dict) or (not path and last not in fields):
        short = ", ".join((*FIELDS, *OTHERS))
        raise RecipeError(f"{where}: {name}: is no field of a recipe; give one such as "
                          f"training.epochs, or one of {short}")
    fields[last] = value


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _listed(value: Any) -> str | None:
    """Numbers for each layer as an option has them, "4,1"."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return None if value is None else str(value)


def _digest(value: Any) -> str:
    text = json.dumps({"version": VERSION, "of": value}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
