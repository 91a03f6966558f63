"""The page about a study: ``report.html`` in its folder, self-contained but for links to the run
folders that its numbers come from.

It reads the store and nothing else. Needs matplotlib and jinja2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...gen.counters import CYCLE_COUNTERS
from ...gen.runfolder import write_output
from ..figures import svg
from ..report.page import Card, Figure, Section, Table, render
from . import figures
from .claims import judged
from .findings import extent
from .predictor import FEWEST, predictions
from .settings import OBJECTIVES, Study
from .statistics import (
    CONFIDENCE,
    HARDWARE,
    SEED,
    Choice,
    Interval,
    bound,
    by_hardware,
    by_task,
    choices,
    correlation,
    front,
    sensitivity,
    shown,
    varying,
)
from .store import Row
from .wording import link, links, listed, strength, titled, unit, value

PAGE = "report.html"
STORE = "study.db"

#: What settings are held responsible for.
FIGURES = ("accuracy", "cycles", "spike_rate")


def write(study: Study, folder: Path, rows: Sequence[Row]) -> Path:
    """Writes the page of the ``rows`` of ``study``; its path."""
    page = Page(study, rows)
    path = folder / PAGE
    write_output(path, render(study.name, study.description or f"from recipe {study.recipe}",
                              page.cards(), page.sections()))
    return path


class Page:
    """What the page says, task by task."""

    def __init__(self, study: Study, rows: Sequence[Row]):
        self.rows = rows
        self.parts = {name: Part(study, part) for name, part in by_task(rows).items()}

    def cards(self) -> list[Card]:
        """How much there is, and the best of it."""
        done = sum(row.figures is not None for row in self.rows)
        failed = sum(row.state == "failed" for row in self.rows)
        cards = [Card("trials finished", f"{done} of {len(self.rows)}",
                      "" if done == len(self.rows) else "bad")]
        if failed:
            cards.append(Card("trials failed", str(failed), "bad"))
        return cards + [Card(titled(name, card.name), card.value)
                        for name, part in self.parts.items() for card in part.cards()]

    def sections(self) -> list[Section]:
        """In order."""
        found = []
        for name, part in self.parts.items():
            for section in part.sections():
                section.title = titled(name, section.title)
                found.append(section)
        return found


class Part:
    """What the page says of one task."""

    def __init__(self, study: Study, rows: Sequence[Row]):
        self.study, self.rows = study, rows
        self.finished = [row for row in rows if row.figures is not None]
        self.choices = choices(rows)
        self.bound = bound(rows)
        self.names = [name for name in varying(rows) if name not in self.bound]
        self.hardware = by_hardware(self.choices)
        self.objectives = [name for name in study.search.objectives
                           if any(choice.values(name) for choice in self.choices)]
        self.front = front(self.choices, self.objectives) if self.objectives else []

    def cards(self) -> list[Card]:
        """The best of each objective."""
        cards = []
        for name in self.objectives:
            means = [each.mean for choice in self.choices if (each := choice.interval(name))]
            best = (max if OBJECTIVES[name] else min)(means)
            cards.append(Card(f"best {unit(name)}, mean over seeds",
                              value(name, Interval(best, None, 1))))
        return cards

    def sections(self) -> list[Section]:
        """In order."""
        if not self.finished:
            return [Section("Results", "No trial has finished yet.", [self._failures()])]
        found = [self._front(), self._sensitivity(), self._correlation(), self._claims(),
                 self._foretold(), self._hardware(), self._layers(), self._trials()]
        if len(self.finished) < len(self.rows):
            found.append(Section("Trials without a result", tables=[self._failures()]))
        return found

    def _front(self) -> Section:
        section = Section(
            "What no other choice beats",
            f"Of {len(self.choices)} choices, {len(self.front)} are beaten by no other one in "
            f"{listed(self.objectives)} at once. ± is the {CONFIDENCE:.0%} interval of Student's t "
            f"over seeds; the front itself is one of means.",
            [Table(("choice", "trials", *map(unit, self.objectives)),
                   [(self._said(choice), links(choice.rows),
                     *(value(name, choice.interval(name)) for name in self.objectives))
                    for choice in self.front], STORE)])
        others = [name for name in self.objectives if name != "accuracy"]
        if "accuracy" in self.objectives:
            for name in others:
                title = f"Accuracy against {unit(name)}"
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
                     if (each := sensitivity(self.finished, name, figure, self.bound))]
            if not found:
                continue
            rows += [(name, unit(each.figure), label, value(each.figure, level),
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
            f"On {name}, over {each.n} choices, {strength(each)}"
            for name, found in self.hardware.items()
            if (each := correlation(found, "accuracy", "cycles")))

    def _claims(self) -> Section:
        rows = [(name, each.claim, each.word, each.measured)
                for name, found in self.hardware.items() for each in judged(_rows(found))]
        section = Section("What was claimed, and what was measured")
        if not rows:
            section.text = "These trials say nothing of the claims of arXiv 2603.24891."
            return section
        section.text = (f"Claims of arXiv 2603.24891. A claim holds or is refuted if the "
                        f"{CONFIDENCE:.0%} interval over seeds says so; else it is open.")
        section.tables.append(Table(("hardware", "claim", "verdict", "measured"), rows, STORE))
        return section

    def _foretold(self) -> Section:
        rows = [(name, each.knowing, f"{each.error:.1%}", f"{each.worst:.1%}",
                 f"{each.explained:+.2f}", f"{each.runs} of {each.choices} choices")
                for name, found in self.hardware.items() for each in predictions(_rows(found))]
        section = Section("Can training foretell cycles?")
        if not rows:
            section.text = f"Fewer than {FEWEST} choices share a piece of hardware."
            return section
        section.text = ("Cycles by least squares on what is known after training, each choice "
                        "held back in turn with all its seeds. Explained is 1 less the squared "
                        "error, as part of that of the overall mean.")
        section.tables.append(Table(("hardware", "known", "mean error", "worst", "explained",
                                     "runs held back"), rows, STORE))
        return section

    def _hardware(self) -> Section:
        rows = extent(self.finished)
        text = "Cycles are exact; what the design takes of a part is an estimate."
        if any(row["fit"].partition(" of ")[0] != row["fit"].partition(" of ")[2]
               for row in rows if row["fit"] != "–"):
            text += (" The latency of a trial that does not fit is that of a part which could hold "
                     "it.")
        return Section("What the hardware takes", text,
                       [Table(tuple(rows[0]), [tuple(row.values()) for row in rows], STORE)])

    def _layers(self) -> Section:
        rows = []
        for choice in self.front:
            row = choice.rows[0]
            assert row.figures is not None
            hardware = row.figures["hardware"]
            for layer, counted in hardware["counters"].items():
                samples = hardware["samples"]
                rows.append((link(row), layer, hardware["lanes"][layer],
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
            rows.append((link(row), listed(f"{name} {shown(row.settings[name])}" for name in (
                *self.names, *SEED) if name in row.settings),
                         *(value(name, None if row.figures.get(name) is None else
                                 Interval(row.figures[name], None, 1)) for name in names)))
        return Section("All trials", "A number is that of the trial, and leads to its run folder.",
                       [Table(("trial", "settings", *map(unit, names)), rows, STORE)])

    def _failures(self) -> Table:
        return Table(("trial", "settings", "state", "why"),
                     [(str(row.number), self._settings(row), row.state, row.error or "–")
                      for row in self.rows if row.figures is None], STORE)

    def _said(self, choice: Choice) -> str:
        return listed(f"{name} {shown(choice.settings.get(name))}" for name in self.names) or "all"

    def _settings(self, row: Row) -> str:
        return listed(f"{name} {shown(each)}" for name, each in row.settings.items()
                     if name in self.names or name not in self.study.set)


#: Counters of a layer that the page shows, as :mod:`spikewright.gen.counters` calls them.
_PER_LAYER = (*CYCLE_COUNTERS, "events_in", "synops")


def _rows(found: Iterable[Choice]) -> list[Row]:
    return [row for choice in found for row in choice.rows]
