"""The page about a study: ``report.html`` in its folder, self-contained but for links to the run
folders that its numbers come from.

It reads the store and nothing else. Needs matplotlib and jinja2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...gen.counters import CYCLE_COUNTERS
from ...gen.runfolder import write_output
from ..figures import svg
from ..report import Card, Figure, Section, Table
from . import figures
from .settings import OBJECTIVES, Study
from .statistics import (
    CONFIDENCE,
    HARDWARE,
    Choice,
    Correlation,
    Interval,
    by_hardware,
    choices,
    correlation,
    front,
    sensitivity,
    shown,
    varying,
)
from .store import Row

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE = "report.html"
STORE = "study.db"

#: What settings are held responsible for.
FIGURES = ("accuracy", "cycles", "spike_rate")


def write(study: Study, folder: Path, rows: Sequence[Row]) -> Path:
    """Writes the page of the ``rows`` of ``study``; its path."""
    from jinja2 import Environment, StrictUndefined

    template = resources.files("spikewright.model").joinpath("report.html")
    page = Page(study, rows)
    html = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        template.read_text(encoding="utf-8")).render(
            title=study.name, subtitle=study.description or f"from recipe {study.recipe}",
            cards=page.cards(), sections=page.sections())
    path = folder / PAGE
    write_output(path, html)
    return path


class Page:
    """What the page says."""

    def __init__(self, study: Study, rows: Sequence[Row]):
        self.study, self.rows = study, rows
        self.finished = [row for row in rows if row.figures is not None]
        self.choices = choices(rows)
        self.names = varying(rows)
        self.hardware = by_hardware(self.choices)
        self.objectives = [name for name in study.search.objectives
                           if any(choice.values(name) for choice in self.choices)]
        self.front = front(self.choices, self.objectives) if self.objectives else []

    def cards(self) -> list[Card]:
        """How much there is, and the best of it."""
        failed = sum(row.state == "failed" for row in self.rows)
        cards = [Card("trials finished", f"{len(self.finished)} of {len(self.rows)}",
                      "" if len(self.finished) == len(self.rows) else "bad")]
        if failed:
            cards.append(Card("trials failed", str(failed), "bad"))
        for name in self.objectives:
            means = [each.mean for choice in self.choices if (each := choice.interval(name))]
            best = (max if OBJECTIVES[name] else min)(means)
            cards.append(Card(f"best {_unit(name)}, mean over seeds",
                              value(name, Interval(best, None, 1))))
        return cards

    def sections(self) -> list[Section]:
        """In order."""
        if not self.finished:
            return [Section("Results", "No trial has finished yet.", [self._failures()])]
        found = [self._front(), self._sensitivity(), self._correlation(), self._layers(),
                 self._trials()]
        if len(self.finished) < len(self.rows):
            found.append(Section("Trials without a result", tables=[self._failures()]))
        return found

    def _front(self) -> Section:
        section = Section(
            "What no other choice beats",
            f"Of {len(self.choices)} choices, {len(self.front)} are beaten by no other one in "
            f"{_list(self.objectives)} at once. ± is the {CONFIDENCE:.0%} interval of Student's t "
            f"over seeds; the front itself is one of means.",
            [Table(("choice", "trials", *map(_unit, self.objectives)),
                   [(self._said(choice), _links(choice.rows),
                     *(value(name, choice.interval(name)) for name in self.objectives))
                    for choice in self.front], STORE)])
        others = [name for name in self.objectives if name != "accuracy"]
        if "accuracy" in self.objectives:
            for name in others:
                title = f"Accuracy against {_unit(name)}"
                section.figures.append(Figure(title, STORE, svg(figures.front(
                    self.hardware, front(self.choices, (name, "accuracy")), name, "accuracy"),
                    title), "every choice; whiskers are intervals over seeds."))
        return section

    def _sensitivity(self) -> Section:
        section = Section(
            "What each setting does",
            "Each figure at each value of one setting, averaged over all others. Where every seed "
            "saw every choice, intervals are over seeds; elsewhere over trials, and then the "
            "others' spread is in them. What a value changes, against the first one, is taken seed "
            "by seed, so that what seeds share is not in its interval.")
        rows: list[tuple[Any, ...]] = []
        for name in self.names:
            # What a net computes does not depend on where it is computed.
            asked = ("cycles", "latency_us", "logic") if name in HARDWARE else FIGURES
            found = [each for figure in asked
                     if (each := sensitivity(self.finished, name, figure))]
            if not found:
                continue
            rows += [(name, _unit(each.figure), label, value(each.figure, level),
                      value(each.figure, change), f"{level.n} {each.over}")
                     for each in found
                     for (label, level), change in zip(each.levels, each.changes, strict=True)]
            title = f"Sensitivity to {name}"
            section.figures.append(Figure(title, STORE, svg(figures.sensitivities(found), title),
                                          f"intervals over {found[0].over}."))
        if rows:
            section.tables.append(Table(("setting", "figure", "value", "mean",
                                         "more than the first", "over"), rows, STORE))
        else:
            section.text = "Nothing varies but seeds."
        return section

    def _correlation(self) -> Section:
        pairs = [("accuracy", "cycles"), ("spike_rate", "cycles"), ("accuracy", "spike_rate")]
        rows: list[tuple[Any, ...]] = []
        for name, found in self.hardware.items():
            for pair in pairs:
                each = correlation(found, *pair)
                if each is not None:
                    rows.append((name, " and ".join(pair), each.n, f"{each.pearson:+.2f}",
                                 f"{each.spearman:+.2f}", f"{each.low:+.2f} to {each.high:+.2f}"))
        section = Section("Does accuracy tell latency?")
        if not rows:
            section.text = "Fewer than five choices share a piece of hardware, too few to say."
            return section
        section.text = self._verdicts()
        section.tables.append(Table(
            ("hardware", "between", "choices", "Pearson", "Spearman", "interval of Spearman"),
            rows, STORE))
        return section

    def _verdicts(self) -> str:
        return " ".join(
            f"On {name}, over {each.n} choices, {_strength(each)}"
            for name, found in self.hardware.items()
            if (each := correlation(found, "accuracy", "cycles")))

    def _layers(self) -> Section:
        rows = []
        for choice in self.front:
            row = choice.rows[0]
            assert row.figures is not None
            hardware = row.figures["hardware"]
            for layer, counted in hardware["counters"].items():
                samples = hardware["samples"]
                rows.append((_link(row), layer, hardware["lanes"][layer],
                             f"{hardware['rate_per_layer'][layer]:.1%}",
                             f"{hardware['utilisation'][layer]:.1%}",
                             *(f"{counted[name] / samples:,.0f}" for name in _PER_LAYER)))
        return Section(
            "Layers of the front", "The first seed of each choice; cycles and events an inference, "
            "on the mean.", [Table(("trial", "layer", "lanes", "spike rate", "utilisation",
                                    *(name.replace("_", " ") for name in _PER_LAYER)), rows,
                                   STORE)])

    def _trials(self) -> Section:
        names = list(dict.fromkeys((*self.objectives, *FIGURES)))
        rows = []
        for row in self.finished:
            assert row.figures is not None
            rows.append((_link(row), self._settings(row),
                         *(value(name, None if row.figures.get(name) is None else
                                 Interval(row.figures[name], None, 1)) for name in names)))
        return Section("All trials", "A number is that of the trial, and leads to its run folder.",
                       [Table(("trial", "settings", *map(_unit, names)), rows, STORE)])

    def _failures(self) -> Table:
        return Table(("trial", "settings", "state", "why"),
                     [(str(row.number), self._settings(row), row.state, row.error or "–")
                      for row in self.rows if row.figures is None], STORE)

    def _said(self, choice: Choice) -> str:
        return _list(f"{name} {shown(choice.settings.get(name))}" for name in self.names) or "all"

    def _settings(self, row: Row) -> str:
        return _list(f"{name} {shown(each)}" for name, each in row.settings.items()
                     if name in self.names or name not in self.study.set)


#: Counters of a layer that the page shows, as :mod:`spikewright.gen.counters` calls them.
_PER_LAYER = (*CYCLE_COUNTERS, "events_in", "synops")


def value(name: str, interval: Interval | None) -> str:
    """A figure in the unit of :data:`.figures.UNITS`."""
    if interval is None:
        return "–"
    unit = figures.UNITS[name][1]
    return interval.text(unit, 2 if unit == 100 else None)


def _unit(name: str) -> str:
    return figures.UNITS[name][0]


def _strength(each: Correlation) -> str:
    rank = f"rank correlation of accuracy and cycles is {each.spearman:+.2f} " \
           f"({each.low:+.2f} to {each.high:+.2f})"
    if each.low <= 0 <= each.high:
        return f"{rank}: 0 is not ruled out, so these choices leave open what accuracy tells."
    more = "more" if each.spearman > 0 else "fewer"
    return (f"{rank}: more accurate choices tend to take {more} cycles; accuracy explains "
            f"{each.spearman**2:.0%} of the ranks' variance.")


def _link(row: Row) -> Markup:
    from markupsafe import Markup

    return Markup('<a href="{}/trials/{}.json">{}</a>').format(
        row.run, row.key[:16], row.number)


def _links(rows: Iterable[Row]) -> Markup:
    from markupsafe import Markup

    return Markup(" ").join(_link(row) for row in rows)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
