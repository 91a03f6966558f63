"""What Yosys leaves undone on an ECP5, done on its netlist before place-and-route.

Both changes leave the function of the netlist as it is.

* A block memory answers 5.6 ns after the clock (speed grade 6), and 0.9 ns with its output
  register, which Yosys never uses. Where each output in use drives nothing but the data input of a
  plain flip-flop, on the memory's clock, the register inside takes the flip-flops' place.
* The carry out of an adder's last cell drives nothing, but nextpnr builds a cell, two LUTs, for any
  carry that has a name.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A module or a cell of Yosys' JSON format.
Node = dict[str, Any]

#: A bit that is not connected.
OPEN = "x"


@dataclass
class Tidied:
    """What was done: read ports registered inside the memory, flip-flops that took with them, and
    carries out that are not built."""

    ports: int = 0
    flip_flops: int = 0
    carries: int = 0


def tidy(netlist: Node) -> Tidied:
    """Changes ``netlist``, what ``synth_ecp5`` wrote with ``write_json``, in place."""
    done = Tidied()
    for module in netlist["modules"].values():
        if not int(module.get("attributes", {}).get("blackbox", "0"), 2):
            readers = _readers(module)
            _register_outputs(module, readers, done)
            _open_carries(module, readers, done)
    return done


def tidy_file(path: Path) -> Tidied:
    """:func:`tidy` for the file that Yosys wrote."""
    netlist = json.loads(path.read_text(encoding="utf-8"))
    done = tidy(netlist)
    path.write_text(json.dumps(netlist), encoding="utf-8")
    return done


def _readers(module: Node) -> dict[int, list[tuple[str, str]]]:
    """Cells and ports that read each bit; ``("", port)`` where it leaves the module."""
    readers = defaultdict(list)
    for name, port in module["ports"].items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                readers[bit].append(("", name))
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                for bit in bits:
                    readers[bit].append((name, port))
    # Constants are read, too, but nothing drives them.
    return {bit: names for bit, names in readers.items() if isinstance(bit, int)}


def _register_outputs(module: Node, readers: dict[int, list[tuple[str, str]]], done: Tidied):
    cells = module["cells"]
    memories = [cell for cell in cells.values() if cell["type"] == "DP16KD"]
    for memory in memories:
        for clock, modes, outputs in _read_ports(memory):
            used = {port: readers[bits[0]] for port, bits in outputs.items()
                    if readers.get(bits[0])}
            flip_flops = [_flip_flop(cells, clock, who) for who in used.values()]
            if not flip_flops or None in flip_flops:
                continue
            for port, name in zip(used, flip_flops, strict=True):
                memory["connections"][port] = cells.pop(name)["connections"]["Q"]
            memory["parameters"].update(dict.fromkeys(modes, "OUTREG"))
            done.ports += 1
            done.flip_flops += len(flip_flops)


def _read_ports(memory: Node) -> Iterator[tuple[list[Any], tuple[str, ...], Node]]:
    """Clock, parameters that choose the output register, and data outputs of each port."""
    parameters, connections = memory["parameters"], memory["connections"]

    def outputs(prefix: str) -> Node:
        return {port: bits for port, bits in connections.items() if port.startswith(prefix)}

    if int(parameters["DATA_WIDTH_B"], 2) == 36:
        # One port, half of its outputs under the other's name.
        ports = [("B", ("REGMODE_A", "REGMODE_B"), outputs("DO"))]
    else:
        ports = [("A", ("REGMODE_A",), outputs("DOA")), ("B", ("REGMODE_B",), outputs("DOB"))]
    for letter, modes, data in ports:
        rising = parameters[f"CLK{letter}MUX"] == f"CLK{letter}"
        always = connections[f"OCE{letter}"] == ["1"] and connections[f"RST{letter}"] == ["0"]
        if rising and always and all(parameters[mode] == "NOREG" for mode in modes):
            yield connections[f"CLK{letter}"], modes, data


def _flip_flop(cells: Node, clock: list[Any], readers: list[tuple[str, str]]) -> str | None:
    """The plain flip-flop that is the only reader, if there is one."""
    if len(readers) != 1 or not readers[0][0]:
        return None
    name, port = readers[0]
    cell = cells.get(name, {"type": None})
    if cell["type"] != "TRELLIS_FF" or port != "DI":
        return None
    parameters, connections = cell["parameters"], cell["connections"]
    plain = (
        connections["CLK"] == clock and parameters.get("CLKMUX", "CLK") == "CLK"
        and parameters.get("CEMUX", "1").strip() == "1"
        and connections.get("LSR", ["0"]) == ["0"] and parameters["REGSET"] == "RESET"
    )
    return name if plain else None


def _open_carries(module: Node, readers: dict[int, list[tuple[str, str]]], done: Tidied):
    for cell in module["cells"].values():
        if cell["type"] == "CCU2C":
            carry = cell["connections"]["COUT"]
            if carry != [OPEN] and carry[0] not in readers:
                cell["connections"]["COUT"] = [OPEN]
                done.carries += 1
