from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.command_decoder import CommandDecoder
from spikewright.boards.host import encode_event, encode_inference, encode_ticks
from spikewright.boards.protocol import Command, Fault, Identity
from spikewright.gen import Folding, Layer, NetworkSpec, Neuron
from spikewright.gen.beats import beats
from spikewright.gen.coding import Input, InputKind
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.streams import SpatialLayout
from spikewright.gen.synapses import Conv2d

from ..gen.examples import two_layers
from ..gen.streams import check_stream
from .identities import identity


def image_net(kernel: int, channels: int = 2) -> NetworkSpec:
    """A convolution of 5×3 pixels whose events carry values up to 5 bits."""
    shape = (channels, 5, 3)
    return NetworkSpec(
        input_shape=shape, timesteps=4, input=Input(kind=InputKind.COUNTS, bits=5),
        layers=(Layer(name="conv", synapse=Conv2d(
            weight=np.ones((3, channels, kernel, kernel)), weight_bits=4, input_shape=shape),
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
    (image_net(2, channels=1), 1),
], ids=["1", "20", "300", "300 in 4 ways", "20 in 3 ways", "image", "image of one channel"])
def test_decoder_makes_the_beats_of_the_signals(seed, spec, ways):
    rng = np.random.default_rng(seed)
    shape = (6, 4, spec.inputs)
    present = rng.random(shape) < rng.choice([0.02, 0.3, 1.0], (6, 4, 1))
    samples = present * rng.integers(1, spec.input.most + 1, shape)
    plan = layer_plans(spec, Folding(layers=((spec.layers[0].name, LayerFolding(ways=ways)),)))[0]
    known = Identity.of(spec, shape="5e" * 32, ways=ways, score_bits=4, counter_words=9,
                        window=64, buffer=64)
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


def decode(known: Identity, data: bytes, pending=0, reset=False):
    """All beats and faults that ``data``, and then a ``reset``, causes; requests are granted at
    once."""
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
        ctx.set(dut.reset, reset)
        await ctx.tick()
        ctx.set(dut.reset, 0)
        await ctx.tick().repeat(40)

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
@given(st.lists(st.one_of(
    st.integers(0, 255), st.sampled_from([0x80, 0x20, 0x3F, 0x01, 0x85, 0x93])), max_size=60))
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
    ([0x1F], Fault.UNKNOWN),
    ([0x80 | 20], Fault.ADDRESS),
    ([0x80 | 19], Fault(0)),
    ([0x80 | 10, 0x80 | 9], Fault.ADDRESS),
    ([0x80 | 10, 0x80 | 8], Fault(0)),
    ([0x41, 0x80], Fault.ADDRESS),
    ([0x41, 0x40, 0x80 | 3], Fault.ADDRESS),
    ([0x41, 0x40, 0x40], Fault.ADDRESS),
    ([0x41, 0x20, 0x80 | 3], Fault(0)),
    ([0x80 | 5, 0x20, 0x80 | 4], Fault(0)),
    ([0x22, Command.LAST, 0x22], Fault(0)),
    ([0x22, 0x20], Fault.TIMESTEPS),
    ([0x3F], Fault.TIMESTEPS),
    ([Command.LOAD, 1, 0x00, 0x7F], Fault(0)),
    ([0x20, Command.REWIND], Fault.LOAD),
    ([0x20, Command.LOAD, 0, 0x7F], Fault.LOAD),
    ([0x20, Command.LAST, Command.REWIND, Command.LOAD, 0, 0x7F], Fault(0)),
])
def test_faults(data, fault):
    assert decode(identity(timesteps=4), bytes(data))[1] == fault


@pytest.mark.parametrize("rest", [[], [0x40], [Command.LOAD], [Command.LOAD, 9, 1]])
def test_reset_ends_the_inference_with_the_event_it_holds(rest):
    """Whatever is expected next. What is to be loaded between events is refused."""
    sent, faults = decode(identity(), bytes([0x83, *rest]), reset=True)
    assert sent == [(3, 1, 1, 1)]
    assert faults == (Fault.LOAD if len(rest) > 2 else Fault(0))


def test_reset_does_not_wait_for_a_result_that_a_command_waits_for():
    sent, _ = decode(identity(), bytes([Command.COUNTERS]), pending=1, reset=True)
    assert sent == [(0, 0, 1, 1)]


@pytest.mark.parametrize("apart", [0, 127, 128, 8191, 8192, (1 << 19) - 1])
def test_distances_have_as_many_bytes_as_they_need(apart):
    data = encode_event(apart)
    assert len(data) == 1 + (apart > 127) + (apart > 8191)
    inputs = apart + 1
    if inputs <= 1 << 15:
        sent, faults = decode(identity(inputs=inputs), data + bytes([Command.LAST]))
        assert sent == [(apart, 1, 1, 1)]
        assert not faults


@pytest.mark.parametrize("count", [0, 1, 32, 33, 70])
def test_runs_of_ticks(count):
    assert len(encode_ticks(count)) == -(-count // 32)
    sent, faults = decode(identity(timesteps=100), encode_ticks(count) + bytes([Command.LAST]))
    assert sent == [(0, 0, 1, 0)] * count + [(0, 0, 1, 1)]
    assert not faults


@pytest.mark.parametrize("count", [0, 127, 128, 255])
def test_a_load_has_as_many_bytes_as_it_says(count):
    """One more than the count; none of them is a command."""
    loaded = bytes([0xFF] * (count + 1))
    data = bytes([Command.LOAD, count]) + loaded + bytes([Command.LAST])
    assert decode(identity(), data) == ([(0, 0, 1, 1)], Fault(0))


def test_what_is_observed_is_said_in_three_bytes():
    known = replace(identity(), rows=2, units=4)
    data = bytes([Command.OBSERVE, 0x93, 0x41, 0x20, Command.LAST])
    assert decode(known, data) == ([(0, 0, 1, 1)], Fault(0))
    dut = CommandDecoder(known)

    async def bench(ctx):
        for byte in data[:4]:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        assert ctx.get(dut.chosen) == 0x204193

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("passes", [0, 1, 2, 3, 4, 255])
def test_a_batch_runs_as_often_as_it_says(passes):
    """Once with results if that is 0; and a reset forgets it, and zeroes the counters."""
    dut = CommandDecoder(identity())
    gathers = ran = clears = releases = 0

    async def bench(ctx):
        nonlocal gathers, ran, clears, releases
        ctx.set(dut.gathered, 1)
        ctx.set(dut.request.ready, 1)
        ctx.set(dut.o.ready, 1)
        for byte in (Command.GATHER, Command.RUN, passes, Command.PING):
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            taken = False
            while not taken:
                # Two cycles of every three are in the middle of a pass.
                ctx.set(dut.passed, ctx.get(dut.run) and ran % 3 == 2)
                running, gathered, taken, silent = (
                    ctx.get(port) for port in (dut.run, dut.gather, dut.i.ready, dut.silent))
                await ctx.tick()
                ran, gathers = ran + running, gathers + gathered
                if running:
                    assert silent == (passes > 0)
        assert (gathers, ran) == (1, 3 * max(1, passes))
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.reset, 1)
        for _ in range(20):
            cleared, released = ctx.get(dut.clear), ctx.get(dut.release)
            await ctx.tick()
            ctx.set(dut.reset, 0)
            clears, releases = clears + cleared, releases + released
        assert (clears, releases, ctx.get(dut.silent)) == (1, 1, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
