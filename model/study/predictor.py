"""Latency foretold from what training tells, before there are integers or hardware.

Least squares on cycles, fitted to all choices but one and tried on that one, whose seeds are all
held back, for each choice in turn. So an error is that of nets whose like was not seen. Each kind
of knowledge is tried by itself:

============  ===================================================================================
nothing       the mean cycles of the others
accuracy      training accuracy of the last epoch
loss          training loss of the last epoch
settings      the study's settings, each value as a number of its own, 0 or 1
spikes        spikes of each layer a training sample, of the net in floats
============  ===================================================================================
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .statistics import HARDWARE, SEED, name_of, varying, without
from .store import Row

_Floats = npt.NDArray[np.float64]

#: Fewest choices that are worth a fit.
FEWEST = 8


@dataclass(frozen=True)
class Prediction:
    """How well cycles are foretold from ``knowing``.

    Attributes
    ----------
    runs, choices
        How many were held back, each once.
    error, worst
        Mean and largest |foretold − measured| ÷ measured.
    explained
        1 − squared error ÷ that of the mean of all runs; below 0 is worse than that mean.
    """

    knowing: str
    runs: int
    choices: int
    error: float
    worst: float
    explained: float


def predictions(rows: Sequence[Row]) -> list[Prediction]:
    """Of ``rows``, of one task on one piece of hardware; none if too few tell of their training."""
    known = [row for row in rows if row.figures is not None and row.figures.get("training")]
    groups = np.array([name_of(without(row.settings, SEED)) for row in known])
    if len(set(groups.tolist())) < FEWEST:
        return []
    cycles = np.array([row.figures["cycles"] for row in known if row.figures])
    layers = {len(row.figures["training"]["spikes"]) for row in known if row.figures}
    if np.ptp(cycles) == 0 or len(layers) > 1:
        return []
    found = []
    for knowing, describe in _KNOWLEDGE.items():
        foretold = _held_back(describe(known), cycles, groups)
        wrong = np.abs(foretold - cycles) / cycles
        rest = float(((foretold - cycles) ** 2).sum() / ((cycles - cycles.mean()) ** 2).sum())
        found.append(Prediction(knowing, len(known), len(set(groups.tolist())), float(wrong.mean()),
                                float(wrong.max()), 1 - rest))
    return found


def _held_back(known: _Floats, cycles: _Floats, groups: npt.NDArray[np.str_]) -> _Floats:
    """(runs,) cycles foretold for each run from runs of other groups; ``known`` is (runs, n)."""
    foretold = np.empty_like(cycles)
    for group in np.unique(groups):
        out = groups == group
        middle, spread = known[~out].mean(0), known[~out].std(0)
        scaled = (known - middle) / np.where(spread > 0, spread, 1)
        columns = np.column_stack([np.ones(len(scaled)), scaled])
        # Of solutions that fit alike, the shortest: a value not seen before then changes nothing.
        weights = np.linalg.lstsq(columns[~out], cycles[~out], rcond=1e-9)[0]
        foretold[out] = columns[out] @ weights
    return foretold


def _figure(*names: str) -> Callable[[Sequence[Row]], _Floats]:
    def describe(rows: Sequence[Row]) -> _Floats:
        return np.array([np.hstack([row.figures["training"][name] for name in names])
                         for row in rows if row.figures])

    return describe


def _settings(rows: Sequence[Row]) -> _Floats:
    columns: list[list[Any]] = []
    for name in varying(rows):
        if name in HARDWARE:
            continue
        values = [name_of(row.settings.get(name)) for row in rows]
        columns += [[value == level for value in values] for level in sorted(set(values))]
    return np.array(columns, np.float64).reshape(len(columns), len(rows)).T


_KNOWLEDGE: dict[str, Callable[[Sequence[Row]], _Floats]] = {
    "nothing": lambda rows: np.zeros((len(rows), 0)),
    "accuracy": _figure("accuracy"),
    "loss": _figure("loss"),
    "settings": _settings,
    "spikes": _figure("spikes"),
}
