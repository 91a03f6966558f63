"""A network by itself on a part, without a board: what it needs and how fast it is."""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from ..gen.cache import cache_folder
from ..gen.errors import MALFORMED
from ..gen.folding import Folding
from ..gen.rtl.network import Network
from ..gen.runfolder import write_json
from ..gen.spec import NetworkSpec
from . import netlist
from .build import HIDE_ELEMENTS, NETLIST, REPORT
from .cache import working_folder
from .nextpnr_report import utilisation
from .pins import Pins
from .registry import ECP5, ICE40, Family
from .toolchain import find_tool, run_stage

#: What the placer aims at. Beyond what any design reaches, so that it never rests.
AIM_MHZ = 250
FIGURES = "figures.json"


@dataclass(frozen=True)
class Target:
    """A part to measure on: what Yosys and nextpnr have to be told. ``device`` is what components
    see that look different on it."""

    device: str
    family: Family
    synthesis: str
    options: tuple[str, ...]


#: Of the slowest speed grade, in the package with most pins.
LFE5U_85F = Target("LFE5U-85F", ECP5, "synth_ecp5",
                   ("--85k", "--package", "CABGA756", "--speed", "6", "--lpf-allow-unconstrained"))
#: Has too few pins for a network's ports, so it can be packed but not placed alone.
UP5K = Target("iCE40UP5K", ICE40, "synth_ice40 -dsp", ("--up5k", "--package", "sg48"))


def measure(
    spec: NetworkSpec, folding: Folding, target: Target = LFE5U_85F, *, counters: bool = False,
    seed: int = 1, use_cache: bool = True, place: bool = True,
) -> dict[str, Any]:
    """Utilisation, and with ``place`` also Fmax, of ``spec`` by itself on ``target``.

    As nextpnr reports them; the flip-flops include one for each bit of a port. Kept under
    :func:`~.cache.cache_folder`, by design and tools.

    Raises
    ------
    ToolError
        If a tool is missing, too old, or failed; so it does if the network does not fit.
    """
    yosys, nextpnr = find_tool("yosys"), find_tool(target.family.tools[1])
    top = Pins(Network(spec, folding, counters=counters))
    text = rtlil.convert(top, ports=top.ports, platform=target, emit_src=False)
    script = f"read_rtlil top.il; {HIDE_ELEMENTS}; {target.synthesis} -top top -json {NETLIST}"
    placing = [*target.options, "--json", NETLIST, "--freq", str(AIM_MHZ), "--timing-allow-fail",
               "--seed", str(seed), "--report", REPORT, "-q",
               *(() if place else ("--pack-only",))]
    key = hashlib.sha256(json.dumps([
        text, script, placing, yosys.version, nextpnr.version,
        hashlib.sha256(Path(netlist.__file__).read_bytes()).hexdigest(),
    ]).encode()).hexdigest()
    cache = cache_folder() / "alone"
    entry = cache / key / FIGURES
    if use_cache and entry.exists():
        with suppress(OSError, *MALFORMED):  # one that was damaged is made again
            return dict(json.loads(entry.read_text(encoding="utf-8")))

    with working_folder(cache) as working:
        (working / "top.il").write_text(text, encoding="utf-8")
        for stage, tool, arguments in (
            ("synthesis", yosys, ["-q", "-p", script]), ("place-and-route", nextpnr, placing),
        ):
            run_stage(stage, tool, arguments, working)
            if stage == "synthesis" and target.family is ECP5:
                netlist.tidy_file(working / NETLIST)
        report = json.loads((working / REPORT).read_text(encoding="utf-8"))
        clocks = report.get("fmax", {})
        figures = {
            "device": target.device, "seed": seed,
            "utilisation": {name: row["used"]
                            for name, row in utilisation(report, target.family).items()},
            **({"fmax_mhz": round(min(clock["achieved"] for clock in clocks.values()), 2)}
               if place else {}),
            "tools": {tool.name: tool.version for tool in (yosys, nextpnr)},
        }
        write_json(working / FIGURES, figures)
        entry.parent.mkdir(exist_ok=True)
        os.replace(working / FIGURES, entry)
        os.replace(working / REPORT, entry.with_name(REPORT))
    return figures
