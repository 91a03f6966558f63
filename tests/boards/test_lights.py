"""The design on the pins of a board: its serial line, and what its lights show."""

from dataclasses import replace
from types import SimpleNamespace

from amaranth.hdl import Elaboratable, Fragment
from amaranth.lib import io
from amaranth.sim import Simulator

from spikewright.boards.protocol import Command
from spikewright.boards.registry import find_board
from spikewright.boards.top import BoardTop, SerialAccelerator
from spikewright.gen import Folding

from ..gen.examples import one_layer
from .serial import framed, send_bytes

#: A second of 512 cycles.
BOARD = replace(find_board("icebreaker"), oscillator_hz=512, clock_hz=512, baud=128, window=8,
                buffer=8)


class Pins(Elaboratable):
    """A platform with nothing but pins to watch, and the top on it."""

    def __init__(self, top: BoardTop):
        self.top = top
        self.uart = SimpleNamespace(rx=io.SimulationPort("i", 1), tx=io.SimulationPort("o", 1))
        self.leds = [io.SimulationPort("o", 1) for _ in range(2)]

    def request(self, name, number, *, dir):
        return self.uart if name == "uart" else self.leds[number]

    def elaborate(self, platform):
        return Fragment.get(self.top, self)


def test_one_light_blinks_and_the_other_shows_traffic():
    top = BoardTop(BOARD, one_layer(4, 2), Folding())
    pins = Pins(top)
    seen = []

    async def bench(ctx):
        ctx.set(pins.uart.rx.i, 1)
        await ctx.tick().repeat(100)
        await send_bytes(ctx, pins.uart.rx.i, framed(bytes([Command.PING])), BOARD.divisor)
        await ctx.tick().repeat(500)

    async def watch(ctx):
        signals = [top.accelerator.active, pins.uart.tx.o, *(led.o for led in pins.leds)]
        async for _, _, *values in ctx.tick().sample(*signals):
            seen.append([int(value) for value in values])

    simulator = Simulator(pins)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    active, sent, blinking, shown = zip(*seen, strict=True)
    assert list(blinking) == [cycle // 256 % 2 for cycle in range(len(seen))]
    # A sixteenth of a second is 32 cycles; what passed in it shows from its end to the next one's.
    assert list(shown) == [int(any(active[begin - 32 : begin])) if begin >= 32 else 0
                           for begin in ((cycle - 1) // 32 * 32 for cycle in range(len(seen)))]
    assert 1 in shown
    assert 0 in sent, "no reply"


def test_a_line_that_nobody_drives_is_idle():
    dut = SerialAccelerator(one_layer(4, 2), Folding(), divisor=4, window=8, buffer=8)

    async def bench(ctx):
        for _ in range(60):
            *_, active, sent, wrong = await ctx.tick().sample(
                dut.active, dut.tx, dut.carrier.framing_error)
            assert (active, sent, wrong) == (0, 1, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
