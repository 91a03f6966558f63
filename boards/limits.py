"""What limits a build, in plain words, from nextpnr's report."""

import re
from typing import Any

#: What Yosys and nextpnr append to the name that a signal has in the design.
_TOOLS_SUFFIX = re.compile(
    r"(_SB_|_LUT4|_TRELLIS_|_PFUMX|_L6MUX|_CCU2C|_DP16KD|_MULT18|_DFF|\$|\[|_LC$|_PACKED).*")

#: Resource → what makes a design need less of it.
_REMEDIES = {
    "logic cells": "fewer lanes or units", "LUTs": "fewer lanes or units",
    "flip-flops": "fewer lanes or units",
    "block memories": "fewer lanes or ways, fewer weight bits, or fewer neurons",
    "large memories": "fewer weights in SPRAM",
    "multipliers": "a decay that is the same for all neurons of a layer",
}


def limits(report: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    """Sentences about what limits the clock and what limits the size of a build.

    Parameters
    ----------
    report
        What nextpnr writes for machines, of which the critical paths are read.
    figures
        Of :attr:`~.build.Build.figures`: utilisation, and Fmax and clock in MHz.
    """
    return [*_clock(report, figures), _size(figures["utilisation"])]


def _clock(report: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    inside = [path for path in report.get("critical_paths", ())
              if path["from"] == path["to"] and path["path"]]
    if not inside:
        return []
    path = max(inside, key=_delay)["path"]
    total = sum(step["delay"] for step in path)
    wires = sum(step["delay"] for step in path if step["type"] == "routing")
    levels = sum(step["type"] == "logic" for step in path)
    said = (f"the clock is limited by the path from {_place(path[0])} to {_place(path[-1])}, "
            f"{total:.1f} ns through {levels} levels of logic; {wires / total:.0%} of it is wire")
    if wires > 0.6 * total:
        said += "; a less full part, or another seed, shortens wires"
    return [said]


def _delay(path: dict[str, Any]) -> float:
    return sum(step["delay"] for step in path["path"])


def _place(step: dict[str, Any]) -> str:
    """Where in the design a step of a path is."""
    name = step["to"]["cell"].lstrip("\\")
    place = _TOOLS_SUFFIX.sub("", name).removeprefix("accelerator.")
    return place or "logic without a name"


def _size(utilisation: dict[str, dict[str, int]]) -> str:
    shares = {name: row["used"] / row["available"] for name, row in utilisation.items()
              if row["available"]}
    most = max(shares, key=lambda name: shares[name])
    row = utilisation[most]
    return (f"the size is limited by {most}: {row['used']} of {row['available']} "
            f"({shares[most]:.0%}); {_REMEDIES[most]} would make it smaller")
