"""The command ``build``."""

import json as json_module
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, progress, say, table
from ..gen.errors import FoldingError
from ..gen.folding_options import (
    AllLoadable,
    Lanes,
    Protect,
    Slices,
    Ways,
    WeightsLoadable,
    folding_of,
    loadable_of,
)
from ..gen.runfolder import RunFolder
from .limits import limits
from .pll import ClockError
from .registry import Board, find_board


def build(
    run: Run,
    board: Annotated[str, typer.Option(help="Board to build for.")] = "icebreaker",
    lanes: Lanes = None,
    ways: Ways = None,
    slices: Slices = None,
    protect: Protect = None,
    loadable: AllLoadable = False,
    loadable_weights: WeightsLoadable = False,
    watchdog: Annotated[
        bool, typer.Option("--watchdog", help="Let the board report a network that has come to a "
                                              "standstill, and reset it.")
    ] = False,
    link: Annotated[
        str, typer.Option(metavar="uart|spi", help="What carries bytes from and to the host; "
                                                   "docs/protocol.md says at which pins.")
    ] = "uart",
    observe: Annotated[
        bool, typer.Option("--observe", help="Let the host read every layer's spikes and "
                                             "membranes.")
    ] = False,
    like: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Build what was built of another training's run for this "
                                         "board: its hardware, clock, link and seeds.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the (first) placement.")] = 1,
    seeds: Annotated[
        int, typer.Option(min=1, help="Placements tried side by side; the fastest is kept.")
    ] = 1,
    clock: Annotated[
        str, typer.Option(metavar="fastest|oscillator|MHZ",
                          help="The design's clock: the highest that timing proves, the board's "
                               "oscillator as it is, or at most so many MHz.")
    ] = "fastest",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Build even if the same design was built before.")
    ] = False,
    no_patch: Annotated[
        bool, typer.Option("--no-patch", help="Place the design with its weights, even if one that "
                                              "differs in them alone was placed before.")
    ] = False,
    json: Json = False,
    context: typer.Context = None,  # type: ignore[assignment]  # none from another command
) -> None:
    """Build a bitstream with Yosys and nextpnr.

    Without --lanes, --ways, --slices and --protect, the hardware is as large as is likely to fit;
    every training of a network gets the same. --like makes what was built of another run, whatever
    it was built with, and says which of its words are too narrow, if any.

    The part's loop makes the highest clock that the design's own timing allows, which takes two or
    three placements; none where a network was built before that differs in weights, thresholds and
    biases alone: these are patched into the finished bitstream. Writes boards/BOARD/ in the run
    folder: the bitstream, nextpnr's report, and build.json with utilisation and Fmax. Exits with 1
    if the design is slower than its clock.

    Example: `spikewright build runs/demo --board icebreaker`
    """
    from . import build as building
    from .defaults import default_folding
    from .fastest import build_fastest
    from .fit import stored
    from .target import Target

    target, what = find_board(board).over(link), loadable_of(loadable, loadable_weights)
    folder = RunFolder.open(run)
    spec = folder.spec()
    chosen_seeds: Sequence[int] = range(seed, seed + seeds)
    if like is not None:
        if context is not None:
            _refuse_beside_like(context)
        other = Target.like(RunFolder.open(like), spec, board)
        target, folding, chosen_seeds = other.board, other.folding, other.seeds
        watchdog, observe = other.watchdog, other.observe
    elif lanes is None and ways is None and slices is None and protect is None:
        folding = default_folding(spec, target, what, use_cache=not no_cache)
    else:
        folding = stored(folding_of(lanes, spec, ways, slices, protect), spec, target, what)
    if no_patch:
        folding = folding.with_widths([None] * len(spec.layers), spec=spec)

    # What is like another build has its clock.
    fastest = clock == "fastest" and like is None
    build_one = partial(
        build_fastest if fastest else building.build, spec,
        target if like is not None else _clocked(target, clock), folding, seeds=chosen_seeds,
        use_cache=not no_cache, watchdog=watchdog, observe=observe, exchange=not no_patch)
    # For the fastest clock, a second build is the rule and a third the exception.
    stages = len(building.STAGES) * (2 if fastest else 1)
    with progress(f"building for {target.name}", stages) as advance:
        begun = 0

        def note(stage: str) -> None:
            nonlocal begun
            advance(1 if 0 < begun < stages else 0, note=f"{stage} for {target.name}")
            begun += 1

        made = build_one(progress=note)
        advance(stages - max(0, min(begun, stages) - 1), note=f"built for {target.name}")
    if made.cached:
        say("this design was built before with the same tools; --no-cache builds it again")
    elif made.figures.get("placed_before"):
        say("placed before, with other weights, thresholds or biases; --no-patch places "
            "it anew")

    with folder.writing("build") as staging:
        target_folder = staging / "boards" / target.name
        target_folder.mkdir(parents=True)
        for file in made.folder.iterdir():
            (target_folder / file.name).write_bytes(file.read_bytes())
    folder.record("build", {**folder.results("build"), target.name: made.figures})

    path = folder.path / "boards" / target.name / made.figures["bitstream"]
    report = json_module.loads((made.folder / building.REPORT).read_text(encoding="utf-8"))
    said = limits(report, made.figures)
    finish({**made.figures, "limits": said, "cached": made.cached, "path": str(path)},
           *_tables(made.figures), *said, f"bitstream: {path}", as_json=json)
    if not made.figures["meets_timing"]:
        say(f"too slow for its clock of {made.figures['clock_mhz']:g} MHz; try more --seeds, fewer "
            f"lanes or a lower --clock")
        raise typer.Exit(1)


def _refuse_beside_like(context: typer.Context) -> None:
    """``--like`` says everything but where the tools' results come from and go to."""
    given = []
    for option in context.command.params:
        source = context.get_parameter_source(str(option.name))
        if source is not None and source.name == "COMMANDLINE" \
                and option.name not in ("run", "board", "like", "no_cache", "json"):
            given.append(option.opts[0])
    if given:
        raise FoldingError(f"--like says what to build, and so does {', '.join(given)}; give one "
                           f"of them")


def _clocked(board: Board, clock: str) -> Board:
    """``board`` at the clock that ``--clock`` asks for; where "fastest" begins, at its own."""
    if clock == "fastest":
        return board
    if clock == "oscillator":
        return board.at_oscillator()
    try:
        mhz = float(clock)
    except ValueError:
        mhz = math.nan
    if not 0 < mhz < math.inf:
        raise ClockError(f"--clock is {clock!r}; give fastest, oscillator, or a number of MHz")
    return board.fastest(mhz * 1e6)


def _tables(figures: dict[str, Any]) -> list[Any]:
    used = [(name, row["used"], row["available"], f"{row['used'] / row['available']:.0%}")
            for name, row in figures["utilisation"].items()]
    return [
        table(f"{figures['board']} ({figures['device']}), "
              f"lanes {', '.join(map(str, figures['lanes']))}, "
              f"ways {', '.join(map(str, figures['ways']))}",
              ("resource", "used", "available", "share"), used),
        table("timing", ("clock", "needed MHz", "Fmax MHz"),
              [(clock, figures["clock_mhz"], fmax)
               for clock, fmax in figures["fmax_mhz"].items()]),
        table("time", ("stage", "seconds"), list(figures["seconds"].items())),
    ]
