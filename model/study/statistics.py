"""What the results of a study say: repetitions and their intervals, fronts, sensitivities and
correlations.

Trials that differ in nothing but ``seed`` are repetitions of one *choice*. An interval is Student's
t at 95 % over repetitions; of a single one there is none.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from .settings import OBJECTIVES
from .store import Row

#: What distinguishes repetitions.
SEED = ("seed", "training.seed")

#: What is to be learnt; figures of different tasks are never averaged.
TASK = ("recipe", "data", "data.source")

#: Settings that make the hardware, not the net.
HARDWARE = ("board", "lanes", "ways", "slices")

CONFIDENCE = 0.95

#: Values of a number that are shown one by one; of more, quarters are.
_LEVELS = 8


@dataclass(frozen=True)
class Interval:
    """A mean over ``n``, and half the width of its interval; None of a single value."""

    mean: float
    half: float | None
    n: int

    def text(self, scale: float = 1.0, decimals: int | None = None) -> str:
        """``mean ± half``, each × ``scale``; without ``decimals`` as many as show four digits."""
        mean = self.mean * scale
        if decimals is None:
            whole = len(str(int(abs(mean)))) if abs(mean) >= 1 else 0
            decimals = max(0, 4 - whole)
        half = "" if self.half is None else f" ± {self.half * scale:,.{decimals}f}"
        return f"{mean:,.{decimals}f}{half}"


def interval(values: Sequence[float] | npt.NDArray[np.float64]) -> Interval:
    """Of at least one value."""
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        return Interval(float(found.mean()), None, len(found))
    factor = stats.t.ppf((1 + CONFIDENCE) / 2, len(found) - 1)
    return Interval(float(found.mean()),
                    float(factor * found.std(ddof=1) / np.sqrt(len(found))), len(found))


@dataclass(frozen=True)
class Choice:
    """Finished trials with the same ``settings``, their seed aside."""

    settings: dict[str, Any]
    rows: tuple[Row, ...]

    def values(self, figure: str) -> list[float]:
        """Of each repetition that has the figure."""
        return [row.figures[figure] for row in self.rows
                if row.figures is not None and row.figures.get(figure) is not None]

    def interval(self, figure: str) -> Interval | None:
        """None if no repetition has the figure."""
        values = self.values(figure)
        return interval(values) if values else None


def choices(rows: Iterable[Row]) -> list[Choice]:
    """Of the rows that finished, in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.figures is not None:
            found[name_of(without(row.settings, SEED))].append(row)
    return [Choice(json.loads(name), tuple(each)) for name, each in found.items()]


def varying(rows: Iterable[Row]) -> list[str]:
    """Settings that are not the same in all rows that finished, seeds aside."""
    levels: dict[str, set[str]] = defaultdict(set)
    finished = [row for row in rows if row.figures is not None]
    names = dict.fromkeys(name for row in finished for name in row.settings)
    for row in finished:
        for name in names:
            levels[name].add(name_of(row.settings.get(name)))
    return [name for name, found in levels.items() if len(found) > 1 and name not in SEED]


def bound(rows: Iterable[Row]) -> list[str]:
    """Fields of a recipe that vary, but as one or two other settings say: those that a study sets
    together with them, such as a rate that makes up for a neuron's gain."""
    finished = [row for row in rows if row.figures is not None]
    names, most = varying(finished), len(choices(finished)) // 2

    def follows(name: str, others: Iterable[str]) -> bool:
        said: dict[str, str] = {}
        for row in finished:
            given = name_of([row.settings.get(other) for other in others])
            value = name_of(row.settings.get(name))
            if said.setdefault(given, value) != value:
                return False
        return len(said) <= most  # else every choice has settings of its own

    fields = [name for name in names if "." in name]
    pairs = list(combinations_with_replacement([name for name in names if name not in fields], 2))
    return [name for name in fields if any(follows(name, pair) for pair in pairs)]


def front(found: Sequence[Choice], objectives: Sequence[str]) -> list[Choice]:
    """Those that no other one beats: at least as good in all mean ``objectives``, and better in
    one; the best in the first of them first."""
    known = [(each, _costs(each, objectives)) for each in found]
    costs = [(each, cost) for each, cost in known if cost is not None]
    best = [(each, cost) for each, cost in costs if not any(
        (other <= cost).all() and (other < cost).any() for _, other in costs)]
    return [each for each, _ in sorted(best, key=lambda pair: tuple(pair[1]))]


def _costs(choice: Choice, objectives: Sequence[str]) -> npt.NDArray[np.float64] | None:
    intervals = [choice.interval(name) for name in objectives]
    if None in intervals:
        return None
    return np.array([(-1 if OBJECTIVES[name] else 1) * each.mean
                     for name, each in zip(objectives, intervals, strict=True) if each])


