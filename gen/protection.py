"""Codes that find or mend flipped bits in words of weights.

The lanes of a word are coded in groups. A check bit is the parity of the data bits that it looks
at; what the checks of a read word say that is wrong is its *syndrome*.

* **Parity**: groups of at most 8 bits, one check bit each, as the ninth bit of each byte that block
  memories have. An odd number of flips is found.
* **ECC**: groups of at most 64 bits, SECDED. Every data bit is looked at by a different odd number,
  at least three, of the check bits (Hsiao 1970, the Hamming code with fewest gates). So one flip
  has an odd syndrome of its own and is mended; two have an even one and are found.

A group that cannot be mended counts as weights of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

from .folding import Protection

#: Most data bits of a group.
GROUP_BITS = {Protection.PARITY: 8, Protection.ECC: 64}


@dataclass(frozen=True)
class Group:
    """Neighbouring lanes under one code.

    Attributes
    ----------
    first, bits
        Its data bits in the word.
    checks, check_bits
        Its check bits in the word: the first, and how many.
    columns
        For each data bit, which check bits look at it: a number with a bit for each of them.
    """

    first: int
    bits: int
    checks: int
    check_bits: int
    columns: tuple[int, ...]

    def syndrome(self, word: int) -> int:
        """Which checks of the coded ``word`` do not hold."""
        wrong = word >> self.checks & ((1 << self.check_bits) - 1)
        for bit, column in enumerate(self.columns):
            if word >> (self.first + bit) & 1:
                wrong ^= column
        return wrong


class WordCode:
    """How words of ``lanes`` weights are coded: data in the low bits, all check bits above.

    Parameters
    ----------
    lanes, weight_bits : int
    protect : Protection

    Attributes
    ----------
    data_bits, width
        Of a word of weights, and of a coded one.
    groups : tuple of Group
        None without protection.
    """

    def __init__(self, lanes: int, weight_bits: int, protect: Protection):
        self.lanes = lanes
        self.weight_bits = weight_bits
        self.protect = protect
        self.data_bits = self.width = lanes * weight_bits
        groups = []
        if protect is not Protection.NONE:
            size = max(1, GROUP_BITS[protect] // weight_bits) * weight_bits
            for first in range(0, self.data_bits, size):
                bits = min(size, self.data_bits - first)
                columns, check_bits = _columns(bits, protect)
                groups.append(Group(first, bits, self.width, check_bits, columns))
                self.width += check_bits
        self.groups = tuple(groups)

    def encode(self, word: int) -> int:
        """The coded word of ``word``, whose lane 0 is in the lowest bits."""
        for group in self.groups:
            word |= group.syndrome(word) << group.checks
        return word

    def decode(self, coded: int) -> tuple[int, bool, bool]:
        """What a reader makes of ``coded``: the word, whether a flip was mended in it, and whether
        a group was found wrong beyond that, and so counts as 0."""
        word, mended, rejected = coded & ((1 << self.data_bits) - 1), False, False
        for group in self.groups:
            wrong = group.syndrome(coded)
            if self.protect is Protection.ECC and wrong.bit_count() % 2:
                if wrong in group.columns:
                    word ^= 1 << (group.first + group.columns.index(wrong))
                elif wrong.bit_count() > 1:
                    rejected = True
                    word &= ~(((1 << group.bits) - 1) << group.first)
                    continue
                mended = True
            elif wrong:
                rejected = True
                word &= ~(((1 << group.bits) - 1) << group.first)
        return word, mended, rejected


@cache
def _columns(bits: int, protect: Protection) -> tuple[tuple[int, ...], int]:
    """Columns of so many data bits, and the number of check bits."""
    if protect is Protection.PARITY:
        return (1,) * bits, 1
    checks = next(checks for checks in range(3, 64) if (1 << (checks - 1)) - checks >= bits)
    columns: list[int] = []
    load = [0] * checks
    for weight in range(3, checks + 1, 2):
        free = list(combinations(range(checks), weight))
        while free and len(columns) < bits:
            # The check that looks at most bits is the slowest.
            chosen = min(free, key=lambda rows: (sorted((load[row] for row in rows), reverse=True),
                                                 rows))
            free.remove(chosen)
            columns.append(sum(1 << row for row in chosen))
            for row in chosen:
                load[row] += 1
    return tuple(columns), checks
