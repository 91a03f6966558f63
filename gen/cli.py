"""``spikewright``: collects the commands that the installed parts offer, and runs one.

Commands are entry points in the group ``spikewright.commands``. Exit code 0: done; 1: a check
failed; 2: bad input, explained in one line on stderr.
"""

import sys
from collections.abc import Sequence
from importlib import metadata

import click
import typer
from rich.console import Console

from .errors import SpikewrightError

GROUP = "spikewright.commands"

#: Order in which a net travels; commands of other packages follow by name.
ORDER = ("train", "compile", "simulate", "check", "generate", "build", "report", "demo")


def application() -> typer.Typer:
    """The command line with every registered command."""
    app = typer.Typer(
        help="Turn a trained spiking neural network into a proven FPGA accelerator.",
        no_args_is_help=True, add_completion=False, rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    for name in sorted(points, key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n)):
        app.command(name)(points[name].load())
    return app


def run(name: str, **arguments: object) -> None:
    """Runs the registered command ``name`` from another command."""
    (point,) = metadata.entry_points(group=GROUP, name=name)
    point.load()(**arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``spikewright`` script."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        return application()(arguments, standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError:
        return 2
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" (see: {error.ctx.command_path} --help)"
        return _refuse(error.format_message() + hint)
    except SpikewrightError as error:
        return _refuse(str(error))
    except (click.Abort, KeyboardInterrupt):
        return _refuse("interrupted; nothing half-written was left")


def _refuse(message: str) -> int:
    line = " ".join(message.split())
    Console(stderr=True, soft_wrap=True).print(f"error: {line}", markup=False, highlight=False)
    return 2
