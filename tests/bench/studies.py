"""What studies found, as it is kept in the repository, and the tables of docs/studies.md.

    python -m tests.bench.studies FOLDER…     # take in the stores of finished studies
    python -m tests.bench.studies             # write the tables again from what is kept

Of each trial that ended its settings and the figures that the tables need are kept, in
``studies/NAME.json.gz`` beside this file.
"""

import gzip
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.model.study.claims import NEURON, change, relative
from spikewright.model.study.findings import extent, findings
from spikewright.model.study.statistics import Choice, by_task, choices
from spikewright.model.study.store import Row, Store

KEPT = Path(__file__).with_name("studies")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies.md"

#: Figures of a trial that are kept.
FIGURES = ("accuracy", "float_accuracy", "cycles", "latency_us", "spikes", "input_spikes", "synops",
           "energy_pj", "qnn_energy_pj", "train_seconds", "measure_seconds")

Table = list[Sequence[Any]]


def take(folder: Path) -> Path:
    """Keeps the results of the study in ``folder``; the file."""
    with Store(folder / "study.db") as store:
        rows = store.rows(0)
    kept = [{"settings": row.settings, "state": row.state, "error": row.error,
             "figures": row.figures and _figures(row.figures)}
            for row in rows if row.state != "waiting"]
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{_name(folder)}.json.gz"
    text = "[\n" + ",\n".join(json.dumps(each) for each in kept) + "\n]\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def _name(folder: Path) -> str:
    with Store(folder / "study.db") as store:
        return store.settings()["name"]


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    training = found["training"] or {}
    return {name: _short(found[name]) for name in FIGURES} | {
        "training": {name: _short(each) for name, each in training.items()},
        "spikes_per_layer": {name: count / found["hardware"]["samples"] for name, count in
                             found["hardware"]["spikes_per_layer"].items()},
        "resources": found["resources"]}


