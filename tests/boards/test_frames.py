import zlib

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.cobs import CobsDecoder, stuff, unstuff
from spikewright.boards.frames import FrameReceiver, FrameSender, frame, unframe
from spikewright.boards.protocol import VERSION, DamagedFrameError, Fault, Kind

from ..gen.streams import check_stream

RESET = Kind.RESET
DEPTH = 32


@given(st.integers(0, 15), st.integers(0, 255), st.binary(max_size=600))
def test_any_frame_comes_back(kind, number, body):
    wire = frame(kind, number, body)
    assert wire.endswith(b"\0")
    assert wire.count(0) == 1
    assert unframe(wire[:-1]) == (VERSION, kind, number, body)


@given(st.binary(max_size=40), st.integers(0, 1 << 30), st.integers(1, 255))
def test_any_wrong_byte_is_noticed(body, place, flip):
    wire = bytearray(frame(Kind.COMMANDS, 7, body)[:-1])
    wire[place % len(wire)] ^= flip
    with pytest.raises(DamagedFrameError):
        unframe(bytes(wire))


@given(st.binary(max_size=40), st.integers(0, 1 << 30))
def test_any_cut_is_noticed(body, place):
    wire = frame(Kind.COMMANDS, 7, body)[:-1]
    with pytest.raises(DamagedFrameError):
        unframe(wire[: place % len(wire)])


class Wire(wiring.Component):
    """The board's end: stuffed bytes in, bodies out."""

    def __init__(self, depth: int = DEPTH):
        self.receiver = FrameReceiver(depth)
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.receiver = receiver = self.receiver
        m.d.comb += decoder.lost.eq(receiver.spoil)
        connect(m, flipped(self.i), decoder.i)
        connect(m, decoder.o, receiver.i)
        connect(m, receiver.o, flipped(self.o))
        return m


def receive(wire: bytes, *, taking: bool = True, spoil: int | None = None):
    """Bodies, faults and numbers of RESETs that ``wire`` leads to; bytes passed at the end. One
    byte more is lost before that of number ``spoil``."""
    dut = Wire()
    bodies, faults, resets = bytearray(), [], []
    taken = 0

    async def bench(ctx):
        ctx.set(dut.o.ready, taking)
        for place, byte in enumerate(wire):
            if place == spoil:
                ctx.set(dut.receiver.spoil, 1)
                await ctx.tick()
                ctx.set(dut.receiver.spoil, 0)
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(100)

    async def watch(ctx):
        nonlocal taken
        receiver, left = dut.receiver, False
        async for _, _, valid, byte, fault, reset, count in ctx.tick().sample(
            dut.o.valid, dut.o.payload, receiver.faults, receiver.reset, receiver.taken,
        ):
            if left:
                resets.append(ctx.get(receiver.number))
            left = bool(reset)
            if valid and taking and not reset:
                bodies.append(byte)
            if fault:
                faults.append(Fault(fault))
            taken = count

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return bytes(bodies), faults, resets, taken


def commands(number: int, body: bytes, **more) -> bytes:
    return frame(Kind.COMMANDS, number, body, **more)


def test_bodies_pass_in_turn():
    wire = commands(0, b"ab") + commands(1, b"\0\0") + commands(2, b"") + commands(3, b"c" * 28)
    assert receive(wire) == (b"ab\0\0" + b"c" * 28, [], [], 32)


def test_pauses_change_nothing():
    frames = [commands(n, bytes([n] * (n % 20 + 1))) for n in range(30)]
    bodies = b"".join(unframe(each[:-1])[3] for each in frames)
    check_stream(Wire(), b"".join(frames), bodies, stalls=(0.7, 0.1))


