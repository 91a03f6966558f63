"""A network by itself on a part, without a board: what it needs and how fast it is."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import wiring

from ..gen.errors import ToolError
from ..gen.folding import Folding
from ..gen.rtl.network import Network
from ..gen.runfolder import write_json
from ..gen.spec import NetworkSpec
from . import netlist
from .build import HIDE_ELEMENTS, NETLIST, REPORT, cache_folder, call, complaint, utilisation
from .registry import ECP5
from .toolchain import find_tool

#: The part of every measurement: LFE5U-85F of the slowest speed grade, in its largest package.
DEVICE = "LFE5U-85F"
#: What the placer aims at. Beyond what any design reaches, so that it never rests.
AIM_MHZ = 250
FIGURES = "figures.json"


class _Pins(Elaboratable):
    """Every port of ``component`` as a pin, each bit behind a register of its own, so that all
    paths but those of the pins begin and end at the clock."""

    def __init__(self, component: wiring.Component):
        self.component = component
        self.ports = []
        self._joined = []
        for path, member, value in component.signature.flatten(component):
            name = "__".join(map(str, path))
            pin = Signal(Shape.cast(member.shape).width, name=name)
            self.ports.append(pin)
            self._joined.append((pin, Value.cast(value), member.flow is wiring.In))

    def elaborate(self, platform):
        m = Module()
        m.submodules.component = self.component
        for pin, value, is_input in self._joined:
            held = Signal(len(pin), reset_less=True, name=f"{pin.name}__held")
            if is_input:
                m.d.sync += held.eq(pin)
                m.d.comb += value.eq(held)
            else:
                m.d.sync += held.eq(value)
                m.d.comb += pin.eq(held)
        return m


def measure(
    spec: NetworkSpec, folding: Folding, *, counters: bool = False, seed: int = 1,
    use_cache: bool = True, place: bool = True,
) -> dict[str, Any]:
    """Utilisation, and with ``place`` also Fmax, of ``spec`` on an LFE5U-85F of speed grade 6.

    As nextpnr reports them; the flip-flops include one for each bit of a port. Kept under
    :func:`~.build.cache_folder`, by design and tools.

    Raises
    ------
    ToolError
        If a tool is missing, too old, or failed; so it does if the network does not fit.
    """
    yosys, nextpnr = find_tool("yosys"), find_tool("nextpnr-ecp5")
    top = _Pins(Network(spec, folding, counters=counters))
    text = rtlil.convert(top, ports=top.ports, emit_src=False)
    script = f"read_rtlil top.il; {HIDE_ELEMENTS}; synth_ecp5 -top top -json {NETLIST}"
    placing = ["--85k", "--package", "CABGA756", "--speed", "6", "--json", NETLIST,
               "--lpf-allow-unconstrained", "--freq", str(AIM_MHZ), "--timing-allow-fail",
               "--seed", str(seed), "--report", REPORT, "-q",
               *(() if place else ("--pack-only",))]
    key = hashlib.sha256(json.dumps([
        text, script, placing, yosys.version, nextpnr.version,
        hashlib.sha256(Path(netlist.__file__).read_bytes()).hexdigest(),
    ]).encode()).hexdigest()
    entry = cache_folder() / "alone" / key / FIGURES
    if use_cache and entry.exists():
        return json.loads(entry.read_text(encoding="utf-8"))

    entry.parent.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix="alone-", dir=entry.parent.parent))
    try:
        (working / "top.il").write_text(text, encoding="utf-8")
        for stage, tool, arguments in (
            ("synthesis", yosys, ["-q", "-p", script]), ("place-and-route", nextpnr, placing),
        ):
            done = call(tool, arguments, working)
            if done.returncode != 0:
                raise ToolError(complaint(stage, tool, done, working))
            if stage == "synthesis":
                tidied = netlist.tidy_file(working / NETLIST)
        report = json.loads((working / REPORT).read_text(encoding="utf-8"))
        clocks = report.get("fmax", {})
        figures = {
            "device": DEVICE, "seed": seed,
            "utilisation": {name: row["used"]
                            for name, row in utilisation(report, ECP5).items()},
            **asdict(tidied),
            **({"fmax_mhz": round(min(clock["achieved"] for clock in clocks.values()), 2)}
               if place else {}),
            "tools": {tool.name: tool.version for tool in (yosys, nextpnr)},
        }
        write_json(working / FIGURES, figures)
        os.replace(working / FIGURES, entry)
        os.replace(working / REPORT, entry.with_name(REPORT))
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return figures
