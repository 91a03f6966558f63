# amaranth: UnusedElaboratable=no
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from spikewright.boards.uart import BaudError, UartReceiver, UartTransmitter, baud_divisor

from ..gen.streams import check_stream
from .serial import receive_byte, send_bytes

BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0x7F, 0xFE, *range(3, 250, 13)]


class Loopback(wiring.Component):
    """A transmitter whose line goes to a receiver."""

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        wiring.connect(m, wiring.flipped(self.i), transmitter.i)
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        m.d.comb += receiver.rx.eq(transmitter.tx)
        return m


@pytest.mark.parametrize("divisor", [4, 5, 12, 25])
def test_loopback_without_gap_between_bytes(divisor):
    cycles = check_stream(Loopback(divisor), BYTES, BYTES)
    sampled_stop = 9 * divisor + (divisor - 1) // 2
    assert cycles == 10 * divisor * (len(BYTES) - 1) + sampled_stop + 5


@pytest.mark.parametrize("seed", range(3))
def test_loopback_with_stalls(seed):
    check_stream(Loopback(6), BYTES, BYTES, stalls=(0.9, 0.5), seed=seed)


def received(divisor, drive, cycles=0):
    """Bytes, framing errors and overruns of a receiver whose line ``drive`` moves."""
    dut = UartReceiver(divisor)
    seen = {"bytes": [], "framing": 0, "overrun": 0}

    async def bench(ctx):
        await drive(ctx, dut)
        await ctx.tick().repeat(20 * divisor)

    async def watch(ctx):
        signals = (dut.o.valid, dut.o.ready, dut.o.payload, dut.framing_error, dut.overrun)
        async for _, _, valid, ready, byte, framing, overrun in ctx.tick().sample(*signals):
            if valid and ready:
                seen["bytes"].append(byte)
            seen["framing"] += framing
            seen["overrun"] += overrun

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return seen


@pytest.mark.parametrize("divisor", [6, 12, 25])
@pytest.mark.parametrize("mismatch", [0.98, 1.02])
def test_baud_rates_may_differ_by_two_percent(divisor, mismatch):
    async def drive(ctx, dut):
        ctx.set(dut.o.ready, 1)
        await send_bytes(ctx, dut.rx, BYTES, divisor * mismatch)

    assert received(divisor, drive) == {"bytes": BYTES, "framing": 0, "overrun": 0}


def test_baud_rates_may_not_differ_by_ten_percent():
    async def drive(ctx, dut):
        ctx.set(dut.o.ready, 1)
        await send_bytes(ctx, dut.rx, BYTES, 12 * 1.1)

    assert received(12, drive)["bytes"] != BYTES


def test_a_glitch_is_no_start_bit():
    async def drive(ctx, dut):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(5)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(150)
        await send_bytes(ctx, dut.rx, [0x42], 12)

    assert received(12, drive) == {"bytes": [0x42], "framing": 0, "overrun": 0}


def test_a_byte_without_stop_bit_is_dropped():
    async def drive(ctx, dut):
        ctx.set(dut.o.ready, 1)
        await send_bytes(ctx, dut.rx, [0x42], 12, stop=0)
        await ctx.tick().repeat(12)
        await send_bytes(ctx, dut.rx, [0x43], 12)

    assert received(12, drive) == {"bytes": [0x43], "framing": 1, "overrun": 0}


def test_a_break_is_one_framing_error():
    async def drive(ctx, dut):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(500)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(20)
        await send_bytes(ctx, dut.rx, [0x43], 12)

    assert received(12, drive) == {"bytes": [0x43], "framing": 1, "overrun": 0}


def test_a_byte_that_is_not_taken_survives_the_next():
    async def drive(ctx, dut):
        await send_bytes(ctx, dut.rx, [1, 2, 3], 4)
        ctx.set(dut.o.ready, 1)
        await send_bytes(ctx, dut.rx, [4], 4)

    assert received(4, drive) == {"bytes": [1, 4], "framing": 0, "overrun": 2}


def test_transmitter_idles_high_and_frames_eight_bits():
    dut = UartTransmitter(8)
    sent = []

    async def bench(ctx):
        assert ctx.get(dut.tx) == 1
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, 0xA6)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        sent.append(await receive_byte(ctx, dut.tx, 8))
        await ctx.tick().repeat(40)
        assert ctx.get(dut.tx) == 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert sent == [0xA6]


def test_divisor_is_nearest():
    assert baud_divisor(12e6, 1e6) == 12
    assert baud_divisor(25e6, 115200) == 217


@pytest.mark.parametrize(("clock", "baud", "message"), [
    (12e6, 4e6, r"at most 3e\+06 baud is possible, choose a lower rate"),
    (12e6, 921600 * 2, r"is allowed; choose 1.71429e\+06 baud"),
])
def test_impossible_rates_are_refused(clock, baud, message):
    with pytest.raises(BaudError, match=message):
        baud_divisor(clock, baud)


@pytest.mark.parametrize("component", [UartReceiver, UartTransmitter])
@pytest.mark.parametrize("divisor", [3, 0, 4.0])
def test_bad_divisors_are_refused(component, divisor):
    with pytest.raises(BaudError, match="integer of at least 4 is needed"):
        component(divisor)
