"""Checks that every part of the contract makes of the numbers it is given."""

import enum
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import SpecError

#: One integer for the whole layer, or one per neuron.
PerNeuron = int | npt.NDArray[np.int64]

#: Every parameter fits a signed word of this width, so that 64-bit arithmetic stays exact.
PARAMETER_BITS = 32

#: Most signals between two layers, far above what any part has memory for: a file's few digits must
#: not ask for more memory than there is.
MOST_SIGNALS = 1 << 22


def integers(value: Any, what: str) -> npt.NDArray[np.int64]:
    """``value`` as a read-only int64 array; floats are accepted only when they hold integers."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise SpecError(f"{what} has NaN or infinite values; every value must be finite")
        if (array != np.rint(array)).any():
            raise SpecError(f"{what} has fractions; quantise to integers first")
    elif array.dtype.kind not in "iub":
        raise SpecError(
            f"{what} is {type(value).__name__} {shown(value):.40}; an integer is needed")
    if array.size and (np.abs(array.astype(np.float64)) >= 2.0 ** (PARAMETER_BITS - 1)).any():
        raise SpecError(f"{what} does not fit {PARAMETER_BITS} signed bits")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def per_neuron(value: Any, what: str) -> PerNeuron:
    """``value`` as one integer where all neurons share it, else as an array of one per neuron."""
    array = integers(value, what)
    if array.ndim > 1:
        raise SpecError(
            f"{what} has shape {array.shape}; give one value, or one per neuron in one dimension"
        )
    if array.size == 0:
        raise SpecError(f"{what} is empty; give one value, or one per neuron")
    return int(array.flat[0]) if (array == array.flat[0]).all() else array


def choice(value: Any, allowed: range, what: str, remedy: str = "") -> int:
    """``value`` if it is an integer in ``allowed``; SpecError if not."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value not in allowed:
        hint = f"; {remedy}" if remedy else ""
        raise SpecError(
            f"{what} is {shown(value)}; allowed are {allowed[0]} to {allowed[-1]}{hint}")
    return int(value)


def member(value: Any, kind: type[enum.Enum], what: str) -> None:
    """SpecError unless ``value`` is a member of the enumeration ``kind``."""
    if not isinstance(value, kind):
        allowed = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise SpecError(f"{what} is {shown(value)}; allowed are {allowed}")


def shape3(value: Any, what: str) -> tuple[int, int, int]:
    """``value`` as (channels, height, width), each at least 1."""
    sides = np.asarray(value)
    if sides.shape != (3,) or sides.dtype.kind not in "iu" or sides.min() < 1:
        raise SpecError(f"{what} is {shown(value)}; (channels, height, width), each at least 1, is "
                        f"needed")
    shape = int(sides[0]), int(sides[1]), int(sides[2])
    signals(shape, what)
    return shape


def signals(shape: tuple[int, ...], what: str) -> int:
    """How many there are of ``shape``; SpecError if that is beyond :data:`MOST_SIGNALS`."""
    count = math.prod(shape)
    if count > MOST_SIGNALS:
        raise SpecError(f"{what} is {shape}, {count} signals; at most {MOST_SIGNALS} are allowed")
    return count


def shown(value: Any) -> str:
    """``value`` as messages quote it: on one line, and not at any length."""
    line = " ".join(repr(value).split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def pair(value: Any, allowed: tuple[range, range], what: str) -> tuple[int, int]:
    """``value`` as (vertical, horizontal), each in its range; one integer stands for both."""
    both = np.asarray(value)
    if both.shape not in ((), (2,)) or both.dtype.kind not in "iu":
        raise SpecError(f"{what} is {shown(value)}; an integer, or two of them (vertical, "
                        f"horizontal), is needed")
    y, x = np.broadcast_to(both, (2,)).tolist()
    return (choice(y, allowed[0], f"vertical {what}"), choice(x, allowed[1], f"horizontal {what}"))
