"""``make bench``: what the hardware reaches, beside what the project promises, in tables and in
``results.json``, which is kept under version control so that a regression shows."""

import json
import sys

from rich.console import Console
from rich.table import Table

from spikewright.gen.errors import DataError, SpikewrightError

from . import (
    activity,
    boards,
    conversion,
    cycle_model,
    energy,
    engines,
    estimates,
    faults,
    latency,
    principle,
    rivals,
    robustness,
    rounding,
    sast,
    silicon,
    sparse_gradient,
    training,
    workers,
)
from .boards import RESULTS

PARTS = {
    "utilisation": activity.utilisation,
    "principle": principle.measure,
    "mnist": silicon.mnist,
    "full_lanes": silicon.full_lanes,
    "convolution": silicon.convolution,
    "icebreaker": silicon.icebreaker,
    "boards": boards.measure,
    "estimates": estimates.compare,
    "rivals": rivals.compare,
    "cycle_model": cycle_model.measure,
    "engines": engines.measure,
    "latency": latency.measure,
    "rounding": rounding.measure,
    "training": training.measure,
    "sparse_gradient": sparse_gradient.measure,
    "robustness": robustness.measure,
    "sast": sast.measure,
    "faults": faults.measure,
    "ann_to_snn": conversion.measure,
    "energy": energy.measure,
    "workers": workers.measure,
}


def main(names: list[str]) -> None:
    """Measures the parts named, or all, and keeps what was measured before of the others."""
    console = Console()
    for name in names or PARTS:
        console.rule(name.replace("_", " "))
        try:
            measured = PARTS[name]()
        except DataError as error:
            console.print(f"not measured: {error}")
            continue
        for row in measured:
            console.print(_table(row))
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        results = {part: {**results, name: measured}[part]
                   for part in PARTS if part in {**results, name: measured}}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _table(row: dict) -> Table:
    table = Table(show_header=False, title=row["what"], title_justify="left")
    for key, value in row.items():
        if key != "what":
            table.add_row(key.replace("_", " "), f"{value:,}" if isinstance(value, int) else
                          str(value))
    return table


if __name__ == "__main__":
    wrong = [name for name in sys.argv[1:] if name not in PARTS]
    if wrong:
        sys.exit(f"unknown parts {', '.join(wrong)}; there are {', '.join(PARTS)}")
    try:
        main(sys.argv[1:])
    except SpikewrightError as error:
        sys.exit(f"error: {error}")
