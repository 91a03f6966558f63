import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.boards.frames import frame
from spikewright.boards.host import Pong, Ready, ReplyParser, Result
from spikewright.boards.protocol import VERSION, BoardFaultError, Fault, Identity
from spikewright.boards.reply_encoder import ReplyEncoder, Request

from .identities import identity


def encode(known: Identity, script, *, words=(), stall=0.0, spilled=0) -> bytes:
    """Frames around the bytes of an encoder while ``script`` runs; asserts the rules of streams on
    them."""
    dut = ReplyEncoder(known)
    sent, content = [], bytearray()
    chance = np.random.default_rng(0)

    async def bench(ctx):
        ctx.set(dut.spilled, spilled)
        ctx.set(dut.number, 77)
        await script(ctx, dut)
        await ctx.tick().repeat(200)

    async def counters(ctx):
        waited = 0
        async for _, _, address, read in ctx.tick().sample(dut.counter_address, dut.counter_read):
            valid = bool(words and read and waited == 3)
            waited = waited + 1 if read and not valid else 0
            ctx.set(dut.counter_valid, valid)
            # Means something only while it is valid.
            ctx.set(dut.counter_data, words[address] if valid else 0xDEAD)

    async def take(ctx):
        held = None
        while True:
            ready = chance.random() >= stall
            ctx.set(dut.o.ready, int(ready))
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            offered = (payload.byte, payload.last)
            assert held in (None, offered if valid else -1)
            held = offered if valid and not ready else None
            if valid and ready:
                content.append(payload.byte)
            if valid and ready and payload.last:
                assert content[0] >> 4 == VERSION
                sent.append(frame(content[0] & 0xF, len(sent), b"\0\0" + content[1:]))
                content.clear()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_process(counters)
    simulator.add_testbench(take, background=True)
    simulator.run()
    assert not content
    return b"".join(sent)


async def give_result(ctx, dut, counts, winners):
    for index, (count, winner) in enumerate(zip(counts, winners, strict=True)):
        ctx.set(dut.results.payload, {"index": index, "score": count, "winner": winner,
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
@pytest.mark.parametrize(("score_bits", "counts"), [
    (4, [0, 4, -1, 4, -8]), (8, [127, 0, -128, 2, 3]), (9, [255, 1, -255, 0, 9]),
    (18, [70000, -65536, -1, 0, 257]),
])
def test_results_are_framed(stall, score_bits, counts):
    known = identity(score_bits=score_bits)
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
    assert [*first.layers.flat, *first.network] == words
    assert [*second.layers.flat, *second.network] == words
    assert first.spilled == bool(spilled)


def test_identity_and_short_frames():
    known = identity()

    async def script(ctx, dut):
        for what in (Request.READY, Request.IDENTITY, Request.PONG, Request.IDENTITY):
            await ask(ctx, dut, what)

    replies = list(ReplyParser().feed(encode(known, script, stall=0.3)))
    assert replies == [Ready(77), known, Pong(), known]


def test_faults_gather_while_a_frame_is_sent():
    async def script(ctx, dut):
        ctx.set(dut.request.payload, Request.IDENTITY)
        ctx.set(dut.request.valid, 1)
        await ctx.tick().repeat(4)
        for fault in (Fault.UNKNOWN, Fault.VERSION, Fault.UNKNOWN):
            ctx.set(dut.faults, fault)
            await ctx.tick()
            ctx.set(dut.faults, 0)
            await ctx.tick()
        await ctx.tick().until(dut.request.ready)
        ctx.set(dut.request.valid, 0)

    known = identity()
    parser, data = ReplyParser(), encode(known, script)
    replies = parser.feed(data)
    assert next(replies) == known
    with pytest.raises(BoardFaultError) as caught:
        next(replies)
    assert caught.value.faults == Fault.UNKNOWN | Fault.VERSION


def test_dropped_results_leave_no_byte_but_a_begun_frame_is_finished():
    known = identity()

    async def script(ctx, dut):
        ctx.set(dut.results.payload, {"index": 0, "score": 1, "winner": 0, "last": 0})
        ctx.set(dut.results.valid, 1)
        await ctx.tick()
        ctx.set(dut.drop_results, 1)
        await give_result(ctx, dut, [1, 2, 3, 4, 0], [0, 1, 2, 3, 3])
        await give_result(ctx, dut, [4, 4, 4, 4, 4], [0] * 5)
        ctx.set(dut.drop_results, 0)
        await ask(ctx, dut, Request.READY)

    replies = list(ReplyParser(known).feed(encode(known, script)))
    assert replies[-1] == Ready(77)
    assert len(replies) == 2
