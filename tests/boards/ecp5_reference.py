"""The ECP5's block memory and multiplier as Lattice documents them: *ECP5 and ECP5-5G Memory Usage
Guide* (FPGA-TN-02204) and *sysDSP Usage Guide* (FPGA-TN-02205); and, where these say nothing, as
Yosys describes the memory to its mapper (``lattice/brams_16kd.txt``)."""

from dataclasses import dataclass, field
from typing import Any

#: Width of a port → bits of the address below its words (16384 × 1 … 512 × 36).
LOW_BITS = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}


@dataclass
class BlockMemory:
    """DP16KD. ``parameters``: the cell's own, where they are not what the cell has by default."""

    parameters: dict[str, Any]
    memory: list[int] = field(init=False)
    latch: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    register: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    #: A reset that ends with the next clock.
    lasting: dict[str, bool] = field(default_factory=lambda: {"A": False, "B": False})
    clock: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        # INITVAL_n: words 16n to 16n + 15, each 18 bits in the low end of 20.
        words = [int(self.parameters.get(f"INITVAL_{n:02X}", 0)) >> 20 * k & 0x3FFFF
                 for n in range(64) for k in range(16)]
        self.memory = [word >> 9 * half & 0x1FF for word in words for half in range(2)]
        for port in "AB":
            self.clock[port] = self._level(port, {"CLKA": 0, "CLKB": 0})

    def _is(self, name: str, default: Any) -> Any:
        return self.parameters.get(name, default)

    @property
    def split(self) -> bool:
        return self._is("DATA_WIDTH_A", 18) == 36

    def width(self, port: str) -> int:
        return self._is(f"DATA_WIDTH_{port}", 18)

    def _level(self, port: str, pins: dict[str, int]) -> int:
        return pins[f"CLK{port}"] ^ (self._is(f"CLK{port}MUX", "") == "INV")

    def read(self, width: int, address: int) -> int:
        number = address >> LOW_BITS[width]
        if width < 9:
            return self.memory[number * width // 8] >> number * width % 8 & (1 << width) - 1
        count = width // 9
        return sum(self.memory[number * count + k] << 9 * k for k in range(count))

    def write(self, width: int, address: int, data: int, enables: int) -> None:
        number = address >> LOW_BITS[width]
        if width < 9:
            mask = ((1 << width) - 1) << number * width % 8
            old = self.memory[number * width // 8]
            self.memory[number * width // 8] = old & ~mask | data << number * width % 8 & mask
            return
        count = width // 9
        for k in range(count):
            if enables >> k & 1:
                self.memory[number * count + k] = data >> 9 * k & 0x1FF

    def settle(self, pins: dict[str, int]) -> None:
        """Inputs other than clocks have changed."""
        for port in "AB":
            asynchronous = self._is("RESETMODE", "SYNC") == "ASYNC"
            if asynchronous and pins[f"RST{port}"]:
                self.lasting[port] = True
            held = asynchronous and (
                pins[f"RST{port}"]
                or (self.lasting[port] and self._is("ASYNC_RESET_RELEASE", "SYNC") == "SYNC"))
            if held or not pins["GSRN"]:
                self.latch[port] = self.register[port] = 0

    def edge(self, pins: dict[str, int]) -> None:
        """The clocks have changed; both ports see the memory as it was before."""
        rising = [port for port in "AB" if self._level(port, pins) > self.clock[port]]
        for port in "AB":
            self.clock[port] = self._level(port, pins)
        found = {port: self.read(self.width(port), pins[f"AD{port}"]) for port in rising}
        writing = {port: self._writes(port, pins) for port in rising}
        for port in rising:
            if writing[port]:
                data = pins["DIA"] | pins["DIB"] << 18 if self.split else pins[f"DI{port}"]
                enables = {18: pins[f"AD{port}"] & 3, 36: pins[f"AD{port}"] & 15}.get(
                    self.width(port), 1)
                self.write(self.width(port), pins[f"AD{port}"], data, enables)
        for port in rising:
            self._answer(port, pins, writing[port], found[port])
            if not pins[f"RST{port}"]:
                self.lasting[port] = False
        self.settle(pins)

    def _enabled(self, port: str, pins: dict[str, int]) -> bool:
        code = int(self._is(f"CSDECODE_{port}", "0b000")[2:], 2)
        return bool(pins[f"CE{port}"]) and pins[f"CS{port}"] == code

    def _writes(self, port: str, pins: dict[str, int]) -> bool:
        if self.split:
            return port == "A" and self._enabled(port, pins)
        blocked = self._is("RESETMODE", "SYNC") == "SYNC" and pins[f"RST{port}"]
        return self._enabled(port, pins) and bool(pins[f"WE{port}"]) and not blocked

    def _answer(self, port: str, pins: dict[str, int], writes: bool, found: int) -> None:
        if self._is("RESETMODE", "SYNC") == "SYNC" and pins[f"RST{port}"]:
            self.latch[port] = self.register[port] = 0
            return
        if not pins["GSRN"] or (self._is("RESETMODE", "SYNC") == "ASYNC" and (
                self.lasting[port] and self._is("ASYNC_RESET_RELEASE", "SYNC") == "SYNC")):
            return
        if pins[f"OCE{port}"]:
            self.register[port] = self.latch[port]
        mode = self._is(f"WRITEMODE_{port}", "NORMAL")
        if self._enabled(port, pins) and not (writes and mode == "NORMAL"):
            through = writes and mode == "WRITETHROUGH"
            self.latch[port] = self.read(self.width(port), pins[f"AD{port}"]) if through else found

    def outputs(self) -> dict[str, int]:
        """DOA, DOB; only what the widths give a meaning."""
        shown = {port: (self.register if self._is(f"REGMODE_{port}", "NOREG") == "OUTREG"
                        else self.latch)[port] for port in "AB"}
        if not self.split:
            return {"DOA": shown["A"], "DOB": shown["B"]}
        if self.width("B") == 36:
            return {"DOA": shown["B"] & 0x3FFFF, "DOB": shown["B"] >> 18}
        return {"DOB": shown["B"]}


@dataclass
class Multiplier:
    """MULT18X18D: what each register holds, in the order data passes them."""

    parameters: dict[str, str]
    held: dict[str, Any] = field(default_factory=lambda: {
        "INPUTA": (0, 0), "INPUTB": (0, 0), "PIPELINE": 0, "OUTPUT": 0})
    clocks: int = 0

    def _of(self, stage: str, what: str, default: str) -> str:
        return self.parameters.get(f"REG_{stage}_{what}", default)

    def _there(self, stage: str) -> bool:
        return self._of(stage, "CLK", "NONE") != "NONE"

    def _values(self, pins: dict[str, int]) -> dict[str, Any]:
        """What goes into each register."""
        values: dict[str, Any] = {"INPUTA": (pins["A"], pins["SIGNEDA"]),
                                  "INPUTB": (pins["B"], pins["SIGNEDB"])}
        a, b = (self.held[stage] if self._there(stage) else values[stage]
                for stage in ("INPUTA", "INPUTB"))
        values["PIPELINE"] = signed(*a) * signed(*b) & (1 << 36) - 1
        values["OUTPUT"] = self.held["PIPELINE"] if self._there("PIPELINE") else values["PIPELINE"]
        return values

    def settle(self, pins: dict[str, int]) -> None:
        for stage in self.held:
            reset = pins["RST"] >> int(self._of(stage, "RST", "RST0")[3]) & 1
            if not pins["GSRN"] or (self.parameters.get("RESETMODE") == "ASYNC" and reset):
                self.held[stage] = (0, 0) if stage.startswith("INPUT") else 0

    def edge(self, pins: dict[str, int]) -> None:
        rising, self.clocks = pins["CLK"] & ~self.clocks, pins["CLK"]
        values = self._values(pins)
        for stage in self.held:
            clock = self._of(stage, "CLK", "NONE")
            if clock == "NONE" or not rising >> int(clock[3]) & 1:
                continue
            if pins["RST"] >> int(self._of(stage, "RST", "RST0")[3]) & 1:
                self.held[stage] = (0, 0) if stage.startswith("INPUT") else 0
            elif pins["CE"] >> int(self._of(stage, "CE", "CE0")[2]) & 1:
                self.held[stage] = values[stage]
        self.settle(pins)

    def product(self, pins: dict[str, int]) -> int:
        return self.held["OUTPUT"] if self._there("OUTPUT") else self._values(pins)["OUTPUT"]


def signed(value: int, is_signed: int) -> int:
    """18 bits as the number that they are."""
    return value - (1 << 18) if is_signed and value >> 17 else value
