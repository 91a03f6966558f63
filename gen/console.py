"""How every command speaks: progress on stderr, one result on stdout, as tables or as JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

#: The option that every command takes.
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]

# A notebook is no terminal, whatever its kernel says; bars that move would need ipywidgets there.
_stderr = Console(stderr=True, force_jupyter=False,
                  force_terminal=False if "ipykernel" in sys.modules else None)

#: Where results go while one command runs inside another.
_results: ContextVar[list[dict[str, Any]] | None] = ContextVar("results", default=None)


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar with time left, on stderr.

    Yields ``advance(steps=1, note=None)``; ``note`` replaces the description. ``total=None`` is
    work of unknown length. Where stderr is no terminal, only the finished bar is printed; where an
    exception ends the work, none is.
    """
    columns = (
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(),
        MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )
    with Progress(*columns, console=_stderr) as bar:
        task = bar.add_task(description, total=total)

        def advance(steps: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=steps, description=note)

        try:
            yield advance
        except BaseException:
            # What went wrong must be the only line left to read; stop() would print another.
            bar.live.transient = True
            bar.live.stop()
            bar.disable = True
            raise


def say(message: str) -> None:
    """A line for people, on stderr."""
    _stderr.print(message, highlight=False, markup=False, soft_wrap=True)


def table(title: str, headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """A table of ``rows``; the first column to the left, figures to the right, in thousands.

    None shows as a dash, floats with three places.
    """
    made = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="right" if number else "left")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}"
    return str(value)


def finish(result: dict[str, Any], *shown: RenderableType, as_json: bool) -> None:
    """Prints ``result`` as one JSON object, or what is ``shown`` to people, on stdout.

    Inside :func:`captured` it prints nothing; the result goes to the caller.
    """
    if (results := _results.get()) is not None:
        results.append(result)
    elif as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        console = Console()
        for item in shown:
            # Lines are left to the terminal to break, so that what is copied from them is whole.
            console.print(item, soft_wrap=isinstance(item, str))


@contextmanager
def captured() -> Iterator[list[dict[str, Any]]]:
    """Collects what :func:`finish` is given instead of printing it."""
    results: list[dict[str, Any]] = []
    token = _results.set(results)
    try:
        yield results
    finally:
        _results.reset(token)
