"""What has been claimed of training choices and hardware, and what results of a study say to it.

The claims are those of arXiv 2603.24891. Each is judged within one task (data set and net) on one
piece of hardware. A ratio of cycles is taken pair by pair, everything else equal, as its logarithm;
pairs of one seed are averaged, and the interval is Student's t over seeds. A claim *holds* or is
*refuted* if the interval says so, and stays *open* if it does not.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .statistics import (
    SEED,
    Choice,
    Interval,
    choices,
    correlation,
    interval,
    name_of,
    without,
)
from .store import Row

#: Accuracy is a poor predictor if it explains less than this part of the variance of ranks.
POOR = 0.5

#: Choices that are as accurate as the best, but for this, could be had instead of it.
NEAR = 0.05

#: Fewest choices, each with all seeds, that are worth choosing among.
FEWEST = 5

#: What the sparsity-aware choice is compared with: snnTorch's defaults.
BASELINE: dict[str, Any] = {"surrogate": "fast_sigmoid", "slope": 25, "neuron": "leaky"}

_SURROGATE = ("surrogate", "slope")

#: A neuron, and what makes up for the gain of its input.
NEURON = ("neuron", "training.gain", "training.learning_rate", "training.weight_decay")


@dataclass(frozen=True)
class Verdict:
    """``claim``, what was measured, and whether it holds; ``holds`` is None where that is open."""

    claim: str
    measured: str
    holds: bool | None

    @property
    def word(self) -> str:
        """The verdict in one word."""
        return {True: "holds", False: "refuted", None: "open"}[self.holds]


def judged(rows: Sequence[Row]) -> list[Verdict]:
    """The verdicts that ``rows``, of one task on one piece of hardware, allow."""
    found = [accuracy_tells_little(choices(rows)), *of_the_best(choices(rows)),
             escape_is_faster(rows), lapicque_is_faster(rows), choosing_pays(rows)]
    return [each for each in found if each is not None]


def of_the_best(found: Sequence[Choice]) -> Iterator[Verdict | None]:
    """Whether accuracy tells little among choices that are :data:`NEAR` the most accurate, if some
    are not: nets that hardly learnt, and hardly spike, say much of the others' correlation."""
    means = [float(np.mean(choice.values("accuracy"))) for choice in found]
    near = [choice for choice, mean in zip(found, means, strict=True) if mean >= max(means) - NEAR]
    if len(near) < len(found):
        yield accuracy_tells_little(near, f", within {100 * NEAR:g} points of the most accurate")


def accuracy_tells_little(found: Sequence[Choice], which: str = "") -> Verdict | None:
    """Accuracy is a poor predictor of latency; None for too few choices."""
    each = correlation(found, "accuracy", "cycles")
    if each is None:
        return None
    least, most = _squares(each.low, each.high)
    return Verdict(
        f"accuracy is a poor predictor of latency{which}",
        f"over {each.n} choices the rank correlation is {each.spearman:+.2f} "
        f"({each.low:+.2f} to {each.high:+.2f}): accuracy explains {each.spearman**2:.0%} of the "
        f"variance of ranks ({least:.0%} to {most:.0%})",
        True if most < POOR else False if least > POOR else None)


def _squares(low: float, high: float) -> tuple[float, float]:
    least = 0.0 if low <= 0 <= high else min(low**2, high**2)
    return least, max(low**2, high**2)


def escape_is_faster(rows: Sequence[Row]) -> Verdict | None:
    """Spike-rate escape lowers latency against fast sigmoid, over all slopes of each."""
    return _compared(rows, "spike-rate escape takes fewer cycles than fast sigmoid",
                     {"surrogate": "fast_sigmoid"}, {"surrogate": "spike_rate_escape"}, _SURROGATE)


def lapicque_is_faster(rows: Sequence[Row]) -> Verdict | None:
    """Lapicque lowers latency against Leaky."""
    return _compared(rows, "Lapicque takes fewer cycles than Leaky",
                     {"neuron": "leaky"}, {"neuron": "lapicque"}, NEURON)


def _compared(rows: Sequence[Row], claim: str, first: Mapping[str, Any], second: Mapping[str, Any],
              free: Sequence[str]) -> Verdict | None:
    cycles = change(rows, first, second, free, "cycles", math.log)
    accuracy = change(rows, first, second, free, "accuracy")
    if cycles is None or accuracy is None:
        return None
    low, high = _ends(cycles)
    return Verdict(
        claim,
        f"cycles {relative(cycles)}, accuracy "
        f"{100 * accuracy.mean:+.1f} points ({_points(accuracy)}), {cycles.n} seeds",
        None if cycles.half is None else True if high < 0 else False if low > 0 else None)


