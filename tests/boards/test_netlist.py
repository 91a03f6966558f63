from copy import deepcopy

import pytest
from amaranth import Elaboratable, Module, Signal
from amaranth.lib import memory

from spikewright.boards.netlist import Tidied, tidy


def hash_of(n: int) -> int:
    return n * 0x9E3779B97F4A7C15 >> 20 & 0xFFFFFFFFF


class Table(Elaboratable):
    """A memory of 36 random-looking bits, then ``stages`` plain registers, and a sum."""

    def __init__(self, depth: int, stages: int, *, enable: bool = False):
        self.depth, self.stages, self.enable = depth, stages, enable
        self.address, self.o = Signal(range(depth)), Signal(36)
        self.ports = [self.address, self.o]

    def elaborate(self, platform):
        m = Module()
        words = [hash_of(n) for n in range(self.depth)]
        m.submodules.memory = table = memory.Memory(shape=36, depth=self.depth, init=words)
        read = table.read_port()
        m.d.comb += read.addr.eq(self.address)
        value = read.data
        for n in range(self.stages):
            stage = Signal(36, name=f"stage_{n}", reset_less=True)
            if self.enable:
                with m.If(self.address[0]):
                    m.d.sync += stage.eq(value)
            else:
                m.d.sync += stage.eq(value)
            value = stage
        m.d.sync += self.o.eq(self.o + value)
        return m


def cells(netlist, kind):
    return [cell for cell in netlist["modules"]["top"]["cells"].values() if cell["type"] == kind]


@pytest.mark.parametrize(("depth", "ports"), [
    (512, 1),  # one port of 36 bits
    (1024, 2),  # two memories of 18 bits each
])
def test_a_plain_register_behind_a_memory_becomes_the_memorys_own(synthesise, depth, ports):
    netlist = synthesise(Table(depth, stages=1))
    before = len(cells(netlist, "TRELLIS_FF"))
    done = tidy(netlist)
    assert done == Tidied(ports=ports, flip_flops=36, carries=1)
    assert len(cells(netlist, "TRELLIS_FF")) == before - 36
    memories = cells(netlist, "DP16KD")
    modes = [cell["parameters"][mode] for cell in memories for mode in ("REGMODE_A", "REGMODE_B")]
    assert modes.count("OUTREG") == 2
    # What read the flip-flops now reads the memories.
    driven = {cell["connections"][port][0] for cell in memories for port in cell["connections"]
              if port.startswith("DO")}
    inputs = {bit for cell in cells(netlist, "CCU2C") for port, bits in cell["connections"].items()
              if cell["port_directions"][port] == "input" for bit in bits}
    assert len(driven & inputs) == 36
    again = deepcopy(netlist)
    assert tidy(again) == Tidied()
    assert again == netlist


@pytest.mark.parametrize("table", [Table(512, stages=0), Table(512, stages=1, enable=True)])
def test_other_readers_keep_the_memory_as_it_is(synthesise, table):
    netlist = synthesise(table)
    flip_flops = len(cells(netlist, "TRELLIS_FF"))
    assert tidy(netlist) == Tidied(carries=1)
    assert len(cells(netlist, "TRELLIS_FF")) == flip_flops
    assert all(cell["parameters"]["REGMODE_B"] == "NOREG" for cell in cells(netlist, "DP16KD"))
