"""How floats become integers, as a recipe says it."""

from typing import Literal

from pydantic import Field

from ...gen.spec import Rounding
from ..fields import Part


class Quantisation(Part):
    """How floats become integers; see :mod:`spikewright.model.quantisation.rounding`."""

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
