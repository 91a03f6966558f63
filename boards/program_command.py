"""The command ``program``."""

import json as json_module
import time
from typing import Annotated

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, progress, say, table
from ..gen.errors import MALFORMED, RunFolderError
from ..gen.runfolder import RunFolder
from .registry import find_board


def program(
    run: Run,
    board: Annotated[str, typer.Option(help="Board that was built for.")] = "icebreaker",
    flash: Annotated[
        bool, typer.Option("--flash", help="Write the flash, so that the board keeps the network. "
                                           "[default: only where there is no other way]")
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="PATH|SERIAL|PORT", show_default=False,
                                 help="One of several boards that are plugged in.")
    ] = None,
    tool: Annotated[
        str | None, typer.Option(help="The tool to use. [default: the first that is installed]",
                                 show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the command line.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the bitstream that `build` made to a board.

    Uses openFPGALoader, iceprog, or the board's own tool, whichever is installed, and tells what to
    install if none is. Where several boards are plugged in, --device chooses one.

    Example: `spikewright program runs/demo --board icebreaker --dry-run`
    """
    from .program import plan
    from .usb import plugged_in

    target = find_board(board)
    folder = RunFolder.open(run)
    again = f"run: spikewright build {run} --board {target.name}"
    bitstream = folder.file(f"boards/{target.name}/{target.family.bitstream}", "build")
    figures = folder.file(f"boards/{target.name}/build.json", "build")
    try:
        built = json_module.loads(figures.read_text(encoding="utf-8"))["network"]
    except (OSError, *MALFORMED) as error:
        raise RunFolderError(f"{figures} cannot be read ({error!r}); {again}") from error
    if built != folder.spec().digest:
        raise RunFolderError(f"{bitstream} holds another network than {run} has now; {again}")

    made = plan(target, bitstream, plugged_in(), permanent=flash, tool=tool, device=device,
                must_run=not dry_run)
    if made.device is None:
        wanted = " or ".join(map(str, target.usb))
        say(f"no {target.name} was seen (USB {wanted}); {made.programmer.tool} may still find it")
    if dry_run and made.program is None:
        say(f"{made.programmer.tool} is not installed: {made.programmer.install}")
    seconds = None
    if not dry_run:
        begun = time.monotonic()
        with progress(f"programming {target.name} with {made.programmer.tool}", 1) as advance:
            made.run()
            advance(note=f"programmed {target.name}")
        seconds = round(time.monotonic() - begun, 2)
    result = {
        "run": str(run), "board": target.name, "command": made.command,
        "tool": made.programmer.tool, "installed": made.program is not None,
        "device": None if made.device is None else str(made.device),
        "flash": made.permanent, "dry_run": dry_run, "seconds": seconds,
    }
    shown = [made.command] if dry_run else [
        table(f"{target.name} carries {run}", ("figure", "value"), [
            ("tool", made.programmer.tool), ("device", result["device"]),
            ("kept without power", "yes" if made.permanent else "no"), ("seconds", seconds)])]
    finish(result, *shown, as_json=json)
