"""What the tools made of a design for an ECP5, as Verilog that can be simulated.

Two netlists are taken: what Yosys wrote after synthesis, and what nextpnr wrote after placement
and routing. Both name the chip's cells; the models of those are in ``ecp5_cells``, a file per cell.
Here the netlists are made complete: what the chip does with inputs that nothing drives, with inputs
that nextpnr ties by a parameter, and with its reset, which no wire of a netlist carries. Anything
without a model, or set to what the model leaves out, is refused.

How nextpnr ties inputs, and which reset a cell listens to, is as its bitstream writer has it
(nextpnr, ``ecp5/bitstream.cc``).
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from ..gen.errors import SpikewrightError, ToolError
from .build import NETLIST, PLACED
from .netlist import Node
from .toolchain import find_tool, run_stage

#: One file for each cell of the chip, called like it, and for what it is made of.
MODELS = Path(__file__).with_name("ecp5_cells")

#: Levels of inputs that nothing drives and no parameter ties, where it is not 0.
_HIGH = {
    "LUT4": "ABCD", "TRELLIS_COMB": "ABCDM", "TRELLIS_FF": ("CE",),
    "CCU2C": ("A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1"),
    "TRELLIS_RAMW": ("A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1"),
    "DP16KD": ("CEA", "OCEA", "CEB", "OCEB"),
}

#: Parameters that the model has no use for, with the value for which that is right, or None where
#: it does not matter.
_NEEDLESS: dict[str, dict[str, str | None]] = {
    "TRELLIS_FF": {"LSRMODE": "LSR"},
    # What says otherwise is a register in the pin.
    **{kind: {"DATAMUX_MDDR": "PADDO", "DATAMUX_ODDR": "PADDO", "DATAMUX_OREG": "PADDO",
              "TRIMUX_TSREG": "PADDT"}
       for kind in ("TRELLIS_IO", "TRELLIS_IO_INPUT", "TRELLIS_IO_OUTPUT")},
    "DP16KD": {"INIT_DATA": "STATIC", "WID": None},
    "MULT18X18D": {
        "MULT_BYPASS": "DISABLED", "CAS_MATCH_REG": "FALSE", "HIGHSPEED_CLK": "NONE",
        "REG_INPUTC_CLK": "NONE", "REG_INPUTC_CE": None, "REG_INPUTC_RST": None,
        "SOURCEB_MODE": None, "CLK0_DIV": None, "CLK1_DIV": None, "CLK2_DIV": None,
        "CLK3_DIV": None,
    },
}

#: What ``GSR`` is when a cell does not say.
_LISTENS = {"TRELLIS_FF": "ENABLED", "DP16KD": "DISABLED", "MULT18X18D": "ENABLED"}

#: Cells that the chip's reset comes from.
_RESETS = ("GSR", "SGSR")

_PLL_OUTPUTS = ("CLKOP", "CLKOS", "CLKOS2", "CLKOS3")


class NetlistError(SpikewrightError):
    """A netlist uses a cell, or a mode of one, that has no model."""


@dataclass(frozen=True)
class Model:
    """What a cell's model offers; ``inputs``: name → bits."""

    inputs: dict[str, int]
    outputs: frozenset[str]
    parameters: frozenset[str]


def synthesised_verilog(folder: Path) -> tuple[str, list[Path]]:
    """Verilog of module ``top`` after synthesis, and the files of the models that it needs.

    ``folder`` is where Yosys wrote :data:`~.build.NETLIST`. Ports are those of the design.

    Raises
    ------
    NetlistError
        If it uses what has no model.
    ToolError
        If there is no netlist, or Yosys is missing or failed.
    """
    return _verilog(folder / NETLIST)


def placed_verilog(folder: Path) -> tuple[str, list[Path]]:
    """Like :func:`synthesised_verilog`, after place-and-route: of :data:`PLACED` in ``folder``."""
    return _verilog(folder / PLACED)