@dataclass(frozen=True)
class Sensitivity:
    """What a ``figure`` is at each level of the setting ``name``, all others averaged over.

    ``changes`` are the differences from the first level, seed by seed; None where seeds do not
    pair, and at the first level. ``over`` says what the intervals are over: ``seeds``, where every
    seed saw every choice, or ``trials``.
    """

    name: str
    figure: str
    levels: tuple[tuple[str, Interval], ...]
    changes: tuple[Interval | None, ...]
    over: str

    @property
    def effect(self) -> float:
        """Largest mean − smallest."""
        means = [each.mean for _, each in self.levels]
        return max(means) - min(means)


def sensitivity(
    rows: Sequence[Row], name: str, figure: str, bound: Sequence[str] = (),
) -> Sensitivity | None:
    """None if fewer than two levels have the figure. Settings that are ``bound`` go with
    ``name``."""
    finished = [row for row in rows if row.figures is not None
                and row.figures.get(figure) is not None and name in row.settings]
    labels = _labels([row.settings[name] for row in finished])
    #: level → seed → (all other settings, figure)
    cells: dict[str, dict[str, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for row, label in zip(finished, labels, strict=True):
        assert row.figures is not None
        seed = name_of([row.settings.get(each) for each in SEED])
        others = name_of(without(row.settings, (*SEED, name, *bound)))
        cells[label][seed].append((others, row.figures[figure]))
    seeds = {frozenset(by_seed) for by_seed in cells.values()}
    same = {tuple(sorted(others for others, _ in part))
            for by_seed in cells.values() for part in by_seed.values()}
    balanced = len(seeds) == 1 and len(same) == 1 and len(next(iter(seeds))) > 1
    found: dict[str, npt.NDArray[np.float64]] = {}
    for label in dict.fromkeys(labels):
        parts = [[value for _, value in part] for _, part in sorted(cells[label].items())]
        found[label] = np.array([np.mean(part) for part in parts] if balanced
                                else [value for part in parts for value in part])
    if len(found) < 2:
        return None
    first = next(iter(found.values()))
    changes = [interval(values - first) if balanced and values is not first else None
               for values in found.values()]
    levels = tuple((label, interval(values)) for label, values in found.items())
    return Sensitivity(name, figure, levels, tuple(changes), "seeds" if balanced else "trials")


def _labels(values: Sequence[Any]) -> list[str]:
    numbers = [value for value in values
               if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(set(numbers)) <= _LEVELS:
        return [shown(value) for value in values]
    edges = np.quantile(numbers, (0.25, 0.5, 0.75))
    bounds = [min(numbers), *edges.tolist(), max(numbers)]
    names = [f"{low:.3g} – {high:.3g}" for low, high in pairwise(bounds)]
    return [names[int(np.searchsorted(edges, value))] for value in numbers]


@dataclass(frozen=True)
class Correlation:
    """Between two figures over ``n`` choices; ranks by Spearman, values by Pearson. The interval of
    Spearman's is by Fisher's transformation with the variance of Bonett & Wright 2000,
    (1 + ρ²/2)/(n − 3)."""

    first: str
    second: str
    n: int
    pearson: float
    spearman: float
    low: float
    high: float


def correlation(found: Sequence[Choice], first: str, second: str) -> Correlation | None:
    """Over the means of choices; None for fewer than five, or if one of them does not vary."""
    pairs = [(a.mean, b.mean) for each in found
             if (a := each.interval(first)) and (b := each.interval(second))]
    if len(pairs) < 5 or any(len(set(column)) < 2 for column in zip(*pairs, strict=True)):
        return None
    x, y = map(np.array, zip(*pairs, strict=True))
    # Spearman's is Pearson's of the ranks.
    pearson, rho = (float(np.corrcoef(a, b)[0, 1])
                    for a, b in ((x, y), (stats.rankdata(x), stats.rankdata(y))))
    spread = stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    middle = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    return Correlation(first, second, len(x), pearson, rho,
                       float(np.tanh(middle - spread)), float(np.tanh(middle + spread)))


def by_task(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of the same task together, under its name; all of them under "" if there is one. Where
    recipes have different names, data need none."""
    parts: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        given = dict.fromkeys(shown(row.settings[name]) for name in TASK if name in row.settings)
        parts[tuple(given)].append(row)
    if len(parts) < 2:
        return {"": list(rows)}
    enough = len({given[:1] for given in parts}) == len(parts)
    return {", ".join(given[:1] if enough else given): part for given, part in parts.items()}


def by_hardware(found: Iterable[Choice]) -> dict[str, list[Choice]]:
    """Choices on the same hardware together, under its name."""
    parts: dict[str, list[Choice]] = defaultdict(list)
    for each in found:
        parts[hardware_of(each.settings)].append(each)
    return dict(parts)


def hardware_of(settings: dict[str, Any]) -> str:
    """The name of the hardware that ``settings`` ask for."""
    given = [f"{name} {shown(settings[name])}" for name in HARDWARE
             if settings.get(name) is not None]
    return ", ".join(given) or "a lane for each neuron"


def shown(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def without(settings: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """``settings`` but those ``names``."""
    return {name: value for name, value in settings.items() if name not in names}


def name_of(value: Any) -> str:
    """Text that is the same for equal values only."""
    return json.dumps(value, sort_keys=True)
