"""Recipes: everything that decides what a run becomes, read from TOML, checked by field."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..gen.errors import RecipeError
from ..gen.spec import Rounding
from .architecture import Net, Output
from .camera import Camera
from .encoding import Encoding
from .fields import Part, checked
from .surrogates import PARAMETERS


class Data(Part):
    """Where recordings come from; see :func:`spikewright.model.data.load`."""

    #: ``digits``, ``mnist``, ``nmnist``, ``dvs-gesture``, ``cifar10-dvs`` or ``events:FILE.npz``.
    source: str = "digits"
    #: Samples to train on, where the source has no split of its own: the rest is held back.
    #: None: four fifths.
    train: int | None = Field(default=None, ge=1)
    #: The camera that looks at the digits.
    camera: Camera = Camera()


class Surrogate(Part):
    """Surrogate gradient, by the name of its function in :mod:`snntorch.surrogate`."""

    name: str = "fast_sigmoid"
    slope: float | None = Field(default=None, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    beta: float | None = Field(default=None, gt=0)
    mean: float | None = None
    variance: float | None = Field(default=None, gt=0)
    B: float | None = None
    threshold: float | None = Field(default=None, gt=0)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PARAMETERS:
            raise ValueError(f"{name!r} is unknown; allowed are {', '.join(sorted(PARAMETERS))}")
        return name

    @model_validator(mode="after")
    def _parameters(self) -> Self:
        allowed = PARAMETERS[self.name]
        for given in self.given():
            if given not in allowed:
                raise ValueError(f"{self.name} has no {given}; it takes "
                                 f"{', '.join(allowed) or 'no parameters'}")
        return self

    def given(self) -> dict[str, float]:
        """The parameters that are set."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


class Augmentation(Part):
    """How far recordings are distorted while training; see :mod:`.augmentation`."""

    #: Pixels, each way.
    shift: int = Field(default=0, ge=0, le=16)
    #: Degrees, each way.
    rotation: float = Field(default=0.0, ge=0, le=180)
    #: Width and height, each for itself, shrink by a factor of up to 1 ± this.
    scale: float = Field(default=0.0, ge=0, lt=1)
    #: Pixels that a row moves at most, for each pixel between it and the middle.
    shear: float = Field(default=0.0, ge=0, le=1)


class Training(Part):
    """How weights are found: AdamW, the learning rate falling to zero along half a cosine."""

    epochs: int = Field(default=30, ge=1, le=100_000)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    #: Share of spikes dropped in front of each layer after the first.
    dropout: float = Field(default=0.0, ge=0, lt=1)
    #: Share of input spikes dropped.
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    #: By the name of the class in :mod:`snntorch.functional`. The temporal one teaches the right
    #: class to fire first.
    loss: Literal["ce_count_loss", "ce_rate_loss", "mse_count_loss", "ce_temporal_loss"] = (
        "ce_count_loss"
    )
    #: Share of timesteps in which the right and the wrong classes ought to fire (mse_count_loss).
    correct_rate: float = Field(default=0.8, ge=0, le=1)
    incorrect_rate: float = Field(default=0.1, ge=0, le=1)
    #: Timesteps that are merged into one while floats are trained, inputs summed, as many times
    #: faster; the weights then serve every single timestep, and qat trains on with these.
    merge: int = Field(default=1, ge=1)
    #: Added to the loss for each spike that hidden layers fire for a sample, on average.
    spike_penalty: float = Field(default=0.0, ge=0)
    #: Factor on PyTorch's initial weights, so that sparse input makes a new net fire.
    gain: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0, lt=2**63)


class Quantisation(Part):
    """How floats become integers; see :mod:`spikewright.model.quantisation`."""

    bits: int = Field(default=4, ge=2, le=8)
    #: Post-training, or training on with the integers in the forward pass.
    method: Literal["ptq", "qat"] = "qat"
    #: How the weight step of a layer is found.
    scale: Literal["mse", "percentile"] = "mse"
    #: The weight magnitude that becomes the largest integer, for scale = "percentile".
    percentile: float = Field(default=99.5, gt=0, le=100)
    #: f: one weight step is 2ᶠ membrane steps.
    weight_shift: int = Field(default=4, ge=0, le=16)
    #: n: a decay is an integer over 2ⁿ.
    decay_fraction: int = Field(default=8, ge=0, le=16)
    rounding: Rounding = Rounding.TOWARD_ZERO
    #: Narrower than proven, with counted saturation; None: as wide as needed.
    membrane_bits: int | None = Field(default=None, ge=2, le=32)
    #: Epochs and learning rate of quantisation-aware training.
    epochs: int = Field(default=15, ge=1, le=100_000)
    learning_rate: float = Field(default=1e-3, gt=0)


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
            except (OSError, UnicodeDecodeError) as error:
                raise RecipeError(f"{path} cannot be read ({error}); give a .toml file, or one of "
                                  f"{', '.join(bundled())}") from error
        try:
            fields = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
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
        kinds = [name.partition(":")[0] for name in (source, self.data.source)]
        values["data"].update(source=source, **({} if kinds[0] == kinds[1] else {"train": None}))
        return self.check(values, "option")


def bundled() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(Path(p.name).stem for p in _folder().iterdir() if p.name.endswith(".toml"))


def _folder():
    return resources.files("spikewright.model") / "recipes"