BAD = {
    "damaged": (commands(1, b"abc")[:3] + b"\x55" + commands(1, b"abc")[4:], Fault.DAMAGED),
    "cut": (commands(1, b"abc")[:4] + b"\0", Fault.DAMAGED),
    "noise": (b"\x05\x80\x80\x81\x82\0", Fault.DAMAGED),
    "short": (stuff(b"\x41" + zlib.crc32(b"\x41").to_bytes(4, "little")) + b"\0", Fault.DAMAGED),
    "empty": (b"\1\0", Fault.DAMAGED),
    "out of turn": (commands(2, b"abc"), Fault.SEQUENCE),
    "again": (commands(0, b"abc"), Fault.SEQUENCE),
    "version": (commands(1, b"abc", version=3), Fault.VERSION),
    "version, top bit": (commands(1, b"abc", version=VERSION ^ 8), Fault.VERSION),
    "kind": (frame(9, 1, b"abc"), Fault.UNKNOWN),
    "long": (commands(1, b"a" * 40), Fault.OVERRUN),
}


@pytest.mark.parametrize("bad", BAD)
def test_nothing_of_a_bad_frame_passes_and_the_next_does(bad):
    wire, fault = BAD[bad]
    assert receive(commands(0, b"first") + wire + commands(1, b"next")) == (
        b"firstnext", [fault], [], 9)


def test_a_byte_that_was_lost_on_the_wire_spoils_its_frame():
    first = commands(0, b"abc")
    assert receive(first + first, spoil=4) == (b"abc", [Fault.DAMAGED], [], 3)


def test_a_byte_that_was_lost_between_frames_is_ended_like_a_frame():
    """A host that begins with a 0x00 is understood whatever came before."""
    first, second = commands(0, b"abc"), commands(1, b"de")
    expected = b"abcde", [Fault.DAMAGED], [], 5
    assert receive(first + b"\0" + second, spoil=len(first)) == expected
    assert receive(first + second + second, spoil=len(first)) == expected


def test_what_is_not_taken_is_not_overwritten():
    wire = commands(0, b"a" * 20) + commands(1, b"b" * 20) + frame(RESET, 5) + commands(6, b"c")
    bodies, faults, resets, taken = receive(wire, taking=False)
    assert (bodies, faults, resets, taken) == (b"", [Fault.OVERRUN], [5], 0)


def test_reset_drops_what_is_held_and_sets_the_turn():
    dut_bytes = commands(0, b"a" * 20) + frame(RESET, 200) + commands(201, b"b") + commands(5, b"")
    bodies, faults, resets, taken = receive(dut_bytes)
    assert bodies.endswith(b"b")
    assert (faults, resets, taken) == ([Fault.SEQUENCE], [200], 1)


def test_numbers_go_on_at_0_behind_255():
    wire = frame(RESET, 125) + b"".join(commands(n % 256, bytes([n % 256]))
                                        for n in range(126, 260))
    assert receive(wire) == (bytes(n % 256 for n in range(126, 260)), [], [125], 134)


@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.4, 0.4)])
def test_replies_are_numbered_and_have_a_crc(stalls):
    bodies = [bytes([VERSION << 4 | 4]), bytes([VERSION << 4 | 1, 1, 2, 3]),
              bytes([VERSION << 4 | 5, 0])]
    sent = [{"byte": byte, "last": int(n == len(body) - 1)}
            for body in bodies for n, byte in enumerate(body)]
    expected = []
    for number, body in enumerate(bodies):
        content = unstuff(frame(body[0] & 15, number, b"\0\0" + body[1:])[:-1])
        expected += [{"byte": byte, "last": int(n == len(content) - 1)}
                     for n, byte in enumerate(content)]
    check_stream(FrameSender(), sent, expected, stalls=stalls)


def test_a_reply_says_what_was_taken():
    dut = FrameSender()
    got = bytearray()

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.taken, 0x92B4)
        ctx.set(dut.i.payload, {"byte": VERSION << 4 | 4, "last": 1})
        ctx.set(dut.i.valid, 1)
        for _ in range(12):
            _, _, valid, byte, taken = await ctx.tick().sample(
                dut.o.valid, dut.o.payload.byte, dut.i.ready)
            ctx.set(dut.taken, 0x5678)
            if taken:
                ctx.set(dut.i.valid, 0)
            if valid:
                got.append(byte)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert unframe(stuff(bytes(got))) == (VERSION, 4, 0, b"\xb4\x92")
