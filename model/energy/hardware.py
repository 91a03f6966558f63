"""What operations cost on a piece of hardware: settings in TOML, checked by field.

The bundled ones are the model constants of arXiv 2409.08290: a 22 nm standard-cell library. They
are no figures of an FPGA; :mod:`.power` is about those.
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ...gen.errors import RecipeError, SpikewrightError
from ..fields import Part, checked

#: Bits of the weight that multiply_accumulate_pj is given for.
WEIGHT_BITS = 8

#: What every figure made from the bundled settings says of itself.
SCOPE = "22 nm model constants"


class HardwareError(SpikewrightError, ValueError):
    """Hardware settings with an unknown field, or a value out of range."""


class Hardware(Part):
    """Energies of one piece of hardware, in pJ.

    A setting may name a bundled one as ``base`` and give only what differs.
    """

    name: str = Field(min_length=1)
    description: str = ""
    #: Where the figures are from; printed beside every result.
    scope: str = SCOPE
    #: E_ACC, E_CMP, E_SUB: adding a weight, comparing with θ, subtracting θ.
    accumulate_pj: float = Field(ge=0, allow_inf_nan=False)
    compare_pj: float = Field(ge=0, allow_inf_nan=False)
    subtract_pj: float = Field(ge=0, allow_inf_nan=False)
    #: Ẽ and E: moving one bit over one hop, as an event of its own and in dense order.
    sparse_pj_per_bit_hop: float = Field(ge=0, allow_inf_nan=False)
    dense_pj_per_bit_hop: float = Field(ge=0, allow_inf_nan=False)
    #: E_w ÷ bits: fetching a weight.
    weight_pj_per_bit: float = Field(ge=0, allow_inf_nan=False)
    #: E_MAC of an 8-bit weight with activations of 1, 2, … bits.
    multiply_accumulate_pj: tuple[float, ...] = Field(min_length=2)

    def weight_pj(self, weight_bits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """E_w in pJ, in proportion to the bits of a weight."""
        return np.asarray(weight_bits) * self.weight_pj_per_bit

    def mac_pj(
        self, activation_bits: npt.ArrayLike, weight_bits: npt.ArrayLike = WEIGHT_BITS
    ) -> npt.NDArray[np.float64]:
        """E_MAC in pJ of a weight and an activation of so many bits, at least 1.

        Beyond the bits that are given, each bit costs as much more as the last one did. Of narrower
        weights the part above E_ACC shrinks in proportion, as the multiplier's rows do. Neither is
        published; both matter little, because movement costs more than ten times as much.
        """
        known, most = np.asarray(self.multiply_accumulate_pj), len(self.multiply_accumulate_pj)
        bits = np.asarray(activation_bits)
        wide = (known[np.minimum(bits, most) - 1]
                + np.maximum(bits - most, 0) * (known[-1] - known[-2]))
        share = np.asarray(weight_bits) / WEIGHT_BITS
        return self.accumulate_pj + share * (wide - self.accumulate_pj)

    @classmethod
    def load(cls, hardware: str) -> Self:
        """The settings in TOML file ``hardware``, or the bundled ones of that name.

        Raises
        ------
        HardwareError
            If there are none, they are no TOML, or a field is unknown, missing or out of range.
        """
        fields = _read(hardware)
        if "base" in fields:
            base = fields.pop("base")
            if base not in bundled():
                raise HardwareError(f"{hardware}: base is {base!r}; allowed are "
                                    f"{', '.join(bundled())}")
            fields = {**_read(base), "description": "", **fields}
        try:
            return checked(cls, fields, hardware)
        except RecipeError as error:
            raise HardwareError(str(error)) from error


def bundled() -> tuple[str, ...]:
    """Names of the settings that come with the package, from the cheapest to the dearest."""
    return ("minimum", "typical", "worst")


def _read(hardware: str) -> dict[str, Any]:
    path = Path(hardware)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HardwareError(f"{path} cannot be read ({error}); give a .toml file, or one of "
                                f"{', '.join(bundled())}") from error
    elif hardware in bundled():
        text = resources.files("spikewright.model.energy").joinpath(
            "hardware", f"{hardware}.toml").read_text(encoding="utf-8")
    else:
        raise HardwareError(f"{hardware!r} is no hardware; give a .toml file, or one of "
                            f"{', '.join(bundled())}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HardwareError(f"{hardware} is no valid TOML: {error}") from error
