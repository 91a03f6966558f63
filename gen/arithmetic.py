"""Integer arithmetic shared by the golden model, the torch module and the hardware.

Everything a neuron computes is built of :func:`decay`; the rounding mode is part of the contract.
"""

import enum

import numpy as np
import numpy.typing as npt


class Rounding(enum.Enum):
    """How ``v·B / 2ⁿ`` becomes an integer. Each mode is ``⌊(v·B + r) / 2ⁿ⌋`` with its own r."""

    #: r = 0: towards minus infinity, an arithmetic shift. A small negative membrane never
    #: decays to zero.
    FLOOR = "floor"
    #: r = 2ⁿ⁻¹: to the nearest integer, halves upward.
    NEAREST = "nearest"
    #: r = 0 for v·B ≥ 0, else 2ⁿ − 1: towards zero. Every membrane decays to zero.
    TOWARD_ZERO = "toward-zero"


def decay(
    v: npt.ArrayLike, factor: npt.ArrayLike, fraction: int, rounding: Rounding
) -> npt.NDArray[np.int64]:
    """``round(v·B / 2ⁿ)`` element by element.

    ``v`` and ``factor`` (B, signed) are integers that broadcast; ``fraction`` is n. Exact while
    ``|v·B| < 2⁶³``, which :mod:`spikewright.gen.bounds` guarantees for every accepted network.
    """
    product = np.asarray(v, np.int64) * np.asarray(factor, np.int64)
    if fraction == 0:
        return product
    match rounding:
        case Rounding.FLOOR:
            return product >> fraction
        case Rounding.NEAREST:
            return (product + (1 << (fraction - 1))) >> fraction
        case Rounding.TOWARD_ZERO:
            return (product + np.where(product < 0, (1 << fraction) - 1, 0)) >> fraction


def signed_bits(low: int, high: int) -> int:
    """Width of the narrowest two's complement word that holds every integer of [low, high]."""
    return 1 + max((~end if end < 0 else end).bit_length() for end in (low, high))


def signed_digits(constant: int) -> list[tuple[int, int]]:
    """Canonical signed digits of ``constant``: (shift, +1 or −1) pairs, low shift first.

    ``constant == Σ sign·2^shift`` with the fewest non-zero digits and no two of them adjacent
    (Reitwiese 1960): one adder per digit after the first, where a plain binary multiplication by
    a constant needs one per set bit.
    """
    digits = []
    shift = 0
    while constant:
        if constant & 1:
            digit = 2 - (constant & 3)
            digits.append((shift, digit))
            constant -= digit
        constant >>= 1
        shift += 1
    return digits
