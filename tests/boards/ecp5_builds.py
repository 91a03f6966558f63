"""Designs made for an ECP5 without a board, and benches that hold what came out against the RTL."""

import json
import random
from pathlib import Path

from amaranth import Elaboratable, Module, Mux, Signal, signed
from amaranth.back import rtlil, verilog
from amaranth.hdl import Value

from spikewright.boards import netlist
from spikewright.boards.build import HIDE_ELEMENTS, NETLIST
from spikewright.boards.ecp5_netlist import PLACED
from spikewright.boards.toolchain import call, find_tool
from spikewright.gen.rtl.block_memory import BlockMemory

from .benches import bench, fields, run


def make(design, folder: Path, *, place: bool, bitstream: bool = False) -> None:
    """Yosys' netlist of ``design`` and, with ``place``, nextpnr's, in ``folder``."""
    ports = {"ports": design.ports} if hasattr(design, "ports") else {}
    (folder / "top.il").write_text(rtlil.convert(design, emit_src=False, **ports))
    script = f"read_rtlil top.il; {HIDE_ELEMENTS}; synth_ecp5 -top top -json {NETLIST}"
    steps = [("yosys", ["-q", "-p", script])]
    if place:
        steps.append(("nextpnr-ecp5", [
            "--25k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained", "-q",
            "--json", NETLIST, "--write", PLACED, "--seed", "1", "--timing-allow-fail",
            *(["--textcfg", "top.config"] if bitstream else [])]))
    if bitstream:
        steps.append(("ecppack", ["--input", "top.config", "--bit", "top.bit"]))
    for name, arguments in steps:
        done = call(find_tool(name), arguments, folder)
        assert done.returncode == 0, done.stdout[-2000:]
        if name == "yosys":
            netlist.tidy_file(folder / NETLIST)


def cells(folder: Path, name: str = NETLIST) -> list[dict]:
    return list(json.loads((folder / name).read_text())["modules"]["top"]["cells"].values())


def require_equal(design, netlist_text: str, folder: Path, simulator: str,
                  vectors: list[dict[str, int]]) -> int:
    """Runs ``design``'s RTL and its netlist on ``vectors``, of its ``inputs``; how many bits of its
    ``outputs`` took both values."""
    rtl = verilog.convert(design, name="rtl", ports=design.ports, emit_src=False)
    pins = {"clk": 1, "rst": 1, **{signal.name: len(signal) for signal in design.inputs}}
    widths = {signal.name: len(signal) for signal in design.outputs}
    total, at, ours, theirs = sum(widths.values()), 0, "", ""
    for name, bits in widths.items():
        ours += f", .{name}(results[{at} +: {bits}])"
        theirs += f", .{name}(results[{total + at} +: {bits}])"
        at += bits
    inputs = ", ".join(f".{name}({name})" for name in pins)
    body = f"    rtl one ({inputs}{ours});\n    top two ({inputs}{theirs});\n"
    table = [vector | {"clk": clk, "rst": 0} for vector in vectors for clk in (0, 1)]
    text = rtl + netlist_text + bench(folder, pins, table, body, 2 * total, ("clk",))
    ones = zeros = 0
    for n, line in enumerate(run(simulator, folder, text, optimise=True)):
        one, two = fields(line, [total, total])
        if one != two:
            at = 0
            for name, bits in widths.items():
                assert one >> at & (1 << bits) - 1 == two >> at & (1 << bits) - 1, (n, name)
                at += bits
        ones, zeros = ones | one, zeros | ~one
    return (ones & zeros & (1 << total) - 1).bit_count()


class Memories(Elaboratable):
    """A :class:`BlockMemory` of random contents for each of ``shapes``, (width, depth), with one
    address for all; ``extra`` registers behind each."""

    def __init__(self, shapes: list[tuple[int, int]], extra: int = 0):
        self.shapes, self.extra = shapes, extra
        self.read, self.write = (Signal(range(max(depth for _, depth in shapes)), name=name)
                                 for name in ("read", "write"))
        self.data = Signal(max(width for width, _ in shapes), name="data")
        self.enable = Signal(name="enable")
        self.outputs = [Signal(width, name=f"word_{width}_{depth}") for width, depth in shapes]
        self.inputs = [self.read, self.write, self.data, self.enable]
        self.ports = [*self.inputs, *self.outputs]

    def elaborate(self, platform):
        m = Module()
        rng = random.Random(5)
        for (width, depth), output in zip(self.shapes, self.outputs, strict=True):
            memory = BlockMemory(width, depth, [rng.getrandbits(width) for _ in range(depth)])
            m.submodules[output.name] = memory
            bits = (depth - 1).bit_length()
            m.d.comb += [
                memory.read_address.eq(self._within(self.read[:bits], depth)),
                memory.write_address.eq(self._within(self.write[:bits], depth)),
                memory.write.eq(self.enable), memory.write_data.eq(self.data),
            ]
            value = memory.read_data
            for n in range(self.extra):
                stage = Signal(width, name=f"{output.name}_{n}", reset_less=True)
                m.d.sync += stage.eq(value)
                value = stage
            m.d.comb += output.eq(value)
        return m

    @staticmethod
    def _within(address: Value, depth: int) -> Value:
        return Mux(address < depth, address, 0)

    def vectors(self, count: int) -> list[dict[str, int]]:
        """Half of the addresses among few, so that what was written is read."""
        rng = random.Random(6)
        few = [rng.getrandbits(len(self.read)) for _ in range(8)]

        def address() -> int:
            return rng.choice([rng.choice(few), rng.getrandbits(len(self.read))])

        return [{"read": address(), "write": address(), "data": rng.getrandbits(len(self.data)),
                 "enable": rng.getrandbits(1)} for _ in range(count)]


class Products(Elaboratable):
    """a · b for each of ``shapes``, (bits of a, bits of b, a is signed, b is signed)."""

    def __init__(self, shapes: list[tuple[int, int, bool, bool]]):
        self.shapes = shapes
        self.a = Signal(max(shape[0] for shape in shapes), name="a")
        self.b = Signal(max(shape[1] for shape in shapes), name="b")
        self.inputs = [self.a, self.b]
        self.outputs = [Signal(a + b, name=f"product_{n}") for n, (a, b, *_) in enumerate(shapes)]
        self.ports = [*self.inputs, *self.outputs]

    def elaborate(self, platform):
        m = Module()
        for (bits_a, bits_b, signed_a, signed_b), output in zip(
                self.shapes, self.outputs, strict=True):
            a = Signal(signed(bits_a) if signed_a else bits_a)
            b = Signal(signed(bits_b) if signed_b else bits_b)
            m.d.sync += [a.eq(self.a), b.eq(self.b), output.eq(a * b)]
        return m

    def vectors(self, count: int) -> list[dict[str, int]]:
        rng = random.Random(7)

        def value(bits: int) -> int:
            return rng.choice([rng.getrandbits(bits), (1 << rng.randrange(bits + 1)) - 1,
                               1 << rng.randrange(bits)])

        return [{"a": value(len(self.a)), "b": value(len(self.b))} for _ in range(count)]
