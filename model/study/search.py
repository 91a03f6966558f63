"""Which trials a study makes, and in which order.

``ask()`` gives the settings of the next trial, or None where there is none (for now, while trials
run; for good, if none does); ``tell`` hears what became of one. Grid and random trials are known
beforehand, so a study that goes on makes the very same ones. Optuna's follow from the results so
far: one that goes on is told of every trial in the store before it asks for another.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...gen.errors import RecipeError
from .settings import OBJECTIVES, Study
from .space import Range, settings

if TYPE_CHECKING:
    import optuna


class Searching(Protocol):
    """What all searches can do; ``total`` trials at most."""

    total: int

    def ask(self) -> dict[str, Any] | None:
        """Settings of the next trial."""
        ...

    def remember(self, chosen: Mapping[str, Any]) -> None:
        """A trial of an earlier session, finished or not, which need not be asked for."""
        ...

    def tell(self, chosen: Mapping[str, Any], figures: Mapping[str, Any] | None) -> None:
        """What a trial of these settings found; None if it failed."""
        ...


def search(study: Study) -> Searching:
    """The search that ``study`` asks for.

    Raises
    ------
    RecipeError
        If a trial known beforehand is impossible; the message names the field.
    """
    if study.search.kind == "optuna":
        return Guided(study)
    return Listed(study, list(grid(study) if study.search.kind == "grid" else drawn(study)))


def grid(study: Study) -> Iterator[dict[str, Any]]:
    """Every combination; the last axis changes fastest."""
    names = list(study.space)
    for values in itertools.product(*study.space.values()):
        yield settings(dict(zip(names, values, strict=True)))


def drawn(study: Study) -> Iterator[dict[str, Any]]:
    """``trials`` combinations, each axis by itself and evenly."""
    source = random.Random(study.search.seed)
    for _ in range(study.search.trials or 0):
        yield settings({name: _value(axis, source) for name, axis in study.space.items()})


def _value(axis: Range | Sequence[Any], source: random.Random) -> Any:
    if not isinstance(axis, Range):
        return source.choice(axis)
    if axis.whole and not axis.log:
        return source.randint(int(axis.low), int(axis.high))
    low, high = (math.log(v) if axis.log else v for v in (axis.low, axis.high))
    value = source.uniform(low, high)
    value = min(max(math.exp(value) if axis.log else value, axis.low), axis.high)
    return round(value) if axis.whole else value


class Listed:
    """Trials that are known beforehand; those that come out the same are made once."""

    def __init__(self, study: Study, found: list[dict[str, Any]]):
        self._left: list[dict[str, Any]] = []
        known = set()
        for chosen in found:
            if (key := study.trial(chosen).key) not in known:
                known.add(key)
                self._left.append(chosen)
        self.total = len(self._left)
        self._left.reverse()

    def ask(self) -> dict[str, Any] | None:
        return self._left.pop() if self._left else None

    def remember(self, chosen: Mapping[str, Any]) -> None:
        """Asked for all the same: whoever asks knows which trials are finished."""

    def tell(self, chosen: Mapping[str, Any], figures: Mapping[str, Any] | None) -> None:
        """No result changes what is asked for."""


class Guided:
    """Optuna's trials. A choice is one of its texts in JSON, because Optuna takes no lists."""

    #: Proposals of settings that were tried already, before Optuna is taken to have no others.
    REPEATS = 200

    def __init__(self, study: Study):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study, self.total = study, study.search.trials or 0
        self._asked = 0
        self._known: set[str] = set()
        self._open: dict[str, optuna.trial.Trial] = {}
        self._optuna = optuna.create_study(
            directions=["maximize" if OBJECTIVES[name] else "minimize"
                        for name in study.search.objectives],
            sampler=_sampler(study))
        self._distributions = {name: _distribution(axis) for name, axis in study.space.items()}

    def ask(self) -> dict[str, Any] | None:
        from optuna.trial import TrialState

        if self._asked >= self.total:
            return None
        for _ in range(self.REPEATS):
            proposed = self._optuna.ask(self._distributions)
            chosen = settings({name: self._read(name, value)
                               for name, value in proposed.params.items()})
            try:
                key = self.study.trial(chosen).key
            except RecipeError:
                self._optuna.tell(proposed, state=TrialState.FAIL)  # they do not go together
                continue
            if key in self._known:
                self._optuna.tell(proposed, state=TrialState.FAIL)
                continue
            self._known.add(key)
            self._open[key] = proposed
            self._asked += 1
            return chosen
        self.total = self._asked
        return None

    def remember(self, chosen: Mapping[str, Any]) -> None:
        self._known.add(self.study.trial(dict(chosen)).key)
        self._asked += 1

    def tell(self, chosen: Mapping[str, Any], figures: Mapping[str, Any] | None) -> None:
        import optuna

        key = self.study.trial(dict(chosen)).key
        values = None if figures is None else _values(self.study, figures)
        if (proposed := self._open.pop(key, None)) is not None:
            state = optuna.trial.TrialState.FAIL if values is None else None
            self._optuna.tell(proposed, values, state=state)
            return
        parameters = self._parameters(chosen)  # of a trial of an earlier session
        if values is not None and parameters is not None:
            self._optuna.add_trial(optuna.trial.create_trial(
                params=parameters, distributions=self._distributions, values=values))

    def _parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any] | None:
        """Optuna's names and values of what a trial was made of; None if they are of no axis."""
        found: dict[str, Any] = {}
        for name, axis in self.study.space.items():
            if isinstance(axis, Range):
                found[name] = chosen.get(name)
                continue
            fitting = [value for value in axis
                       if all(chosen.get(n) == v for n, v in settings({name: value}).items())]
            if not fitting:
                return None
            found[name] = json.dumps(fitting[0])
        return found

    def _read(self, name: str, value: Any) -> Any:
        return value if isinstance(self.study.space[name], Range) else json.loads(value)


def _values(study: Study, figures: Mapping[str, Any]) -> list[float] | None:
    values = [figures.get(name) for name in study.search.objectives]
    return None if None in values else [float(value) for value in values if value is not None]


def _sampler(study: Study) -> optuna.samplers.BaseSampler:
    import optuna

    if study.search.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=study.search.seed)
    # The liar keeps trials that run at once apart.
    return optuna.samplers.TPESampler(seed=study.search.seed, constant_liar=True)


def _distribution(axis: Range | Sequence[Any]) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if not isinstance(axis, Range):
        return CategoricalDistribution([json.dumps(value) for value in axis])
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(float(axis.low), float(axis.high), log=axis.log)
