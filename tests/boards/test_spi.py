import random

import pytest
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.spi import ESCAPE, ESCAPED, IDLE, MIN_RATIO, SpiPeripheral, Unescaper

from .spi import CLOCK, transfer


def exchange(pieces, to_host, ratio, seed=0, stall=0.0, phase=0.3):
    """Transfers of ``pieces`` while ``to_host`` is offered; bytes that came to the board, what the
    controller got in each transfer, and how often framing and overrun were complained of.

    A piece (data, bits) is cut behind so many bits.
    """
    dut, chance = SpiPeripheral(), random.Random(seed)
    came, got, complaints = [], [], [0, 0]

    async def controller(ctx):
        await ctx.delay(phase * CLOCK)
        for piece in pieces:
            data, bits = piece if isinstance(piece, tuple) else (piece, None)
            got.append(await transfer(ctx, dut, data, ratio, bits=bits))
        await ctx.delay(20 * CLOCK)

    async def offer(ctx):
        for byte in to_host:
            while chance.random() < stall:
                await ctx.tick()
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def take(ctx):
        ctx.set(dut.o.ready, stall < 1)
        async for _clk, _rst, valid, ready, byte, framing, overrun in ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.payload, dut.framing_error, dut.overrun):
            if valid and ready:
                came.append(byte)
            complaints[0] += framing
            complaints[1] += overrun

    simulator = Simulator(dut)
    simulator.add_clock(CLOCK)
    simulator.add_testbench(controller)
    simulator.add_testbench(offer, background=True)
    simulator.add_testbench(take, background=True)
    simulator.run()
    return bytes(came), got, tuple(complaints)


def escaped(data: bytes) -> bytes:
    return b"".join(bytes([ESCAPE, ESCAPED[byte]]) if byte in ESCAPED else bytes([byte])
                    for byte in data)


@given(st.binary(), st.lists(st.integers(1, 9)), st.integers(0, 1 << 16))
def test_idle_bytes_may_be_anywhere(data, sizes, seed):
    """And pieces of any size."""
    chance, sent = random.Random(seed), bytearray()
    for byte in escaped(data):
        sent += bytes([IDLE] * chance.choice([0, 0, 1, 5])) + bytes([byte])
    unescaper, got = Unescaper(), b""
    for size in [*sizes, len(sent)]:
        got += unescaper.feed(bytes(sent[:size]))
        del sent[:size]
    assert got == data


@pytest.mark.parametrize(("ratio", "phase"), [(MIN_RATIO, 0.0), (MIN_RATIO, 0.4), (MIN_RATIO, 0.8),
                                              (6.7, 0.2), (13.3, 0.5)])
def test_no_byte_is_lost_or_doubled(ratio, phase):
    """Both ways, through transfers of any length, idle ones among them, while bytes to the host
    come in time or late."""
    rng = random.Random(int(10 * ratio + 100 * phase))
    data = bytes([0, 1, 2, 255, 0x80, 0x7F, *rng.randbytes(12)])
    to_host = bytes([1, 0, 0, 1, 255, 2, 0x80, *rng.randbytes(6), 0, 1])
    for stall in (0.0, 0.99):
        pieces, left = [], data
        while left:
            size = rng.choice([1, 2, 7])
            pieces.append(left[:size])
            left = left[size:]
        pieces += [bytes(4)] * 8
        came, got, complaints = exchange(pieces, to_host, ratio, stall=stall, phase=phase)
        assert came == data + bytes(32)
        assert Unescaper().feed(b"".join(got)) == to_host
        assert complaints == (0, 0)


def test_a_cut_byte_is_lost_and_the_next_is_right():
    for bits in (1, 7, 9, 15):
        came, got, complaints = exchange([(b"\xa5\x5a", bits), b"\x3c\x00\x00"], b"\x77\x88\x99",
                                         7.3)
        whole = bits // 8
        assert came == b"\xa5"[:whole] + b"\x3c\x00\x00"
        # The cut one does not come again.
        assert got[0][:whole] == b"\x77"[:whole]
        assert got[1] == (b"\x88\x99\x00", b"\x99\x00\x00")[whole]
        assert complaints == (1, 0)


def test_a_byte_that_finds_another_in_its_way_is_dropped_and_reported():
    came, _, complaints = exchange([b"\x11\x22\x33"], b"", 8, stall=1.0)
    assert came == b""
    assert complaints == (0, 2)


def test_ready_says_when_something_is_there():
    dut = SpiPeripheral()
    simulator = Simulator(dut)
    simulator.add_clock(CLOCK)

    async def bench(ctx):
        await ctx.delay(5 * CLOCK)
        assert not ctx.get(dut.ready)
        ctx.set(dut.i.payload, 0)
        ctx.set(dut.i.valid, 1)
        await ctx.delay(5 * CLOCK)
        assert ctx.get(dut.ready)
        assert await transfer(ctx, dut, b"\0\0\0", 6) == bytes([ESCAPE, ESCAPED[0], IDLE])
        assert not ctx.get(dut.ready)

    async def taken(ctx):
        await ctx.tick().until(dut.i.ready & dut.i.valid)
        ctx.set(dut.i.valid, 0)

    simulator.add_testbench(bench)
    simulator.add_testbench(taken, background=True)
    simulator.run()
