"""The command ``boards``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..gen.console import Json, finish, progress, table
from .registry import BOARDS, Board


def boards(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="Run folder whose network is to fit.",
                       show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """List the boards that bitstreams can be built for, and what fits them.

    With a run folder, also how much of each board's part the smallest hardware of its network is
    estimated to need: block memories exactly, logic as `fit` does.

    Example: `spikewright boards runs/demo --json`
    """
    listed = [_row(board) for board in BOARDS]
    if run is not None:
        _estimate(run, listed)
    headings = ["board", "part", "LUTs", "memories", "MHz", "serial"]
    rows = [[row["name"], row["device"], row["logic"], row["blocks"],
             f"{row['oscillator_mhz']:g}", row["serial"].split()[0]] for row in listed]
    if run is not None:
        headings.append("smallest hardware")
        for shown, row in zip(rows, listed, strict=True):
            needs = row["smallest"]
            shown.append(
                f"{'fits' if row['fits'] else 'does not fit'}: {needs['logic']:,} LUTs, "
                f"{needs['blocks']} memories" + (f", {needs['large']} large" if needs["large"]
                                                 else ""))
    finish({"run": None if run is None else str(run), "boards": listed},
           table(f"{len(BOARDS)} boards", headings, rows), as_json=json)


def _row(board: Board) -> dict[str, Any]:
    return {
        "name": board.name, "description": board.description, "device": board.part.device,
        "logic": board.part.logic, "blocks": board.part.blocks, "large": board.part.large,
        "multipliers": board.part.multipliers, "oscillator_mhz": board.oscillator_hz / 1e6,
        "baud": board.baud, "programmer": board.programmer,
        "serial": "USB" if board.wires is None else f"adapter at {board.wires.where}",
        "spi": None if board.spi is None else board.spi.where,
    }


def _estimate(run: Path, listed: list[dict[str, Any]]) -> None:
    from ..gen.runfolder import RunFolder
    from .fit import Candidate, smallest_folding

    spec = RunFolder.open(run).spec()
    with progress("estimating", len(BOARDS)) as advance:
        for board, row in zip(BOARDS, listed, strict=True):
            smallest = Candidate(spec, board, smallest_folding(spec, board))
            needs = smallest.needs
            row |= {"fits": smallest.fits, "smallest": {
                "logic": needs.logic, "blocks": needs.blocks, "large": needs.large,
                "multipliers": needs.multipliers}}
            advance()
