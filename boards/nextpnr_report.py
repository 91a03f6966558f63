"""What nextpnr writes for machines: the cells that a design uses, and its timing."""

import json
import math
from pathlib import Path
from typing import Any

from ..gen.errors import MALFORMED, ToolError, one_line
from .registry import Board, Family


def read_report(path: Path, board: Board) -> dict[str, Any]:
    """Utilisation, and Fmax and the clock of ``board`` in MHz.

    Raises
    ------
    ToolError
        If the file is missing or says anything else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        clocks = report["fmax"].items()
        # The design has one clock domain, whichever of its nets nextpnr names it after.
        fmax = {
            "sync" if len(clocks) == 1 else name: round(clock["achieved"], 2)
            for name, clock in clocks
        }
        if not all(math.isfinite(value) for value in fmax.values()):
            raise ValueError(f"clocks of {list(fmax.values())} MHz")
        return {
            "utilisation": utilisation(report, board.family),
            "fmax_mhz": fmax,
            "clock_mhz": round(board.clock_hz / 1e6, 6),
            "meets_timing": all(value >= board.clock_hz / 1e6 for value in fmax.values()),
        }
    except (OSError, *MALFORMED) as error:
        raise ToolError(
            f"nextpnr wrote no usable report ({one_line(repr(error))}); unset "
            f"AMARANTH_nextpnr_opts if it is set"
        ) from error


def utilisation(report: dict[str, Any], family: Family) -> dict[str, dict[str, int]]:
    """Used and available cells of nextpnr's ``report``, by the family's names for them."""
    return {
        name: {key: _count(report["utilization"][cell][key]) for key in ("used", "available")}
        for cell, name in family.cells.items() if cell in report["utilization"]
    }


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{one_line(value)} cells")
    return value
