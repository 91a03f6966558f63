"""What the results of a study say of hardware, task by task and folding by folding."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from .claims import judged
from .predictor import predictions
from .statistics import by_hardware, by_task, choices, hardware_of
from .store import Row


def findings(rows: Sequence[Row]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Verdicts on what was claimed (:mod:`.claims`), and how well cycles are foretold
    (:mod:`.predictor`): tables whose rows are named alike."""
    verdicts, foretold = list[dict[str, Any]](), list[dict[str, Any]]()
    for task, part in by_task(rows).items():
        for hardware, found in by_hardware(choices(part)).items():
            where = ", ".join(filter(None, (task, hardware)))
            of = [row for choice in found for row in choice.rows]
            verdicts += [{"on": where, "claim": each.claim, "verdict": each.word,
                          "measured": each.measured} for each in judged(of)]
            foretold += [{"on": where, "known": each.knowing, "error": each.error,
                          "worst": each.worst, "explained": each.explained, "runs": each.runs}
                         for each in predictions(of)]
    return verdicts, foretold


def extent(rows: Iterable[Row]) -> list[dict[str, str]]:
    """What trials on each piece of hardware take, from the least to the most of them."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.figures is not None:
            parts[hardware_of(row.settings)].append(row.figures)
    found = []
    for hardware, figures in parts.items():
        known = [each["resources"] for each in figures if each.get("resources")]
        found.append({
            "hardware": hardware, "trials": str(len(figures)),
            "fit": f"{sum(each['fits'] for each in known)} of {len(known)}" if known else "–",
            "clock, MHz": _span([each["clock_mhz"] for each in known]),
            **{what: _span([each[name]["used"] for each in known])
               + (f" of {known[0][name]['available']:,}" if known else "")
               for what, name in (("logic", "logic"), ("block memories", "blocks"),
                                  ("large memories", "large"), ("multipliers", "multipliers"))},
            "cycles": _span([each["cycles"] for each in figures]),
            "latency, µs": _span([each["latency_us"] for each in figures]),
        })
    return found


def _span(values: Sequence[float | None]) -> str:
    known = [each for each in values if each is not None]
    if not known:
        return "–"
    low, high = (f"{each:,.0f}" if each >= 100 or each == int(each) else f"{each:.1f}"
                 for each in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"
