"""The large memories of an iCE40 UltraPlus: what they hold once they are loaded, by a model of the
cell."""

import random

import pytest
from amaranth.hdl import Elaboratable, Fragment, Module, Mux, Signal
from amaranth.lib import memory
from amaranth.sim import Simulator

from spikewright.gen.folding import Storage
from spikewright.gen.rtl import weights
from spikewright.gen.rtl.weights import SPRAM_DEPTH, WeightStore, load_image

from .test_weights import random_words

#: Inputs of the cell but for DATAIN, and their widths (Lattice, iCE40 SPRAM usage guide,
#: FPGA-TN-02022).
INPUTS = {"CLOCK": 1, "ADDRESS": 14, "WREN": 1, "MASKWREN": 4, "CHIPSELECT": 1,
          "STANDBY": 1, "SLEEP": 1, "POWEROFF": 1}


class Cell(Elaboratable):
    """SB_SPRAM256KA: a word is written or read at a clock edge at which the chip is selected, and
    what was read stays until the next read. It holds anything at first, and what a write leaves at
    the output is not said: here the complement of the word. POWEROFF is active low."""

    def __init__(self, kind: str, **ports):
        assert kind == "SB_SPRAM256KA"
        self.inputs = {name: ports.pop(f"i_{name}") for name in [*INPUTS, "DATAIN"]}
        widths = {name: len(value) for name, value in self.inputs.items()}
        assert widths.pop("DATAIN") <= 16, "pins are left open, none is beyond"
        assert widths == INPUTS
        self.output = ports.pop("o_DATAOUT")
        assert not ports

    def elaborate(self, platform):
        m = Module()
        pin = self.inputs
        init = random.Random(0).choices(range(1 << 16), k=SPRAM_DEPTH)
        m.submodules.words = words = memory.Memory(shape=16, depth=SPRAM_DEPTH, init=init)
        read, write = words.read_port(domain="comb"), words.write_port(granularity=4)
        on, shown = Signal(), Signal(16)
        m.d.comb += [
            on.eq(pin["CHIPSELECT"] & ~pin["STANDBY"] & ~pin["SLEEP"] & pin["POWEROFF"]),
            read.addr.eq(pin["ADDRESS"]), write.addr.eq(pin["ADDRESS"]),
            write.data.eq(pin["DATAIN"]),
            write.en.eq(Mux(on & pin["WREN"], pin["MASKWREN"], 0)),
            self.output.eq(shown),
        ]
        with m.If(on):
            m.d.sync += shown.eq(Mux(pin["WREN"], ~pin["DATAIN"], read.data))
        return m


class UltraPlus(Elaboratable):
    """``store`` as it is built for that part."""

    device = "iCE40UP5K"

    def __init__(self, store: WeightStore):
        self.store = store

    def elaborate(self, platform):
        return Fragment.get(self.store, self)


@pytest.mark.parametrize(("depth", "lanes"), [(40, 2), (30, 9), (SPRAM_DEPTH + 3, 2)])
def test_large_memories_hold_what_was_loaded(monkeypatch, depth, lanes):
    """One beside the other, and one after the other; a word that was read stays while none is."""
    monkeypatch.setattr(weights, "Instance", Cell)
    chance = random.Random(depth)
    words = random_words(chance, depth, lanes, 4)
    dut = WeightStore(words, lanes, 4, Storage.SPRAM)
    interesting = {0, 1, depth // 2, depth - 4, depth - 3, depth - 2, depth - 1}

    def shown(ctx):
        return [ctx.get(dut.data[lane]) for lane in range(lanes)]

    async def bench(ctx):
        assert not ctx.get(dut.full)
        ctx.set(dut.load.begin, 1)
        await ctx.tick()
        ctx.set(dut.load.begin, 0)
        ctx.set(dut.load.valid, 1)
        for byte in load_image(words, 4):
            assert not ctx.get(dut.full)
            ctx.set(dut.load.byte, byte)
            await ctx.tick()
        assert ctx.get(dut.full)
        ctx.set(dut.load.valid, 0)
        await ctx.tick().repeat(2)
        for address in chance.choices(sorted(interesting), k=60):
            ctx.set(dut.address, address)
            ctx.set(dut.enable, 1)
            await ctx.tick()
            assert shown(ctx) == words[address]
            ctx.set(dut.address, chance.choice(sorted(interesting)))
            ctx.set(dut.enable, 0)
            await ctx.tick()
            assert shown(ctx) == words[address]

    simulator = Simulator(UltraPlus(dut))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
