"""Accuracy against flipped bits, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..engines import simulate
from ..errors import DataError, FaultError
from ..folding import Folding
from ..plan import layer_plans
from ..spec import NetworkSpec
from ..stimulus import Stimulus
from .flips import Flips, draw
from .memories import Kind, memories

#: Samples run at a time, so that a data set's spikes need not fit in memory.
BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Point:
    """What so many flips did, in one entry a seed.

    ``agreement`` is the share of samples that are decided as without flips.
    """

    flips: tuple[int, ...]
    accuracy: tuple[float, ...]
    agreement: tuple[float, ...]


class Sweep:
    """Runs ``stimulus`` on hardware of ``folding`` with flipped bits of the memories of ``kinds``.

    Raises
    ------
    FaultError
        If the design has no such memory.
    DataError
        If no sample has a label.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, stimulus: Stimulus,
                 kinds: Collection[Kind], *, engine: str = "golden",
                 progress: Callable[[int], None] = lambda samples: None):
        self.spec, self.folding, self.stimulus = spec, folding, stimulus
        self.kinds, self.engine, self.progress = list(kinds), engine, progress
        self.memories = memories(layer_plans(spec, folding))
        #: Bits that can flip.
        self.bits = sum(memory.bits for memory in self.memories if memory.kind in self.kinds)
        if not self.bits:
            names = ", ".join(kind.value for kind in self.kinds)
            raise FaultError(
                f"the design has no memory of {names}: what all neurons share is logic, not "
                f"memory; choose another of {', '.join(kind.value for kind in Kind)}"
            )
        self.known = stimulus.labels >= 0
        if not self.known.any():
            raise DataError("no sample has a label, so there is no accuracy; give labelled data")
        self.undisturbed = self._predictions(Flips())

    def point(self, seeds: Sequence[int], *, flips: int | None = None,
              rate: float = 0.0) -> Point:
        """``flips`` bits, or each bit with probability ``rate``, for each of ``seeds``."""
        counts, right, same = [], [], []
        for seed in seeds:
            rng = np.random.default_rng([seed, flips or 0])
            count = flips if flips is not None else int(rng.binomial(self.bits, rate))
            predictions = self.undisturbed
            if count:
                predictions = self._predictions(draw(
                    self.memories, self.kinds, count, samples=len(self.stimulus),
                    timesteps=self.spec.steps(self.stimulus.spikes), rng=rng))
            else:
                self.progress(len(self.stimulus))
            counts.append(count)
            right.append(float((predictions == self.stimulus.labels)[self.known].mean()))
            same.append(float((predictions == self.undisturbed).mean()))
        return Point(flips=tuple(counts), accuracy=tuple(right), agreement=tuple(same))

    def _predictions(self, flips: Flips) -> np.ndarray:
        found = []
        for start in range(0, len(self.stimulus), BATCH):
            signals = self.stimulus.spikes[start : start + BATCH]
            found.append(simulate(
                self.spec, signals, engine=self.engine, folding=self.folding,
                flips=flips.of(start, start + len(signals)), progress=self.progress).prediction)
        return np.concatenate(found)
