"""``spikewright``: collects the commands that the installed parts offer, and runs one.

Commands are entry points in the group ``spikewright.commands``. Exit code 0: done; 1: a check
failed; 2: bad input, explained in one line on stderr; 130: interrupted.
"""

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import typer
from rich.console import Console

from . import console
from .errors import SpikewrightError

GROUP = "spikewright.commands"

#: Order in which a net travels; commands of other packages follow by name.
ORDER = ("data", "train", "compile", "transfer", "study", "robustness", "metrics", "energy",
         "simulate", "play", "check", "faults", "generate", "boards", "fit", "build", "program",
         "run", "virtual", "report", "export", "demo")

_INTERRUPTED = 130
_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}


def application() -> typer.Typer:
    """The command line with every registered command."""
    app = typer.Typer(
        help="Turn a trained spiking neural network into a proven FPGA accelerator.",
        add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    for name in sorted(points, key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n)):
        command, known = _load(points[name])
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
            continue
        app.command(name, context_settings={} if known else _ANY_ARGUMENTS)(command)
    return app


def _load(point: metadata.EntryPoint) -> tuple[Callable[..., None] | typer.Typer, bool]:
    """The command, or a group of them; where its part is broken, one that says so, and the others
    still work."""
    try:
        return point.load(), True
    except (ImportError, AttributeError) as error:
        reason = str(error)

        def unavailable() -> None:
            raise SpikewrightError(
                f"command {point.name!r} cannot be loaded from {point.value} ({reason}); "
                f"reinstall the package that offers it"
            )

        unavailable.__doc__ = f"Not available: {reason}."
        return unavailable, False


def run(name: str, **arguments: Any) -> dict[str, Any]:
    """Runs the registered command ``name`` from another command, and returns its result.

    Progress still goes to stderr; what the command would print on stdout is returned instead, as
    the object that ``--json`` prints.

    Raises
    ------
    SpikewrightError
        As the command does, and if no installed part offers it.
    typer.Exit
        If the command found a check that failed.
    """
    points = metadata.entry_points(group=GROUP, name=name)
    if not points:
        raise SpikewrightError(f"command {name!r} is not installed; reinstall spikewright")
    command: Callable[..., None] = next(iter(points)).load()
    with console.captured() as results:
        command(**arguments)
    return results[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``spikewright`` script."""
    # Else a process that imported PyTorch looks for garbage for a second before it is gone.
    atexit.register(gc.freeze)
    sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        # Without standalone mode typer hands over its errors, and returns the code of an Exit.
        code = application()(list(arguments) or ["--help"], prog_name="spikewright",
                             standalone_mode=False) or 0
    except SpikewrightError as error:
        return _refuse(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see: {context.command_path} --help" if context else ""
        return _refuse(error.format_message().rstrip(".") + hint)
    except typer.Abort:
        code = _INTERRUPTED
    except OSError as error:
        if error.filename is None:
            raise
        return _refuse(f"{error.filename}: {error.strerror}; check the path, its permissions and "
                       f"the space on its disk")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "spikewright":
            raise  # a bug of ours, not a package that the user left out
        return _refuse(
            f"this command needs the package {error.name!r}, which is not installed; run: "
            f"pip install 'spikewright[train,nir,build,report]'"
        )
    if code == _INTERRUPTED:
        _refuse("interrupted; nothing half-written was left")
    return code


def _refuse(message: str) -> int:
    line = " ".join(message.split())
    Console(stderr=True, soft_wrap=True).print(f"error: {line}", markup=False, highlight=False)
    return 2
