"""The memories of an iCE40 as Verilog.

Lattice, "Memory Usage Guide for iCE40 Devices" (FPGA-TN-02002) and "iCE40 SPRAM Usage Guide"
(FPGA-TN-02022). A word that is written while it is read is read as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .verilog import ONE, ZERO, Bit, VerilogModule, concatenate

#: Data bits 0, 1, … of mode 0, 1, … are on pins first, first + step, …; a word has 16 / step bits.
_FIRST, _STEP = (0, 0, 1, 3), (1, 2, 4, 8)


#: The signal on a pin, by its name, or the default where nothing drives it.
Pins = Callable[[str, Bit], Bit]


def _vector(pin: Pins, name: str, width: int, first: int = 0) -> str:
    return concatenate([pin(f"{name}_{n}", ZERO) for n in range(first, first + width)])


@dataclass(frozen=True)
class BlockMemory:
    """4 kbit with a read and a write port: 256 rows of 16 bits; in mode 1, 2 or 3 a word is every
    second, fourth or eighth bit of a row."""

    name: str
    write_mode: int
    read_mode: int
    write_edge: str
    read_edge: str
    words: list[int]

    def output(self, n: int) -> Bit:
        """Read data on pin ``n``."""
        used = (n - _FIRST[self.read_mode]) % _STEP[self.read_mode] == 0
        return f"{self.name}_out[{n // _STEP[self.read_mode]}]" if used else ZERO

    def write(self, module: VerilogModule, pin: Pins) -> None:
        """Adds the memory to ``module``."""
        name = self.name
        module.memory(name, 16, self.words)
        module.register(f"{name}_out", 16)
        step = _STEP[self.read_mode]
        row = f"{name}[{_vector(pin, 'RADDR', 8)}]"
        if step > 1:
            module.bus(f"{name}_row", 16, row)
            part = _vector(pin, "RADDR", self.read_mode, 8)
            row = concatenate([f"{name}_row[{step * n} + {part}]" for n in range(16 // step)])
        enable = f"{pin('RCLKE', ONE)} & {pin('RE', ZERO)}"
        module.at(f"{self.read_edge}edge {pin('RCLK', ZERO)}",
                  f"if ({enable}) {name}_out <= {row};")

        if ZERO in (clock := pin("WCLK", ZERO), enable := pin("WE", ZERO)):
            return
        step = _STEP[self.write_mode]
        data = concatenate([pin(f"WDATA_{n // step * step + _FIRST[self.write_mode]}", ZERO)
                            for n in range(16)])
        address = _vector(pin, "WADDR", 8)
        if step > 1:
            once = f"{step}'d1 << {_vector(pin, 'WADDR', self.write_mode, 8)}"
            module.bus(f"{name}_part", step, once)
            kept = f"(~{{{16 // step}{{{name}_part}}}})"
        else:
            masks = [pin(f"MASK_{n}", ZERO) for n in range(16)]
            kept = "" if set(masks) == {ZERO} else concatenate(masks)
        value = f"({name}[{address}] & {kept}) | ({data} & ~{kept})" if kept else data
        module.at(f"{self.write_edge}edge {clock}",
                  f"if ({pin('WCLKE', ONE)} & {enable}) {name}[{address}] <= {value};")


@dataclass(frozen=True)
class LargeMemory:
    """256 kbit with one port, 16384 words of 16 bits, written four bits at a time; 0 at power-on,
    where hardware has anything. Its output keeps its value while it writes."""

    name: str

    #: In the order of their names, as :attr:`Cell.wires` has them.
    PINS: ClassVar = tuple(sorted((
        *(f"ADDRESS_{n}" for n in range(14)), "CHIPSELECT", "CLOCK",
        *(f"DATAIN_{n}" for n in range(16)), *(f"DATAOUT_{n}" for n in range(16)),
        *(f"MASKWREN_{n}" for n in range(4)), "POWEROFF", "SLEEP", "STANDBY", "WREN",
    )))

    def output(self, n: int) -> Bit:
        """Read data on pin ``n``."""
        return f"{self.name}_out[{n}]"

    def write(self, module: VerilogModule, pin: Pins) -> None:
        """Adds the memory to ``module``."""
        name = self.name
        module.memory(name, 16, [0] * 16384)
        module.register(f"{name}_out", 16)
        word = f"{name}[{_vector(pin, 'ADDRESS', 14)}]"
        chosen = (f"{pin('CHIPSELECT', ZERO)} & ~{pin('STANDBY', ZERO)} & ~{pin('SLEEP', ZERO)} & "
                  f"{pin('POWEROFF', ZERO)}")
        masks = concatenate([pin(f"MASKWREN_{n // 4}", ZERO) for n in range(16)])
        module.at(f"posedge {pin('CLOCK', ZERO)}",
                  f"if ({chosen}) if ({pin('WREN', ZERO)}) {word} <= ({word} & ~{masks}) | "
                  f"({_vector(pin, 'DATAIN', 16)} & {masks}); else {name}_out <= {word};")
