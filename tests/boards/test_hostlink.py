import itertools

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.hostlink import CommandDecoder, ReplyEncoder, Request
from spikewright.boards.protocol import (
    Command,
    Fault,
    Identity,
    Ready,
    ReplyParser,
    Result,
    Tag,
    encode_inference,
)
from spikewright.gen.beats import beats
from spikewright.gen.counters import COUNTERS

from ..gen.examples import two_layers
from ..gen.streams import check_stream

COUNTER_WORDS = 2 * len(COUNTERS) + 1


def identity(inputs=20, classes=5, timesteps=4, counter_words=COUNTER_WORDS) -> Identity:
    spec = two_layers(inputs=inputs, classes=classes, timesteps=timesteps)
    return Identity.of(spec, counter_words=counter_words, window=64, buffer=64)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("inputs", [1, 20, 300])
def test_decoder_makes_the_beats_of_the_spikes(seed, inputs):
    rng = np.random.default_rng(seed)
    samples = rng.random((6, 4, inputs)) < rng.choice([0.02, 0.3, 1.0], (6, 4, 1))
    data = b"".join(encode_inference(sample) for sample in samples)
    expected = [beat._asdict() for sample in samples for beat in beats(sample)]
    # A bare tick's address means nothing; the decoder leaves the last event's there.
    for previous, beat in itertools.pairwise(expected):
        if not beat["event"]:
            beat["address"] = previous["address"]
    if not expected[0]["event"]:
        expected[0]["address"] = 0
    check_stream(CommandDecoder(identity(inputs)), data, expected, stalls=(0.3, 0.4), seed=seed)


def decode(known: Identity, data: bytes, pending=0):
    """All beats and faults that ``data`` causes; requests are granted at once."""
    dut = CommandDecoder(known)
    sent, faults = [], Fault(0)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.request.ready, 1)
        ctx.set(dut.pending, pending)
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(3)

    async def watch(ctx):
        nonlocal faults
        async for _, _, valid, payload, seen in ctx.tick().sample(
            dut.o.valid, dut.o.payload, dut.faults
        ):
            faults |= Fault(seen)
            if valid:
                sent.append((payload.address, payload.event, payload.tick, payload.last))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return sent, faults


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 255), st.sampled_from([0x80, 0x01, 0x02, 5, 19])),
                max_size=60))
def test_no_bytes_break_the_networks_contract(data):
    known = identity(inputs=20, timesteps=3)
    sent, _ = decode(known, bytes(data))
    ticks, seen = 0, set()
    for address, event, tick, last in sent:
        if event:
            assert address < known.inputs
            assert address not in seen
            seen.add(address)
        if tick:
            ticks, seen = ticks + 1, set()
            assert ticks <= known.timesteps
            if last:
                ticks = 0


@pytest.mark.parametrize(("data", "fault"), [
    ([0x00], Fault.UNKNOWN),
    ([0x7F], Fault.UNKNOWN),
    ([0x80, 20], Fault.ADDRESS),
    ([0xFF, 0xFF], Fault.ADDRESS),
    ([0x80, 5, 0x80, 5], Fault.ADDRESS),
    ([0x80, 5, 0x80, 4], Fault.ADDRESS),
    ([0x80, 5, Command.TICK, 0x80, 4], Fault(0)),
    ([Command.TICK] * 3 + [Command.LAST] + [Command.TICK] * 3, Fault(0)),
    ([Command.TICK] * 4, Fault.TIMESTEPS),
])
def test_faults(data, fault):
    assert decode(identity(timesteps=4), bytes(data))[1] == fault


def test_reset_ends_the_inference_with_the_event_it_holds():
    sent, faults = decode(identity(), bytes([0x80, 3, Command.RESET, Command.RESET]))
    assert sent == [(3, 1, 1, 1), (3, 0, 1, 1)]
    assert not faults


def encode(known: Identity, script, *, words=(), stall=0.0, spilled=0) -> bytes:
    """The bytes of an encoder while ``script`` runs; asserts the rules of streams on them."""
    dut = ReplyEncoder(known)
    sent = bytearray()
    chance = np.random.default_rng(0)

    async def bench(ctx):
        ctx.set(dut.spilled, spilled)
        await script(ctx, dut)
        await ctx.tick().repeat(200)

    async def counters(ctx):
        """Answers when it likes, and for one cycle."""
        async for _, _, read, valid, address in ctx.tick().sample(
            dut.counter_read, dut.counter_valid, dut.counter_address
        ):
            answer = read and not valid and chance.random() < 0.2
            ctx.set(dut.counter_valid, int(answer))
            ctx.set(dut.counter_data, words[address] if answer else 0xDEADBEEF)

    async def take(ctx):
        held = None
        while True:
            ready = chance.random() >= stall
            ctx.set(dut.o.ready, int(ready))
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            assert held in (None, byte if valid else -1)
            held = byte if valid and not ready else None
            if valid and ready:
                sent.append(byte)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_process(counters)
    simulator.add_testbench(take, background=True)
    simulator.run()
    return bytes(sent)