def change(
    rows: Iterable[Row], first: Mapping[str, Any], second: Mapping[str, Any], free: Sequence[str],
    figure: str, scale: Callable[[float], float] = float,
) -> Interval | None:
    """What ``figure``, on a ``scale``, changes from the ``first`` settings to the ``second``.

    Trials are paired by all their settings but those that are ``free``, over which each side is
    averaged. None without pairs.
    """
    sides: tuple[dict[str, list[float]], dict[str, list[float]]] = (
        defaultdict(list), defaultdict(list))
    seeds: dict[str, str] = {}
    for row in rows:
        if row.figures is None:
            continue
        for side, wanted in zip(sides, (first, second), strict=True):
            if all(row.settings.get(name) == value for name, value in wanted.items()):
                key = name_of(without(row.settings, free))
                seeds[key] = name_of([row.settings.get(name) for name in SEED])
                side[key].append(scale(row.figures[figure]))
    by_seed: dict[str, list[float]] = defaultdict(list)
    for key in sides[0].keys() & sides[1].keys():
        by_seed[seeds[key]].append(float(np.mean(sides[1][key]) - np.mean(sides[0][key])))
    if not by_seed:
        return None
    return interval([float(np.mean(found)) for found in by_seed.values()])


def choosing_pays(rows: Sequence[Row]) -> Verdict | None:
    """A choice made for cycles is more than twice as fast as :data:`BASELINE`, and more accurate.

    The choice is that of the fewest cycles among those at least as accurate as the baseline. It is
    made on all seeds but one and judged on that one, for each seed in turn.
    """
    table: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    settings = {}
    for row in rows:
        if row.figures is not None:
            key = name_of(without(row.settings, SEED))
            seed = name_of([row.settings.get(name) for name in SEED])
            table[key][seed] = row.figures["accuracy"], row.figures["cycles"]
            settings[key] = row.settings
    seeds = sorted({seed for found in table.values() for seed in found})
    whole = {key: found for key, found in table.items() if len(found) == len(seeds)}
    base = next((key for key in whole if all(
        settings[key].get(name) == value for name, value in BASELINE.items())), None)
    if base is None or len(seeds) < 2 or len(whole) < FEWEST:
        return None
    gains, speeds = [], []
    for seed in seeds:
        means = {key: np.mean([found[other] for other in seeds if other != seed], axis=0)
                 for key, found in whole.items()}
        chosen = min((key for key, mean in means.items() if mean[0] >= means[base][0]),
                     key=lambda key: float(means[key][1]))
        gains.append(whole[chosen][seed][0] - whole[base][seed][0])
        speeds.append(math.log(whole[base][seed][1] / whole[chosen][seed][1]))
    speed, gain = interval(speeds), interval(gains)
    low, high = _ends(speed)
    better = _ends(gain)
    holds = low > math.log(2) and better[0] > 0
    refuted = high < math.log(2) or better[1] < 0
    return Verdict(
        "choosing for sparsity is more than 2× faster, and more accurate",
        f"{math.exp(speed.mean):.2f}× as fast ({math.exp(low):.2f} to {math.exp(high):.2f}) as "
        f"fast sigmoid of slope 25 with Leaky, accuracy {100 * gain.mean:+.1f} points "
        f"({_points(gain)}); chosen among {len(whole)} on the other seeds, {speed.n} seeds",
        True if holds else False if refuted else None)


def _ends(each: Interval) -> tuple[float, float]:
    half = math.inf if each.half is None else each.half
    return each.mean - half, each.mean + half


def relative(log: Interval) -> str:
    """A difference of logarithms as a change in per cent, with its interval."""
    def percent(end: float) -> str:
        return f"{100 * math.expm1(min(end, 50.0)):+.1f} %"

    span = "one seed" if log.half is None else " to ".join(map(percent, _ends(log)))
    return f"{percent(log.mean)} ({span})"


def _points(each: Interval) -> str:
    if each.half is None:
        return "one seed"
    return f"{100 * (each.mean - each.half):+.1f} to {100 * (each.mean + each.half):+.1f}"
