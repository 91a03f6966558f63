"""The command ``build``."""

from typing import Annotated, Any

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, progress, say, table
from ..gen.folding_options import Lanes, Slices, Ways, folding_of
from ..gen.runfolder import RunFolder


def build(
    run: Run,
    board: Annotated[str, typer.Option(help="Board to build for.")] = "icebreaker",
    lanes: Lanes = None,
    ways: Ways = None,
    slices: Slices = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the placement.")] = 1,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Build even if the same design was built before.")
    ] = False,
    json: Json = False,
) -> None:
    """Build a bitstream with Yosys and nextpnr.

    Without --lanes, --ways and --slices, the hardware is as large as is likely to fit.

    Writes boards/BOARD/ in the run folder: the bitstream, nextpnr's report, and build.json with
    utilisation and Fmax. Exits with 1 if the design is slower than the board's clock.

    Example: `spikewright build runs/demo --board icebreaker`
    """
    from . import build as building
    from .fit import default_folding, stored
    from .registry import find_board

    target = find_board(board)
    folder = RunFolder.open(run)
    spec = folder.spec()
    if lanes is None and ways is None and slices is None:
        folding = default_folding(spec, target)
    else:
        folding = stored(folding_of(lanes, spec, ways, slices), spec, target)

    with progress(f"building for {target.name}", len(building.STAGES)) as advance:
        begun: list[str] = []

        def note(stage: str) -> None:
            advance(1 if begun else 0, note=f"{stage} for {target.name}")
            begun.append(stage)

        made = building.build(
            spec, target, folding, seed=seed, use_cache=not no_cache, progress=note
        )
        advance(1 if begun else len(building.STAGES), note=f"built for {target.name}")
    if made.cached:
        say("this design was built before with the same tools; --no-cache builds it again")

    with folder.writing("build") as staging:
        target_folder = staging / "boards" / target.name
        target_folder.mkdir(parents=True)
        for file in made.folder.iterdir():
            (target_folder / file.name).write_bytes(file.read_bytes())
    folder.record("build", {**folder.results("build"), target.name: made.figures})

    path = folder.path / "boards" / target.name / made.figures["bitstream"]
    finish({**made.figures, "cached": made.cached, "path": str(path)}, *_tables(made.figures),
           f"bitstream: {path}", as_json=json)
    if not made.figures["meets_timing"]:
        say(f"too slow for the board's {made.figures['clock_mhz']:g} MHz; try another --seed or "
            f"fewer lanes")
        raise typer.Exit(1)


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