async def give_result(ctx, dut, counts, winners):
    for index, (count, winner) in enumerate(zip(counts, winners, strict=True)):
        ctx.set(dut.results.payload, {"index": index, "count": count, "winner": winner,
                                      "last": index == len(counts) - 1})
        ctx.set(dut.results.valid, 1)
        await ctx.tick().until(dut.results.ready)
        ctx.set(dut.results.valid, 0)
        await ctx.tick().repeat(1 + index % 3)


async def ask(ctx, dut, what):
    ctx.set(dut.request.payload, what)
    ctx.set(dut.request.valid, 1)
    await ctx.tick().until(dut.request.ready)
    ctx.set(dut.request.valid, 0)


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize(("timesteps", "counts"), [
    (4, [0, 4, 1, 4, 2]), (255, [255, 0, 1, 2, 3]), (256, [256, 1, 255, 0, 9]),
    (70000, [70000, 65536, 1, 0, 257]),
])
def test_results_are_framed(stall, timesteps, counts):
    known = identity(timesteps=timesteps)
    winners = [int(np.argmax(counts[: n + 1])) for n in range(5)]

    async def script(ctx, dut):
        await give_result(ctx, dut, counts, winners)
        await give_result(ctx, dut, counts[::-1], [0, 0, 0, 0, 4])

    replies = list(ReplyParser(known).feed(encode(known, script, stall=stall)))
    assert replies == [Result(tuple(counts), winners[-1]), Result(tuple(counts[::-1]), 4)]


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("spilled", [0, 1])
def test_counters_are_framed(stall, spilled):
    known = identity()
    words = [n * 0x01020304 & 0xFFFFFFFF for n in range(1, known.counter_words + 1)]

    async def script(ctx, dut):
        await ask(ctx, dut, Request.COUNTERS)
        await ask(ctx, dut, Request.COUNTERS)

    data = encode(known, script, words=words, stall=stall, spilled=spilled)
    first, second = ReplyParser(known).feed(data)
    assert [*first.layers.flat, first.cycles] == words
    assert [*second.layers.flat, second.cycles] == words
    assert first.spilled == bool(spilled)


def test_identity_and_short_frames():
    known = identity()

    async def script(ctx, dut):
        for what in (Request.READY, Request.IDENTITY, Request.PONG, Request.IDENTITY):
            await ask(ctx, dut, what)

    data = encode(known, script, stall=0.3)
    body = bytes([Tag.IDENTITY]) + known.pack()
    assert data == bytes([Tag.READY]) + body + bytes([Tag.PONG]) + body


def test_faults_gather_while_a_frame_is_sent():
    async def script(ctx, dut):
        ctx.set(dut.request.payload, Request.IDENTITY)
        ctx.set(dut.request.valid, 1)
        await ctx.tick().repeat(4)
        for fault in (Fault.UNKNOWN, Fault.OVERRUN, Fault.UNKNOWN):
            ctx.set(dut.faults, fault)
            await ctx.tick()
            ctx.set(dut.faults, 0)
            await ctx.tick()
        await ctx.tick().until(dut.request.ready)
        ctx.set(dut.request.valid, 0)

    known = identity()
    data = encode(known, script)
    assert data == (bytes([Tag.IDENTITY]) + known.pack()
                    + bytes([Tag.ERROR, Fault.UNKNOWN | Fault.OVERRUN]))


def test_dropped_results_leave_no_byte_but_a_begun_frame_is_finished():
    known = identity()

    async def script(ctx, dut):
        ctx.set(dut.results.payload, {"index": 0, "count": 1, "winner": 0, "last": 0})
        ctx.set(dut.results.valid, 1)
        await ctx.tick()
        ctx.set(dut.drop_results, 1)
        await give_result(ctx, dut, [1, 2, 3, 4, 0], [0, 1, 2, 3, 3])
        await give_result(ctx, dut, [4, 4, 4, 4, 4], [0] * 5)
        ctx.set(dut.drop_results, 0)
        await ask(ctx, dut, Request.READY)

    replies = list(ReplyParser(known).feed(encode(known, script)))
    assert replies[-1] == Ready()
    assert len(replies) == 2
