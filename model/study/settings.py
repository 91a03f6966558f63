"""A study, as its TOML file says it."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ...gen.errors import RecipeError
from ..fields import Part, checked
from .space import Axis, Range, flat
from .trial import Trial, resolve

#: What a search may ask for → whether more is better.
OBJECTIVES = {
    "accuracy": True, "cycles": False, "latency_us": False, "synops": False, "energy_pj": False,
    "logic": False, "blocks": False, "weight_bits": False,
}

Objective = Literal["accuracy", "cycles", "latency_us", "synops", "energy_pj", "logic", "blocks",
                    "weight_bits"]

#: Most trials of a grid: a slip in one axis must not become a month of work.
MOST_TRIALS = 100_000


class Search(Part):
    """How trials are chosen."""

    #: Every combination; so many at random; or those that Optuna asks for, to find what no other
    #: trial beats in all objectives.
    kind: Literal["grid", "random", "optuna"] = "grid"
    #: Of random and optuna.
    trials: int | None = Field(default=None, ge=1, le=MOST_TRIALS)
    seed: int = Field(default=0, ge=0, lt=2**32)
    #: What the report weighs against each other, and Optuna looks for.
    objectives: tuple[Objective, ...] = Field(default=("accuracy", "cycles"), min_length=1)
    #: Of optuna: tree-structured Parzen estimator, or a genetic algorithm.
    sampler: Literal["tpe", "nsga2"] = "tpe"

    @model_validator(mode="after")
    def _trials(self) -> Self:
        if self.kind == "grid" and self.trials is not None:
            raise ValueError("trials is given, but a grid has as many as its space; drop it, or "
                             "use kind = 'random' or 'optuna'")
        if self.kind != "grid" and self.trials is None:
            raise ValueError(f"trials is missing; kind = {self.kind!r} needs a number")
        if len(set(self.objectives)) != len(self.objectives):
            raise ValueError("objectives holds one of them twice; name each once")
        return self


class Study(Part):
    """A whole study."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    description: str = ""
    #: Bundled recipe or .toml file that every trial starts from.
    recipe: str = "digits"
    #: Fields that are the same in all trials, where they differ from the recipe's.
    set: dict[str, Any] = {}
    #: Fields that vary.
    space: dict[str, Axis] = Field(min_length=1)
    search: Search = Search()
    #: Held-back samples that cycles and energy are counted on, from the first; None: all.
    samples: int | None = Field(default=None, ge=1)
    #: minimum, typical, worst or a .toml file, as `spikewright energy` takes them.
    energy: str = "typical"
    #: How often a trial that died is tried again before it is recorded as failed.
    retries: int = Field(default=2, ge=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return fields | {part: dict(flat(fields[part])) for part in ("set", "space")
                         if isinstance(fields.get(part), dict)}

    @model_validator(mode="after")
    def _enumerable(self) -> Self:
        ranges = [name for name, axis in self.space.items() if isinstance(axis, Range)]
        if self.search.kind == "grid" and ranges:
            raise ValueError(f"space.{ranges[0]}: is a range, which a grid cannot enumerate; list "
                             f"its values, or use search.kind = 'random' or 'optuna'")
        twice = set(self.set) & set(self.space)
        if twice:
            raise ValueError(f"set.{min(twice)}: varies in space too; name it in one of them")
        if self.search.kind == "grid" and self.combinations > MOST_TRIALS:
            raise ValueError(f"space: has {self.combinations:,} combinations, of which "
                             f"{MOST_TRIALS:,} are allowed; use search.kind = 'random', or list "
                             f"fewer values")
        return self

    @property
    def combinations(self) -> int:
        """Of a space of choices."""
        number = 1
        for axis in self.space.values():
            number *= len(axis) if isinstance(axis, tuple) else 1
        return number

    def trial(self, settings: dict[str, Any]) -> Trial:
        """The trial of ``settings``; RecipeError, naming the field, if there is none."""
        return resolve(self.recipe, self.set | settings, samples=self.samples, energy=self.energy,
                       where=self.name)

    @classmethod
    def load(cls, study: str) -> Self:
        """The study in TOML file ``study``, or the bundled one of that name.

        Raises
        ------
        RecipeError
            If there is no such study, it is no TOML, or a field is unknown or out of range.
        """
        folder = resources.files("spikewright.model") / "studies"
        bundled = sorted(Path(p.name).stem for p in folder.iterdir() if p.name.endswith(".toml"))
        path = Path(study)
        try:
            if path.suffix == ".toml":
                text = path.read_text(encoding="utf-8")
            elif study in bundled:
                text = (folder / f"{study}.toml").read_text(encoding="utf-8")
            else:
                raise RecipeError(f"{study!r} is no study; give a .toml file, or one of "
                                  f"{', '.join(bundled)}")
            fields = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RecipeError(f"{study} is no valid TOML: {error}") from error
        except (OSError, ValueError) as error:
            if isinstance(error, RecipeError):
                raise
            raise RecipeError(f"{path} cannot be read ({error}); give a .toml file, or one of "
                              f"{', '.join(bundled)}") from error
        if isinstance(recipe := fields.get("recipe"), str) and recipe.endswith(".toml"):
            fields["recipe"] = str(path.parent / recipe)  # as seen from the study
        return checked(cls, fields, study)
