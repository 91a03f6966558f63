"""Synapses, neurons and layers of the contract; the equations stand in :mod:`spikewright.gen.spec`.

What cannot be represented is refused with a :class:`~spikewright.gen.errors.SpecError` that says
what was given, what is allowed and what to do.
"""


import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import Rounding
from .errors import SpecError

#: One integer for the whole layer, or one per neuron.
PerNeuron = int | npt.NDArray[np.int64]

WEIGHT_BITS = range(2, 9)
WEIGHT_SHIFTS = range(0, 17)
DECAY_FRACTIONS = range(0, 17)
MEMBRANE_BITS = range(2, 33)
#: Every parameter fits a signed word of this width, so that 64-bit arithmetic stays exact.
PARAMETER_BITS = 32


class Reset(enum.Enum):
    """What a spike does to the membrane.

    The two zero resets differ in the timestep *after* the spike: snnTorch's Leaky zeroes the old
    membrane and keeps that step's input, its Lapicque makes the membrane exactly 0 and drops the
    input. Without delay they coincide.
    """

    SUBTRACT = "subtract"
    ZERO_KEEP_INPUT = "zero-keep-input"
    ZERO_DROP_INPUT = "zero-drop-input"
    NONE = "none"


def _integers(value: Any, what: str) -> npt.NDArray[np.int64]:
    """``value`` as a read-only int64 array; floats are accepted only when they hold integers."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise SpecError(f"{what} has NaN or infinite values; every value must be finite")
        if (array != np.rint(array)).any():
            raise SpecError(f"{what} has fractions; quantise to integers first")
    elif array.dtype.kind not in "iub":
        raise SpecError(f"{what} is {type(value).__name__} {value!r:.40}; an integer is needed")
    if array.size and (np.abs(array.astype(np.float64)) >= 2.0 ** (PARAMETER_BITS - 1)).any():
        raise SpecError(f"{what} does not fit {PARAMETER_BITS} signed bits")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def _per_neuron(value: Any, what: str) -> PerNeuron:
    array = _integers(value, what)
    if array.ndim > 1:
        raise SpecError(
            f"{what} has shape {array.shape}; give one value, or one per neuron in one dimension"
        )
    if array.size == 0:
        raise SpecError(f"{what} is empty; give one value, or one per neuron")
    return int(array.flat[0]) if (array == array.flat[0]).all() else array


def choice(value: int, allowed: range, what: str, remedy: str = "") -> int:
    """``value`` if it is an integer in ``allowed``; SpecError if not."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value not in allowed:
        hint = f"; {remedy}" if remedy else ""
        raise SpecError(f"{what} is {value!r}; allowed are {allowed[0]} to {allowed[-1]}{hint}")
    return int(value)


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """All-to-all synapses: ``Σᵢ 2ᶠ·wᵢ·sᵢ`` for each of N neurons from K inputs.

    Parameters
    ----------
    weight
        Integers of shape (N, K), ``−2ᵇ⁻¹ ≤ w < 2ᵇ⁻¹``; (neurons, fan-in) as in ``torch.nn.Linear``.
    weight_bits
        b, 2 to 8: what one weight occupies in memory.
    weight_shift
        f, 0 to 16: one weight step is 2ᶠ membrane steps, so a coarse weight does not force a
        coarse membrane. Free in hardware: the low f bits take no part in the addition.
    """

    weight: npt.NDArray[np.int64]
    weight_bits: int
    weight_shift: int = 0

    def __post_init__(self) -> None:
        weight = _integers(self.weight, "weight")
        bits = choice(self.weight_bits, WEIGHT_BITS, "weight_bits")
        if weight.ndim != 2 or 0 in weight.shape:
            raise SpecError(
                f"weight has shape {weight.shape}; (neurons, fan-in), both at least 1, is needed"
            )
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if weight.min() < low or weight.max() > high:
            raise SpecError(
                f"weights span {weight.min()} to {weight.max()}; {bits} bits hold {low} to {high}; "
                f"raise weight_bits or quantise again"
            )
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "weight_bits", bits)
        choice(self.weight_shift, WEIGHT_SHIFTS, "weight_shift")

    @property
    def neurons(self) -> int:
        return self.weight.shape[0]

    @property
    def fan_in(self) -> int:
        return self.weight.shape[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Neuron:
    """Leaky integrate-and-fire in integers; the equations stand at the top of this module.

    Parameters
    ----------
    decay
        B, signed. The membrane keeps ``B/2ⁿ`` of itself each timestep: ``β·2ⁿ`` for Leaky,
        ``(1 − T/RC)·2ⁿ`` for Lapicque, ``2ⁿ`` for a neuron without leak.
    decay_fraction
        n, 0 to 16.
    threshold
        θ > 0 in membrane steps; a neuron fires when its membrane is *above* it.
    bias
        b in membrane steps, added every timestep.
    reset, reset_delay
        See :class:`Reset`; ``reset_delay=True`` resets in the timestep after the spike.
    rounding
        How ``m·B / 2ⁿ`` becomes an integer.
    membrane_bits
        ``None``: as wide as the proven bound needs, so nothing ever saturates. A number: u is
        clamped to that many signed bits before it is compared with θ, and counted when it was.

    ``decay``, ``threshold`` and ``bias`` may be one integer or one per neuron.
    """

    decay: PerNeuron
    decay_fraction: int
    threshold: PerNeuron
    bias: PerNeuron = 0
    reset: Reset = Reset.SUBTRACT
    reset_delay: bool = True
    rounding: Rounding = Rounding.TOWARD_ZERO
    membrane_bits: int | None = None

    def __post_init__(self) -> None:
        for name in ("decay", "threshold", "bias"):
            object.__setattr__(self, name, _per_neuron(getattr(self, name), name))
        fraction = choice(self.decay_fraction, DECAY_FRACTIONS, "decay_fraction")
        if np.any(np.asarray(self.threshold) <= 0):
            raise SpecError(
                f"threshold goes down to {np.min(self.threshold)}; every threshold must be at "
                f"least 1, or silent neurons would fire for ever"
            )
        if np.any(np.abs(self.decay) > (4 << fraction)):
            raise SpecError(
                f"decay {self.decay} with {fraction} fraction bits is beyond ±4 a timestep; such a "
                f"membrane explodes; check the time constant"
            )
        for name, kind in (("reset", Reset), ("rounding", Rounding)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                allowed = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
                raise SpecError(f"{name} is {value!r}; allowed are {allowed}")
        if not isinstance(self.reset_delay, bool):
            raise SpecError(f"reset_delay is {self.reset_delay!r}; True or False is needed")
        if self.membrane_bits is not None:
            bits = choice(self.membrane_bits, MEMBRANE_BITS, "membrane_bits")
            if np.max(self.threshold) >= (1 << (bits - 1)) - 1:
                raise SpecError(
                    f"threshold {np.max(self.threshold)} cannot be exceeded in {bits} membrane "
                    f"bits, so the neuron would never fire; raise membrane_bits"
                )

    def per_neuron(self, name: str, neurons: int) -> npt.NDArray[np.int64]:
        """``decay``, ``threshold`` or ``bias`` as one value for each of ``neurons``."""
        return np.broadcast_to(np.asarray(getattr(self, name), np.int64), (neurons,))


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """Synapses and the neurons they drive, under the name that messages and reports use."""

    name: str
    synapse: Linear
    neuron: Neuron

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpecError(
                f"layer name {self.name!r} is not an identifier; use letters and digits"
            )
        for attribute in ("decay", "threshold", "bias"):
            value = getattr(self.neuron, attribute)
            if isinstance(value, np.ndarray) and value.size != self.neurons:
                raise SpecError(
                    f"layer {self.name}: {attribute} has {value.size} values for {self.neurons} "
                    f"neurons; give one, or one per neuron"
                )

    @property
    def neurons(self) -> int:
        return self.synapse.neurons

    @property
    def fan_in(self) -> int:
        return self.synapse.fan_in