def _verilog(path: Path) -> tuple[str, list[Path]]:
    try:
        module = json.loads(path.read_text(encoding="utf-8"))["modules"]["top"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(
            f"{path} is no netlist of a design called top ({error!r}); build it again"
        ) from error
    complete(module)
    yosys = find_tool("yosys")
    with tempfile.TemporaryDirectory() as name:
        working = Path(name)
        (working / "top.json").write_text(
            json.dumps({"creator": "spikewright", "modules": {"top": module}}), encoding="utf-8")
        script = "read_json top.json; write_verilog -noattr top.v"
        run_stage("writing Verilog", yosys, ["-q", "-p", script], working)
        text = (working / "top.v").read_text(encoding="utf-8")
    return text, models({cell["type"] for cell in module["cells"].values()})


def models(kinds: set[str]) -> list[Path]:
    """The files that simulate cells of ``kinds``."""
    needed, waiting = set(), set(kinds)
    while waiting:
        kind = waiting.pop()
        path = MODELS / f"{kind}.v"
        needed.add(path)
        inside = {other.stem for other in MODELS.glob("*.v")
                  if re.search(rf"^ +{other.stem} (#|\w+ \()", path.read_text(), re.MULTILINE)}
        waiting |= {other for other in inside if MODELS / f"{other}.v" not in needed}
    return sorted(needed)


def complete(module: Node) -> None:
    """Changes ``module``, of either netlist, in place: every cell has a model, every input of it a
    net or a level, and no parameter that the model does not know.

    Raises
    ------
    NetlistError
        If that cannot be.
    """
    cells = module["cells"]
    for name in [name for name, cell in cells.items() if cell["type"] == "$scopeinfo"]:
        del cells[name]
    constants = _constants(module)
    free = _free(module)
    reset = _reset(module, free)
    for name, cell in cells.items():
        kind = cell["type"]
        _require_modelled(name, kind)
        # Contents that do not matter become 0, as in a bitstream.
        parameters = {key: str(value).replace("x", "0") if key.startswith("INIT") else value
                      for key, value in cell["parameters"].items()}
        connections = {port: bits for port, bits in cell["connections"].items() if bits}
        if kind == "TRELLIS_IO":
            direction = parameters.pop("DIR", "INPUT")
            if direction != "BIDIR":
                kind = cell["type"] = f"TRELLIS_IO_{direction}"
                _require_modelled(name, kind)
        if kind == "EHXPLLL":
            _require_one_clock(name, cell, module)
            parameters = {}
        if kind == "TRELLIS_COMB" and "FXA" in connections:
            # Which multiplexer it has follows from where it was placed, which is not written.
            parameters["IS_Z1"] = "1"
        _tie(name, kind, parameters, connections, reset)
        _require_known(name, kind, parameters, connections, constants)
        cell["parameters"], cell["connections"] = parameters, connections
        model = model_of(kind)
        for port in connections.keys() & model.outputs:
            connections[port] = [bit if isinstance(bit, int) else next(free)
                                 for bit in connections[port]]
        cell["port_directions"] = {
            port: "input" if port in model.inputs else "output" for port in connections}


def _require_modelled(name: str, kind: str) -> None:
    if not (MODELS / f"{kind}.v").exists():
        raise NetlistError(
            f"cell {name} is of type {kind}, which cannot be simulated; there are models of "
            f"{', '.join(sorted(path.stem for path in MODELS.glob('*.v')))}"
        )


def _free(module: Node) -> Iterator[int]:
    """Numbers of bits that nothing of ``module`` has."""
    owners = (*module["ports"].values(), *module["netnames"].values())
    lists = [owner["bits"] for owner in owners]
    lists += [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    return count(1 + max((bit for bits in lists for bit in bits if isinstance(bit, int)),
                         default=0))


def _reset(module: Node, free: Iterator[int]) -> int | str:
    """The bit that is low while the chip's reset is active; its cell gets a port for it."""
    sources = [cell for cell in module["cells"].values() if cell["type"] in _RESETS]
    if len(sources) > 1:
        raise NetlistError(f"the design has {len(sources)} cells that reset the chip, at most one "
                           f"can be simulated")
    if not sources:
        return "1"
    bit = next(free)
    sources[0]["connections"]["GSRN"] = [bit]
    return bit


def _tie(
    name: str, kind: str, parameters: Node, connections: Node, reset: int | str
) -> None:
    """Gives every input a net or a level, and takes the parameters that say so away."""
    if kind in _LISTENS:
        listens = parameters.pop("GSR", _LISTENS[kind])
        if listens not in ("ENABLED", "DISABLED"):
            raise NetlistError(f"cell {name}: GSR is {listens!r}; ENABLED or DISABLED is known")
        connections["GSRN"] = [reset if listens == "ENABLED" else "1"]
    for port, width in model_of(kind).inputs.items():
        level = "1" if port in _HIGH.get(kind, ()) else "0"
        if kind in ("DP16KD", "MULT18X18D"):
            level = _tied(name, port, level, parameters, connections)
        connections[port] = [level if bit in ("x", "z") else bit
                             for bit in connections.get(port, [level] * width)]


def _tied(name: str, port: str, level: str, parameters: Node, connections: Node) -> str:
    """The level of an input of a block memory or a multiplier that nothing drives: nextpnr makes a
    parameter of constants, or inverts the 1 that such inputs have."""
    mux = f"{port}MUX"
    driven = any(isinstance(bit, int) for bit in connections.get(port, []))
    how = parameters.get(mux, "").strip()
    if driven and how == "INV" and port.startswith("CLK"):
        return level
    parameters.pop(mux, None)
    if how in ("", port):
        return "1" if how == port else level
    if driven or how not in ("0", "1", "INV"):
        raise NetlistError(f"cell {name}: {mux} is {how!r} of a driven input; only clocks can be "
                           f"inverted")
    return "0" if how == "INV" else how


def _constants(module: Node) -> dict[int, str]:
    """Levels of the nets that nextpnr drives with a table without inputs."""
    return {
        cell["connections"]["F"][0]: cell["parameters"]["INITVAL"][0]
        for cell in module["cells"].values()
        if cell["type"] == "TRELLIS_COMB" and cell["parameters"].get("MODE", "LOGIC") == "LOGIC"
        and cell["connections"].get("F") and len(set(cell["parameters"]["INITVAL"])) == 1
    }


def _require_known(
    name: str, kind: str, parameters: Node, connections: Node, constants: dict[int, str]
) -> None:
    model = model_of(kind)
    for key in [key for key in parameters if key not in model.parameters]:
        needless = _NEEDLESS.get(kind, {})
        value = parameters.pop(key)
        if key.endswith("MUX") and value.strip() == "0":
            # Ties what the model leaves out.
            continue
        if key not in needless or needless[key] not in (None, value):
            raise NetlistError(f"cell {name} of type {kind} has {key} = {value!r}, which its model "
                               f"leaves out")
    for port in [port for port in connections
                 if port not in model.inputs and port not in model.outputs]:
        # Inputs that the model leaves out may be at their usual level.
        levels = [constants.get(bit, bit) for bit in connections.pop(port)]
        if any(isinstance(level, int) or level == "1" for level in levels):
            raise NetlistError(f"cell {name} of type {kind} uses {port}, which its model leaves "
                               f"out")


def _require_one_clock(name: str, pll: Node, module: Node) -> None:
    own = {port: pll["connections"].get(port, []) for port in _PLL_OUTPUTS}
    read = {bit for cell in module["cells"].values() for port, bits in cell["connections"].items()
            if cell["port_directions"].get(port) == "input"
            and not (cell is pll and port == "CLKFB") for bit in bits}
    used = [port for port, bits in own.items() if read & set(bits)]
    if len(used) > 1:
        raise NetlistError(f"cell {name} makes clocks {' and '.join(used)}; designs on one clock "
                           f"can be simulated")


@cache
def model_of(kind: str) -> Model:
    """Ports and parameters of the model of ``kind``, as its file declares them."""
    text = re.sub(r"//.*", "", (MODELS / f"{kind}.v").read_text())
    header = re.search(r"\bmodule \w+ (?:#\(.*?\)\s*)?\((.*?)\);", text, re.DOTALL)
    assert header is not None, kind
    inputs, outputs, direction, width = {}, set(), "", 1
    for word in re.findall(r"\[\d+:0\]|\w+", header[1]):
        if word in ("input", "output", "inout"):
            direction, width = word, 1
        elif word.startswith("["):
            width = int(word[1:-3]) + 1
        elif word != "reg" and direction == "input":
            inputs[word] = width
        elif word != "reg":
            outputs.add(word)
    declared = re.findall(r"parameter ([^;]*);", text)
    return Model(inputs, frozenset(outputs),
                 frozenset(re.findall(r"(\w+) =", " ".join(declared))))