def _short(value: Any) -> Any:
    """Seven digits are more than any table shows."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def kept(name: str) -> list[Row]:
    """The trials of the study called ``name``."""
    text = gzip.decompress((KEPT / f"{name}.json.gz").read_bytes())
    return [Row(str(number), number, run="", **each)
            for number, each in enumerate(json.loads(text))]


def tables(name: str) -> dict[str, Table]:
    """The tables of study ``name``, by title."""
    rows = one_board(kept(name))
    verdicts, foretold = findings(rows)
    found: dict[str, Table] = {
        "verdicts": [("on", "claim", "verdict", "measured"), *(
            (_on(each["on"]), each["claim"], each["verdict"], each["measured"])
            for each in verdicts)],
        "foretold": [("on", "known", "mean error", "worst", "explained", "runs"),
                     *((_on(each["on"]), each["known"], f"{each['error']:.1%}",
                        f"{each['worst']:.1%}", f"{each['explained']:+.2f}", each["runs"])
                       for each in foretold)],
        "extent": _extent(kept(name)), "choices": _choices(rows), "conditions": _conditions(rows),
    }
    return {title: table for title, table in found.items() if len(table) > 1}


def one_board(rows: Sequence[Row]) -> list[Row]:
    """The trials of the first board: cycles are the same on the others, or this fails."""
    boards = list(dict.fromkeys(row.settings.get("board") for row in rows))
    known: dict[str, float] = {}
    for row in rows:
        if row.figures is not None:
            key = json.dumps({**row.settings, "board": None}, sort_keys=True)
            if known.setdefault(key, row.figures["cycles"]) != row.figures["cycles"]:
                raise ValueError(f"trial {row.number} takes other cycles on another board")
    return [row for row in rows if row.settings.get("board") == boards[0]]


def _extent(rows: Sequence[Row]) -> Table:
    """What a study is made of, task by task."""
    found = [{"data": _task(task), **each} for task, part in by_task(rows).items()
             for each in extent(part)]
    return [tuple(found[0]), *(tuple(each.values()) for each in found)] if found else []


def _first(rows: Sequence[Row]) -> list[Row]:
    """Those of the first condition, on the last folding."""
    names = ("neuron", "beta", "theta")
    condition = [rows[0].settings.get(name) for name in names]
    lanes = rows[-1].settings.get("lanes")
    return [row for row in rows if [row.settings.get(name) for name in names] == condition
            and row.settings.get("lanes") == lanes]


def _choices(rows: Sequence[Row]) -> Table:
    """Accuracy, cycles and spikes by surrogate and slope, task by task."""
    parts = {_task(task): choices(_first(part)) for task, part in by_task(rows).items()}
    table: Table = [("surrogate", "slope", *(f"{task}: {what}" for task in parts for what in (
        "accuracy, %", "cycles", "hidden spikes")))]
    lines: dict[tuple[str, str], dict[str, Choice]] = {}
    for task, found in parts.items():
        for choice in found:
            key = (choice.settings["surrogate"], str(choice.settings.get("slope", "–")))
            lines.setdefault(key, {})[task] = choice
    for key, found in lines.items():
        table.append((*key, *(cell for task in parts for cell in _cells(found.get(task)))))
    return table


def _cells(choice: Choice | None) -> Sequence[str]:
    if choice is None:
        return ("", "", "")
    accuracy, cycles = choice.interval("accuracy"), choice.interval("cycles")
    hidden = [sum(list(row.figures["spikes_per_layer"].values())[:-1]) for row in choice.rows
              if row.figures]
    assert accuracy is not None
    assert cycles is not None
    return accuracy.text(100, 1), cycles.text(1, 0), f"{sum(hidden) / len(hidden):.0f}"


def _conditions(rows: Sequence[Row]) -> Table:
    """What neuron, decay and threshold change, everything else equal."""
    names = ("neuron", "beta", "theta")
    table: Table = [("data", "lanes", "condition", "cycles", "accuracy, points")]
    for task, part in by_task(rows).items():
        for lanes in dict.fromkeys(row.settings.get("lanes") for row in part):
            found = [row for row in part if row.settings.get("lanes") == lanes]
            levels = list(dict.fromkeys(
                tuple(row.settings.get(name) for name in names) for row in found))
            base = dict(zip(names, levels[0], strict=True))
            for level in levels[1:]:
                other = dict(zip(names, level, strict=True))
                free = (*names, *NEURON)
                cycles = change(found, base, other, free, "cycles", math.log)
                accuracy = change(found, base, other, free, "accuracy")
                if cycles is not None and accuracy is not None:
                    said = ", ".join(f"{name} {value}" for name, value in other.items()
                                     if value != base[name])
                    table.append((_task(task), f"`{lanes}`", said, relative(cycles),
                                  accuracy.text(100, 1)))
    return table


def _on(where: str) -> str:
    """A task and its lanes."""
    lanes = where.rpartition("lanes ")[2]
    return f"{_task(where)}, `{lanes}`"


def _task(name: str) -> str:
    return name.partition(",")[0] or "digits"


def markdown(table: Table) -> str:
    """``table``, its first row the headings."""
    head, *rest = ([str(cell) for cell in row] for row in table)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *rest))


def marks(name: str, title: str) -> tuple[str, str]:
    """Lines around a table in :data:`PAGE`."""
    return f"<!-- python -m tests.bench.studies: {name}, {title} -->\n", "<!-- end -->\n"


def write() -> None:
    """Puts every table that :data:`PAGE` asks for in its place."""
    text = PAGE.read_text(encoding="utf-8")
    for file in sorted(KEPT.glob("*.json.gz")):
        name = file.name.removesuffix(".json.gz")
        for title, table in tables(name).items():
            begin, end = marks(name, title)
            before, found, rest = text.partition(begin)
            if found:
                text = f"{before}{begin}{markdown(table)}{end}{rest.partition(end)[2]}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(take(Path(argument)))
    write()
