"""The command ``virtual``."""

import signal
import sys
from typing import Annotated

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, say
from ..gen.runfolder import RunFolder
from .run_command import Divisor


def virtual(
    run: Run,
    board: Annotated[str, typer.Option(help="Which board.")] = "icebreaker",
    divisor: Divisor = None,
    watchdog: Annotated[
        bool, typer.Option("--watchdog", help="As of `build`.")
    ] = False,
    json: Json = False,
) -> None:
    """Serve a virtual board: the hardware of a real one, compiled, at a pseudo-terminal.

    Prints the terminal's path, and serves until it is interrupted (Ctrl-C). Whatever speaks
    docs/protocol.md may use it: `spikewright run --port`, or any serial program, one after another.
    Clock and folding are those that `build` left in the run folder for the board, or those that it
    would begin with.

    Example: `spikewright virtual runs/demo --board icebreaker`
    """
    from .target import Target
    from .virtual import VirtualBoard

    folder = RunFolder.open(run)
    spec = folder.spec()
    target = Target.of(folder, spec, board)
    # However it is told to end, it switches the board off.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with VirtualBoard(spec, target.board, target.folding, divisor=divisor,
                      watchdog=watchdog) as made:
        finish(
            {"run": str(run), "board": board, "device": made.device, "built": target.built,
             "clock_mhz": target.board.clock_hz / 1e6, "divisor": made.divisor},
            f"{board} with {spec.name} is at {made.device}; end it with Ctrl-C", as_json=json)
        sys.stdout.flush()
        try:
            made.wait()
        except KeyboardInterrupt:
            served = made.close()
    say(f"{served.cycles:,} cycles in {served.seconds:.1f} s; {served.received:,} bytes received, "
        f"{served.sent:,} sent, {served.dropped:,} dropped because nobody read them")

