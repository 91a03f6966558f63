"""How every command speaks: progress on stderr, one result on stdout, as tables or as JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

#: The option that every command takes.
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]

_stderr = Console(stderr=True)


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar with time left, on stderr.

    Yields ``advance(steps=1, note=None)``; ``note`` replaces the description. ``total=None`` is
    work of unknown length. Where stderr is no terminal, only the finished bar is printed.
    """
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )
    with Progress(*columns, console=_stderr) as bar:
        task = bar.add_task(description, total=total)

        def advance(steps: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=steps, **({} if note is None else {"description": note}))

        yield advance


def say(message: str) -> None:
    """A line for people, on stderr."""
    _stderr.print(message, highlight=False, markup=False)


def finish(result: dict[str, Any], *shown: RenderableType, as_json: bool) -> None:
    """Prints ``result`` as one JSON object, or what is ``shown`` to people, on stdout."""
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        console = Console()
        for item in shown:
            console.print(item)
