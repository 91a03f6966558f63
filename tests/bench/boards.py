"""The same network, with the same hardware, on every board: what it takes, how fast it gets, and
how long the build that is kept took, stage by stage: seconds of the clock on the wall."""

from spikewright.boards.build import Build
from spikewright.boards.fastest import build_fastest
from spikewright.boards.fit import default_folding
from spikewright.boards.registry import BOARDS, find_board
from spikewright.gen.errors import DoesNotFitError

from .designs import dense


def measure() -> list[dict]:
    spec = dense(64, 32, 10)
    folding = default_folding(spec, find_board("icebreaker"))
    rows = []
    for board in BOARDS:
        row = {"what": f"64 → 32 → 10, INT4, on {board.name}", "part": board.part.device}
        try:
            made = build_fastest(spec, board, folding)
        except DoesNotFitError as error:
            row["refused"] = str(error).partition("; ")[0]
        else:
            row |= _figures(made)
        rows.append(row)
    return rows


def _figures(made: Build) -> dict:
    figures = made.figures
    return {
        **{what: f"{used['used']} of {used['available']}"
           for what, used in figures["utilisation"].items()},
        "fmax_mhz": min(figures["fmax_mhz"].values()), "clock_mhz": figures["clock_mhz"],
        "meets_timing": figures["meets_timing"], "bitstream": figures["bitstream"],
        "seconds": figures["seconds"], "tools": figures["tools"],
    }
