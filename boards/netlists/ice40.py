"""A finished iCE40 bitstream as Verilog.

Nothing but the bitstream and the part's description goes in: what the tools meant to build plays
no role. Cells are found backwards from the outputs. Those of logic tiles, block memories, the
UltraPlus' large memories, a simple PLL and simple or registered pins are known; others are
refused. Meanings of
the bits, and levels of inputs that nothing drives: Project IceStorm, https://prjicestorm.readthedocs.io.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ...gen.errors import ToolError
from .ice40_bitstream import read_bitstream
from .ice40_chip import Cell, Place, ice40_chip
from .ice40_loop import Ice40UsedLoop, used_loop
from .ice40_memories import BlockMemory, LargeMemory
from .ice40_routing import Ice40Routing
from .verilog import ONE, ZERO, Bit, VerilogModule, lut

#: Where bit i of a cell's truth table is among its 20 bits, and what the others are.
TABLE_BITS = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)
_CARRY, _REGISTER, _SET, _ASYNCHRONOUS = 8, 9, 18, 19


def to_verilog(
    path: Path, package: str, inputs: dict[str, str], outputs: dict[str, str]
) -> tuple[VerilogModule, Fraction]:
    """Module ``top`` of the bitstream at ``path``, for a part in ``package``; ``inputs`` and
    ``outputs`` are its ports, name → pin. A PLL's output takes the place of the pin that feeds it;
    the second result is its frequency over that pin's, 1 without a PLL.

    Raises
    ------
    ToolError
        If the bitstream is damaged, or uses what is not known here.
    """
    bitstream = read_bitstream(path)
    routing = Ice40Routing(ice40_chip(bitstream.device), bitstream)
    return _Reader(routing, package, inputs, outputs).read()


def _table(bits: list[bool]) -> int:
    """The truth table among the bits of a logic cell."""
    return sum(bits[place] << n for n, place in enumerate(TABLE_BITS))


class _Reader:
    def __init__(self, routing: Ice40Routing, package: str, inputs: dict[str, str],
                 outputs: dict[str, str]):
        self._routing, self._chip, self._package = routing, routing.chip, package
        self._module = VerilogModule("top", [*inputs], [*outputs])
        self._outputs = outputs
        self._pads = {self._chip.pin(package, pin): name for name, pin in inputs.items()}
        self._drivers = {wire: cell for cell in self._chip.cells for wire in cell.outputs
                         # A PLL speaks through the wires of pins.
                         if cell.kind != "pll"}
        #: Signals by the wire that they start on, and what is still to be written of them.
        self._known: dict[Place, Bit] = {}
        self._waiting: list[Callable[[], None]] = []
        #: Clock over oscillator, if a PLL is between them.
        self._ratio: Fraction | None = None

    def read(self) -> tuple[VerilogModule, Fraction]:
        for cell in self._chip.cells:
            if cell.kind == "pll" and (loop := used_loop(cell, self._bit)) is not None:
                self._loop(cell, loop)
        for name, pin in self._outputs.items():
            self._module.assign(name, self._output(*self._chip.pin(self._package, pin)))
        while self._waiting:
            self._waiting.pop()()
        return self._module, self._ratio or Fraction(1)

    def _loop(self, cell: Cell, loop: Ice40UsedLoop) -> None:
        """The design runs on what the loop makes of the oscillator, so that is what its clock is;
        it has locked before anything happens."""
        if self._ratio is not None:
            raise ToolError("the bitstream uses two PLLs; a simulation has one clock")
        self._ratio = loop.ratio
        if loop.reference is None:
            clock = self._pad(cell.x, cell.y, 1)
        else:
            clock = self._through(loop.reference)
        if clock not in self._pads.values():
            raise ToolError(f"the bitstream's PLL is fed by {clock}, not by a pin that is driven "
                            f"in a simulation")
        for wire in loop.clocks:
            self._known[self._chip.places[wire]] = clock
        self._known[self._chip.places[loop.locked]] = ONE

    def _through(self, wire: int) -> Bit:
        """The signal on a wire, or behind a table that hands it on, as nextpnr puts before a PLL.
        """
        x, y, name = self._chip.places[self._routing.source(wire)]
        where, _, what = name.partition(":")
        if self._chip.tile(x, y) == "logic" and what == "out":
            bits = self._routing.setting(x, y, f"LC_{where[-1]}")
            if not bits[_REGISTER]:
                return lut(_table(bits), self._inputs(x, y, int(where[-1])))
        return self._signal(wire)

    def _bit(self, place: Place) -> bool:
        x, y, name = place
        kind = "PLL" if name.startswith("PLLCONFIG") else "IpConfig"
        return self._routing.setting(x, y, f"{kind}.{name}")[0]

    def _net(self, x: int, y: int, name: str, default: Bit = ZERO) -> Bit:
        return self._signal(self._chip.wires[x, y, name], default)

    def _signal(self, wire: int, default: Bit = ZERO) -> Bit:
        """The signal on a wire; ``default`` if nothing drives it."""
        wire = self._routing.source(wire)
        place = x, y, name = self._chip.places[wire]
        if place in self._known:
            return self._known[place]
        if name == "carry_in_mux":
            return ONE if self._routing.setting(x, y, "CarryInSet")[0] else ZERO
        where, _, what = name.partition(":")
        if self._chip.tile(x, y) == "logic" and what in ("out", "lout", "cout"):
            return self._logic(x, y, int(where[-1]), what)
        if name.startswith("glb_netwk_"):
            return self._global(int(name[-1]))
        cell = self._drivers.get(wire)
        if cell is None:
            return default
        match cell.kind:
            case "io" if what == "D_IN_0":
                return self._input(x, y, int(where[-1]))
            case "ram":
                self._block_memory(cell)
                return self._known[place]
            case "spram":
                self._large_memory(cell)
                return self._known[place]
        raise ToolError(
            f"the bitstream reads {name} of {cell.kind} {x}, {y}; only logic, memories and simple "
            f"pins can be read back"
        )

    def _global(self, number: int) -> Bit:
        network = self._chip.networks[number]
        if tuple(map(int, (network["bank"], network["x"], network["y"]))) in \
                self._routing.bitstream.extra:
            return self._pad(int(network["pad_x"]), int(network["pad_y"]), int(network["pad_z"]))
        return self._net(*self._chip.global_buffer(number), "fabout")

    def _pad(self, x: int, y: int, z: int) -> Bit:
        try:
            return self._pads[x, y, z]
        except KeyError:
            raise ToolError(
                f"the bitstream reads pad {z} of tile {x}, {y}, on which nothing is driven in a "
                f"simulation"
            ) from None

    def _pin_type(self, x: int, y: int, z: int) -> list[bool]:
        return [self._routing.setting(x, y, f"IOB_{z}.PINTYPE_{n}")[0] for n in range(6)]

    def _input(self, x: int, y: int, z: int) -> Bit:
        pad = self._pad(x, y, z)
        match self._pin_type(x, y, z)[:2]:
            case [True, False]:
                return pad
            case [False, False]:
                return self._pin_register(f"in_{x}_{y}_{z}", x, y, "inclk", pad)
        raise ToolError(f"pad {z} of tile {x}, {y} has a latch, which cannot be read back")

    def _output(self, x: int, y: int, z: int) -> Bit:
        value = self._net(x, y, f"io_{z}:D_OUT_0")
        match self._pin_type(x, y, z)[2:4]:
            case [False, True]:
                pass
            case [True, False]:
                value = self._pin_register(f"out_{x}_{y}_{z}", x, y, "outclk", value)
            case _:
                raise self._no_output(x, y, z)
        match self._pin_type(x, y, z)[4:]:
            case [True, False]:
                return value
            case [False, True]:
                # A pin that is let go is pulled up, as a serial line at rest.
                return lut(0b1101, [self._net(x, y, f"io_{z}:OUT_ENB", ONE), value])
        raise self._no_output(x, y, z)

    @staticmethod
    def _no_output(x: int, y: int, z: int) -> ToolError:
        return ToolError(f"pad {z} of tile {x}, {y} is no plain output, so it cannot be read back")

    def _pin_register(self, name: str, x: int, y: int, clock: str, value: Bit) -> Bit:
        self._module.register(name)
        enable = self._net(x, y, "io_global:cen", ONE)
        edge = "neg" if self._routing.setting(x, y, "NegClk")[0] else "pos"
        self._module.at(f"{edge}edge {self._net(x, y, f'io_global:{clock}')}",
                        f"if ({enable}) {name} <= {value};")
        return name

    def _logic(self, x: int, y: int, z: int, what: str) -> Bit:
        bits = self._routing.setting(x, y, f"LC_{z}")
        table = _table(bits)
        if what == "lout" or (what == "out" and not bits[_REGISTER]):
            wires = [self._chip.wires[x, y, f"lutff_{z}:in_{n}"] for n in range(4)]
            if table in (0, 0xffff) or all(wire == self._routing.source(wire) for wire in wires):
                return ONE if table & 1 else ZERO
        if what == "cout" and not bits[_CARRY]:
            return ZERO
        if what == "lout" and not bits[_REGISTER]:
            what = "out"
        cell = f"{x}_{y}_{z}"
        name = {"out": f"q_{cell}" if bits[_REGISTER] else f"l_{cell}", "lout": f"l_{cell}",
                "cout": f"c_{cell}"}[what]
        place = x, y, f"lutff_{z}:{what}"
        if place not in self._known:
            self._known[place] = name
            match name[0]:
                case "q":
                    self._waiting.append(lambda: self._register(x, y, z, bits))
                case "c":
                    self._waiting.append(lambda: self._carry(x, y, z))
                case "l":
                    self._waiting.append(lambda: self._module.wire(
                        name, lut(table, self._inputs(x, y, z))))
        return name

    def _inputs(self, x: int, y: int, z: int) -> list[Bit]:
        return [self._net(x, y, f"lutff_{z}:in_{n}") for n in range(4)]

    def _carry(self, x: int, y: int, z: int) -> None:
        _, a, b, _ = self._inputs(x, y, z)
        before = (self._logic(x, y, z - 1, "cout") if z else self._net(x, y, "carry_in_mux"))
        self._module.wire(f"c_{x}_{y}_{z}", lut(0b11101000, [a, b, before]))

    def _register(self, x: int, y: int, z: int, bits: list[bool]) -> None:
        name, value = f"q_{x}_{y}_{z}", self._logic(x, y, z, "lout")
        clock = self._net(x, y, "lutff_global:clk")
        enable = self._net(x, y, "lutff_global:cen", ONE)
        reset = self._net(x, y, "lutff_global:s_r")
        forced = ONE if bits[_SET] else ZERO
        edge = f"{'neg' if self._routing.setting(x, y, 'NegClk')[0] else 'pos'}edge {clock}"
        self._module.register(name)
        if bits[_ASYNCHRONOUS] and reset != ZERO:
            self._module.at(f"{edge}, posedge {reset}",
                            f"if ({reset}) {name} <= {forced}; else if ({enable}) "
                            f"{name} <= {value};")
            return
        if reset != ZERO:
            value = f"{reset} ? {forced} : {value}"
        when = "" if enable == ONE else f"if ({enable}) "
        self._module.at(edge, f"{when}{name} <= {value};")

    def _block_memory(self, cell: Cell) -> None:
        x, y, setting = cell.x, cell.y, self._routing.setting
        # Only in the smallest part does the bit switch a memory off.
        if "RamConfig.PowerUp" in self._chip.configuration("ramb") and \
                setting(x, y, "RamConfig.PowerUp")[0] == (self._routing.bitstream.device == "1k"):
            raise ToolError(f"the bitstream reads the memory at {x}, {y}, which is switched off")
        modes = [setting(x, y + 1, f"RamConfig.CBIT_{n}")[0] for n in range(4)]
        memory = BlockMemory(
            f"m_{x}_{y}", write_mode=modes[0] + 2 * modes[1], read_mode=modes[2] + 2 * modes[3],
            write_edge="neg" if setting(x, y, "NegClk")[0] else "pos",
            read_edge="neg" if setting(x, y + 1, "NegClk")[0] else "pos",
            words=self._routing.bitstream.memories[x, y].tolist())
        pins = {self._chip.places[wire][2].partition(":")[2]: wire for wire in cell.wires}
        self._finish(memory, "RDATA", pins)

    def _large_memory(self, cell: Cell) -> None:
        if not self._bit(cell.bits["SPRAM_EN"]):
            raise ToolError(f"the bitstream reads large memory {cell.z}, which is switched off")
        self._finish(LargeMemory(f"s_{cell.x}_{cell.z}"), "DATAOUT",
                     dict(zip(LargeMemory.PINS, cell.wires, strict=True)))

    def _finish(self, memory: BlockMemory | LargeMemory, output: str, pins: dict[str, int]) -> None:
        for n in range(16):
            self._known[self._chip.places[pins[f"{output}_{n}"]]] = memory.output(n)
        self._waiting.append(lambda: memory.write(
            self._module, lambda name, default: self._signal(pins[name], default)))
