"""How floats become integers, as a recipe says it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from ...gen.errors import RecipeError
from ...gen.spec import Rounding
from ..fields import Part

_Each = TypeVar("_Each")


def _numbers(given: Any) -> Any:
    """Numbers as an option has them: "4", or one for each layer, "4,3,8"."""
    if not isinstance(given, str):
        return given
    try:
        numbers = [int(part) for part in given.split(",")]
    except ValueError:
        return given
    return numbers[0] if len(numbers) == 1 else numbers


_Bits = Annotated[int, Field(ge=2, le=8)]
_Width = Annotated[int, Field(ge=2, le=32)]


class Quantisation(Part):
    """How floats become integers; see :mod:`spikewright.model.quantisation.rounding`.

    ``bits`` and ``membrane_bits`` are one number for all layers, one for each in order, or by the
    layer's name.
    """

    bits: Annotated[_Bits | tuple[_Bits, ...] | dict[str, _Bits], BeforeValidator(_numbers)] = 4
    #: Most memory of weights and membranes together, in thousands of bits; the bits of every layer
    #: are then searched for, see :mod:`spikewright.model.quantisation.search`.
    budget_kbits: float | None = Field(default=None, gt=0)
    #: Post-training, or training on with the integers in the forward pass.
    method: Literal["ptq", "qat"] = "qat"
    #: What has a weight step of its own: a layer, or each neuron (output channel) of it.
    per: Literal["layer", "channel"] = "layer"
    #: How a weight step is found.
    scale: Literal["mse", "percentile"] = "mse"
    #: The weight magnitude that becomes the largest integer, for scale = "percentile".
    percentile: float = Field(default=99.5, gt=0, le=100)
    #: f: one weight step is 2ᶠ membrane steps.
    weight_shift: int = Field(default=4, ge=0, le=16)
    #: Any integer over 2ⁿ, or one that a shift and at most one subtraction multiply with.
    decay: Literal["fixed-point", "power-of-two"] = "fixed-point"
    #: n: a decay is an integer over 2ⁿ.
    decay_fraction: int = Field(default=8, ge=0, le=16)
    rounding: Rounding = Rounding.TOWARD_ZERO
    #: Narrower than proven, with counted saturation; None, or a layer not named: as wide as needed.
    membrane_bits: Annotated[_Width | tuple[_Width, ...] | dict[str, _Width] | None,
                             BeforeValidator(_numbers)] = None
    #: Epochs and learning rate of quantisation-aware training.
    epochs: int = Field(default=15, ge=1, le=100_000)
    learning_rate: float = Field(default=1e-3, gt=0)


def each_layer(
    what: str, given: _Each | Sequence[_Each] | Mapping[str, _Each] | None, names: Sequence[str]
) -> tuple[_Each | None, ...]:
    """The option ``what`` for each of the layers of these ``names``; None for one that is not
    named.

    Raises
    ------
    RecipeError
        If a layer is named that does not exist, or there are more or fewer numbers than layers.
    """
    known = ", ".join(names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise RecipeError(f"{what} names layer {name!r}; the net has {known}")
        return tuple(given.get(name) for name in names)
    if isinstance(given, Sequence):
        if len(given) != len(names):
            raise RecipeError(f"{what} has {len(given)} numbers for {len(names)} layers ({known}); "
                              f"give one for each, or one for all")
        return tuple(given)
    return (given,) * len(names)
