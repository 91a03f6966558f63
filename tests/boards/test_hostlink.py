import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.hostlink import CommandDecoder, ReplyEncoder, Request
from spikewright.boards.protocol import (
    VERSION,
    Command,
    Fault,
    Identity,
    Ready,
    ReplyParser,
    Result,
    Tag,
    encode_inference,
)
from spikewright.gen import Folding, Layer, NetworkSpec, Neuron
from spikewright.gen.beats import beats
from spikewright.gen.coding import Input, InputKind
from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.streams import SpatialLayout
from spikewright.gen.synapses import Conv2d

from ..gen.examples import two_layers
from ..gen.streams import check_stream

WORDS = 2 * len(COUNTERS) + len(NETWORK_COUNTERS)


def identity(inputs=20, ways=1, value_bits=0, classes=5, score_bits=4, timesteps=4,
             counter_words=WORDS) -> Identity:
    return Identity(
        version=VERSION, digest=bytes(8), inputs=inputs, ways=ways, value_bits=value_bits,
        classes=classes, score_bits=score_bits, timesteps=timesteps, layers=2,
        counter_words=counter_words, window=64, buffer=64,
    )


def image_net(kernel: int) -> NetworkSpec:
    """A convolution of 2×5×3 pixels whose events carry values up to 5 bits."""
    return NetworkSpec(
        input_shape=(2, 5, 3), timesteps=4, input=Input(kind=InputKind.COUNTS, bits=5),
        layers=(Layer(name="conv", synapse=Conv2d(
            weight=np.ones((3, 2, kernel, kernel)), weight_bits=4, input_shape=(2, 5, 3)),
            neuron=Neuron(decay=15, decay_fraction=4, threshold=40)),),
    )


def with_empty_fields(beats, value_bits):
    """``beats`` as the decoder gives them: a slot without event keeps what it held."""
    held, empty = {}, {"address": 0, **({"value": 0} if value_bits else {})}
    for beat in beats:
        for way, slot in enumerate(beat["slots"]):
            held[way] = {**held.get(way, empty), **slot}
        yield {**beat, "slots": [dict(held[way]) for way in sorted(held)]}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("spec", "ways"), [
    (two_layers(inputs=1), 1), (two_layers(inputs=20), 1), (two_layers(inputs=300), 1),
    (two_layers(inputs=300), 4), (two_layers(inputs=20), 3), (image_net(2), 1),
], ids=["1", "20", "300", "300 in 4 ways", "20 in 3 ways", "image"])
def test_decoder_makes_the_beats_of_the_signals(seed, spec, ways):
    rng = np.random.default_rng(seed)
    shape = (6, 4, spec.inputs)
    present = rng.random(shape) < rng.choice([0.02, 0.3, 1.0], (6, 4, 1))
    samples = present * rng.integers(1, spec.input.most + 1, shape)
    plan = layer_plans(spec, Folding(layers=((spec.layers[0].name, LayerFolding(ways=ways)),)))[0]
    known = Identity.of(spec, ways=ways, score_bits=4, counter_words=9, window=64, buffer=64)
    data = b"".join(encode_inference(spec, sample, ways) for sample in samples)
    expected = list(with_empty_fields(
        (beat for sample in samples for beat in beats(plan, sample)), known.value_bits))
    dut = CommandDecoder(known, plan.source.shape)
    if plan.source.shape is not None:
        layout = SpatialLayout(*plan.source.shape)
        for beat in expected:
            for slot in beat["slots"]:
                if slot["address"] == 0:
                    slot["address"] = dict.fromkeys(layout.members, 0)
    check_stream(dut, data, expected, stalls=(0.3, 0.4), seed=seed)


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
                slot = payload.slots[0]
                sent.append((slot.address, slot.event, payload.tick, payload.last))

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
    ([Command.LOAD, 1, 0x00, 0x7F], Fault(0)),
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
        ctx.set(dut.results.payload, {"index": 0, "score": 1, "winner": 0, "last": 0})
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
