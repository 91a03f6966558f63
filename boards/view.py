"""What a board does, drawn while it does it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..gen.console import table
from ..gen.counters import CYCLE_COUNTERS
from .play import Tally

#: Redrawn so often in a second.
_RATE = 8


def figures(tally: Tally, clock_hz: int, seconds: float) -> dict[str, Any]:
    """What :func:`tables` shows, as JSON can hold it; all per inference but ``accuracy``.

    ``clock_hz`` is the board's, 0 if it is not known; ``seconds`` is how long it took here.
    """
    trace, names = tally.trace(), [layer.name for layer in tally.spec.layers]
    assert trace.cycles is not None
    cycles = trace.cycles

    def mean(counter: str, layer: int) -> float:
        return float(trace.counters[counter][:, layer].mean())

    return {
        "samples": tally.samples,
        "accuracy": tally.accuracy,
        "labelled": tally.labelled,
        "compared": tally.compared,
        "mismatches": tally.mismatches,
        "spilled": tally.spilled,
        "cycles": {"mean": float(cycles.mean()), "min": int(cycles.min()),
                   "max": int(cycles.max())},
        "microseconds": float(cycles.mean()) / clock_hz * 1e6 if clock_hz else None,
        "spikes_per_layer": {name: mean("events_out", n) for n, name in enumerate(names)},
        "counters": {name: {counter: mean(counter, n) for counter in trace.counters}
                     for n, name in enumerate(names)},
        "samples_per_second": tally.samples / seconds if seconds else None,
    }


def tables(shown: dict[str, Any], title: str) -> list[Any]:
    """``shown``, as :func:`figures` gave it."""
    accuracy, cycles = shown["accuracy"], shown["cycles"]
    rows: list[tuple[str, Any]] = [
        ("samples", shown["samples"]),
        ("accuracy", None if accuracy is None else f"{accuracy:.2%}"),
        ("differ from golden", f"{shown['mismatches']} of {shown['compared']}"),
        ("cycles an inference", round(cycles["mean"], 1)),
    ]
    if shown["spilled"]:
        rows.append(("longer than the board's buffer", shown["spilled"]))
    if shown["microseconds"] is not None:
        rows += [("µs an inference, at the board's clock", round(shown["microseconds"], 2)),
                 ("inferences a second, at the board's clock",
                  int(1e6 / shown["microseconds"]))]
    if shown["samples_per_second"] is not None:
        rows.append(("samples a second, over the link", round(shown["samples_per_second"], 2)))
    each = shown["counters"]
    whole = {name: max(1.0, sum(counters[name_] for name_ in CYCLE_COUNTERS))
             for name, counters in each.items()}
    layers = table(
        "an inference, per layer",
        ("layer", "events in", "spikes out", "synops", *CYCLE_COUNTERS),
        [(name, *(round(counters[what], 1) for what in ("events_in", "events_out", "synops")),
          *(f"{counters[what] / whole[name]:.0%}" for what in CYCLE_COUNTERS))
         for name, counters in each.items()])
    return [table(title, ("figure", "value"), rows), layers]


class View:
    """Draws a tally; :meth:`update` when it has changed."""

    def __init__(self, live: Live, tally: Tally, title: str, clock_hz: int):
        self._live, self._tally, self._title, self._hz = live, tally, title, clock_hz
        self._begun, self._drawn = time.monotonic(), -np.inf

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def update(self) -> None:
        if time.monotonic() - self._drawn < 1 / _RATE or not self._tally.samples:
            return
        self._drawn = time.monotonic()
        tally, total = self._tally, len(self._tally.stimulus)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total, tally.samples, width=40), Text(f"{tally.samples}/{total}"))
        self._live.update(Group(*tables(figures(tally, self._hz, self.seconds), self._title), bar),
                          refresh=True)


@contextmanager
def view(tally: Tally, title: str, clock_hz: int) -> Iterator[View]:
    """A view on stderr, gone when the work is done; nothing is drawn where stderr is no terminal.
    """
    console = Console(stderr=True)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        shown = View(live, tally, title, clock_hz)
        if not console.is_terminal:
            shown.update = lambda: None
        yield shown
