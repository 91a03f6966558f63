"""The same network, with the same hardware, on every board: what it takes, how fast it gets, and
how long the build that is kept took, stage by stage: seconds of the clock on the wall. Also as a
table in docs/boards.md."""

from pathlib import Path

from spikewright.boards.build import STAGES, Build
from spikewright.boards.defaults import default_folding
from spikewright.boards.fastest import build_fastest
from spikewright.boards.registry import BOARDS, find_board
from spikewright.gen.errors import DoesNotFitError

from .designs import dense

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "boards.md"

#: Around the table in :data:`PAGE`.
BEGIN, END = "<!-- python -m tests.bench boards -->\n", "<!-- end -->\n"

_HEADINGS = ("board", "part", "logic", "block memories", "Fmax, MHz", "clock, MHz",
             "synthesis, s", "place-and-route, s", "packing, s")


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
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table(rows)}{END}{rest.partition(END)[2]}", encoding="utf-8")
    return rows


def table(rows: list[dict]) -> str:
    """``rows`` in Markdown."""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS)]
    for row in rows:
        cells = [row["what"].rpartition(" on ")[2], row["part"]]
        if "refused" in row:
            cells += [row["refused"], *[""] * (len(_HEADINGS) - 3)]
        else:
            logic = row["logic cells"] if "logic cells" in row else f"{row['LUTs']} LUTs"
            cells += [logic, row["block memories"], f"{row['fmax_mhz']:.1f}",
                      f"{row['clock_mhz']:g}",
                      *(f"{row['seconds'][stage]:.0f}" for stage in STAGES)]
        lines.append(cells)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _figures(made: Build) -> dict:
    figures = made.figures
    return {
        **{what: f"{used['used']} of {used['available']}"
           for what, used in figures["utilisation"].items()},
        "fmax_mhz": min(figures["fmax_mhz"].values()), "clock_mhz": figures["clock_mhz"],
        "meets_timing": figures["meets_timing"], "bitstream": figures["bitstream"],
        "seconds": figures["seconds"], "tools": figures["tools"],
    }
