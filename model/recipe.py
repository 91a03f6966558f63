"""Recipes: everything that decides what a run becomes, read from TOML, checked by field."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from ..gen.errors import RecipeError
from .architecture import Convolution, Net, Output, parse
from .data.encoding import Encoding
from .data.settings import Data
from .fields import Part, checked
from .quantisation.settings import Quantisation
from .surrogates import Surrogate
from .training.settings import Training


class Recipe(Part):
    """A whole run."""

    name: str = Field(default="snn", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    data: Data = Data()
    encoding: Encoding
    net: Net
    readout: Output = Output()
    surrogate: Surrogate = Surrogate()
    training: Training = Training()
    quantisation: Quantisation = Quantisation()

    @model_validator(mode="after")
    def _output_decay(self) -> Self:
        if (self.readout.kind, self.readout.beta, self.net.beta) == ("membrane", None, None):
            raise ValueError("readout.beta is missing, and the net has no beta to take its place")
        return self

    @model_validator(mode="after")
    def _spikes_to_judge(self) -> Self:
        if self.readout.kind == "membrane" and self.training.loss in (
            "mse_count_loss", "ce_temporal_loss"
        ):
            raise ValueError(f"training.loss {self.training.loss!r} judges spikes, but the readout "
                             f"is of membranes; use 'ce_count_loss' or 'ce_rate_loss'")
        return self

    @model_validator(mode="after")
    def _smooth(self) -> Self:
        if self.surrogate.forward == "hard":
            return self
        if self.net.neuron in ("rleaky", "rsynaptic"):
            raise ValueError(f"surrogate.forward is 'smooth', but snnTorch passes no gradient "
                             f"through the reset of {self.net.neuron!r}, so gradients would not be "
                             f"exact; use 'leaky', 'lapicque' or 'synaptic'")
        if self.readout.kind == "first-spike" or self.training.loss == "ce_temporal_loss":
            raise ValueError("surrogate.forward is 'smooth', and such spikes have no time; use "
                             "readout.kind 'spike-count' or 'membrane' and another loss than "
                             "'ce_temporal_loss'")
        return self

    @model_validator(mode="after")
    def _band(self) -> Self:
        net = self.net
        if self.training.gradient_band is None:
            return self
        if self.surrogate.forward == "smooth":
            raise ValueError("training.gradient_band cuts gradients off, but surrogate.forward "
                             "'smooth' asks for exact ones; use 'hard', or drop the band")
        if any(isinstance(parse(layer), Convolution) for layer in net.hidden):
            raise ValueError("training.gradient_band skips the work of fully connected layers; "
                             "use numbers of neurons in net.hidden, or drop the band")
        leaks = net.neuron in ("leaky", "lapicque", "synaptic")
        delayed = net.reset_delay or net.reset_mechanism == "none"
        if not leaks or not delayed or net.reset_mechanism == "zero":
            raise ValueError("training.gradient_band needs neurons that only leak between spikes; "
                             "use neuron 'leaky', 'lapicque' or 'synaptic' with reset_mechanism "
                             "'subtract' or 'none' and reset_delay, or drop the band")
        return self

    @model_validator(mode="after")
    def _merge(self) -> Self:
        merge, encoding = self.training.merge, self.encoding
        if merge == 1:
            return self
        if encoding.kind == "current" or encoding.timesteps % merge:
            raise ValueError(f"training.merge is {merge}; it must divide encoding.timesteps, "
                             f"{encoding.timesteps}, and be 1 for a current, which has one frame")
        if merge * ((1 << encoding.bits) - 1) > 255:
            raise ValueError(f"training.merge is {merge}; merged inputs are at most 255, so with "
                             f"{encoding.bits} bits {255 // ((1 << encoding.bits) - 1)} is the "
                             f"largest")
        if self.net.neuron not in ("leaky", "synaptic"):
            raise ValueError(f"training.merge is {merge}, which neuron {self.net.neuron!r} cannot "
                             f"take; use 'leaky' or 'synaptic', or leave it at 1")
        return self

    @property
    def hard(self) -> Self:
        """The recipe of the same net with spikes of 0 and 1, as hardware has them."""
        surrogate = self.surrogate.model_copy(update={"forward": "hard"})
        return self.model_copy(update={"surrogate": surrogate})

    @classmethod
    def check(cls, fields: Any, where: str) -> Self:
        """A recipe from plain ``fields``; RecipeError in one line, naming the field, if wrong."""
        return checked(cls, fields, where)

    @classmethod
    def load(cls, recipe: str) -> Self:
        """The recipe in TOML file ``recipe``, or the bundled one of that name.

        Raises
        ------
        RecipeError
            If there is no such recipe, it is no TOML, or a field is unknown or out of range.
        """
        path = Path(recipe)
        if path.suffix != ".toml":
            if recipe not in bundled():
                raise RecipeError(
                    f"{recipe!r} is no recipe; give a .toml file, or one of {', '.join(bundled())}"
                )
            text = (_folder() / f"{recipe}.toml").read_text(encoding="utf-8")
        else:
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:  # a NUL in the path, or bytes that are no text
                raise RecipeError(f"{path} cannot be read ({error}); give a .toml file, or one of "
                                  f"{', '.join(bundled())}") from error
        try:
            fields = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RecipeError(f"{recipe} is no valid TOML: {error}") from error
        return cls.check(fields, recipe)

    def override(self, part: str, **fields: Any) -> Self:
        """A copy in which those ``fields`` of ``part`` that are not None are replaced."""
        given = {key: value for key, value in fields.items() if value is not None}
        values = self.model_dump(mode="json")
        values[part].update(given)
        return self.check(values, "option")

    def from_source(self, source: str | None) -> Self:
        """A copy that reads ``source``; one of another kind is split its own way."""
        if source is None or source == self.data.source:
            return self
        values = self.model_dump(mode="json")
        files = all(name.startswith("events:") for name in (source, self.data.source))
        values["data"]["source"] = source
        if not files:
            values["data"].update(train=None, split=None)
        return self.check(values, "option")


def bundled() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(Path(p.name).stem for p in _folder().iterdir() if p.name.endswith(".toml"))


def _folder():
    return resources.files("spikewright.model") / "recipes"
