"""Which bits flip, and when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import FaultError
from .memories import Kind, Memory

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Flips:
    """Bits of a design's :func:`~.memories.memories`, each named by the number of its memory there,
    the word, and the bit of the word.

    Attributes
    ----------
    stored
        int64 (n, 3), memory, word, bit: of weights and parameters, which nothing writes again. They
        flip before the first inference and stay; membranes begin with the biases that then are.
    passing
        int64 (n, 5), sample, timestep, memory, word, bit: of membranes. Each flips between the
        sweeps of the timestep before and of this one, which stores it anew.
    """

    stored: _Ints = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    passing: _Ints = field(default_factory=lambda: np.zeros((0, 5), np.int64))

    def of(self, first: int, end: int) -> Flips:
        """Those that samples ``first`` to ``end`` see, numbered from the first."""
        here = (self.passing[:, 0] >= first) & (self.passing[:, 0] < end)
        return Flips(self.stored, self.passing[here] - np.array([first, 0, 0, 0, 0]))


def draw(
    memories: Sequence[Memory], kinds: Collection[Kind], count: int, *, samples: int,
    timesteps: int, rng: np.random.Generator,
) -> Flips:
    """``count`` different bits, each bit of all memories of ``kinds`` as likely as every other.

    Those of membranes are drawn for each sample anew, each with a timestep. Bits that no neuron has
    are hit like all others.

    Raises
    ------
    FaultError
        If there are fewer bits.
    """
    chosen = [n for n, memory in enumerate(memories) if memory.kind in kinds]
    total = sum(memories[n].bits for n in chosen)
    if not 0 <= count <= total:
        names = ", ".join(kind.value for kind in kinds)
        raise FaultError(
            f"{count} flips of {names}; the design has {total} such bits, so 0 to {total} can flip"
        )
    still = [n for n in chosen if memories[n].kind is not Kind.MEMBRANES]
    moving = [n for n in chosen if memories[n].kind is Kind.MEMBRANES]
    of_stored = sum(memories[n].bits for n in still)
    # How many of the bits are stored ones; the others are drawn once a sample.
    stored = int(rng.hypergeometric(of_stored, total - of_stored, count)) if count else 0
    passing = []
    if count > stored:
        for sample in range(samples):
            bits = _bits(memories, moving, count - stored, rng)
            when = np.stack([np.full(len(bits), sample), rng.integers(timesteps, size=len(bits))])
            passing.append(np.concatenate([when.T, bits], axis=1))
    return Flips(
        stored=_bits(memories, still, stored, rng),
        passing=np.concatenate(passing) if passing else np.zeros((0, 5), np.int64),
    )


def _bits(memories: Sequence[Memory], numbers: Sequence[int], count: int,
          rng: np.random.Generator) -> _Ints:
    """(count, 3): different bits of these memories."""
    if not count:
        return np.zeros((0, 3), np.int64)
    ends = np.cumsum([memories[n].bits for n in numbers])
    bits = rng.choice(int(ends[-1]), count, replace=False, shuffle=False)
    which = np.searchsorted(ends, bits, side="right")
    bits = bits - np.concatenate([[0], ends])[which]
    widths = np.array([memories[n].width for n in numbers])[which]
    return np.stack([np.asarray(numbers)[which], bits // widths, bits % widths], axis=1)
