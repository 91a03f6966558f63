import pytest
from amaranth.sim import Simulator

from spikewright.boards.buffer import InferenceBuffer
from spikewright.gen.rtl.streams import EventLayout

from ..gen.streams import check_stream

SHAPE = EventLayout(3)


def beat(address=0, event=1, tick=0, last=0):
    return {"slots": [{"address": address, "event": event}], "tick": tick, "last": last}


def inference(length: int) -> list[dict]:
    return [*(beat(n % 7) for n in range(length - 1)), beat(tick=1, last=1)]


class AlwaysDone(InferenceBuffer):
    """Behind it every result leaves at once."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.done.eq(1)
        return m


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.5, 0.2), (0.2, 0.7)])
def test_beats_pass_in_order(seed, stalls):
    """Inferences shorter than the buffer, exactly as long, and longer."""
    beats = [b for length in (1, 5, 8, 9, 10, 30, 1, 1, 1) for b in inference(length)]
    check_stream(AlwaysDone(SHAPE, 8), beats, beats, stalls=stalls, seed=seed)


def play(script):
    dut = InferenceBuffer(SHAPE, 8)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        await script(ctx, dut)

    simulator.add_testbench(bench)
    simulator.run()


async def put(ctx, dut, beats):
    for payload in beats:
        ctx.set(dut.i.payload, payload)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)


async def cycles_to_take(ctx, dut, count):
    """Cycles from the first of ``count`` beats to the last, both included."""
    ctx.set(dut.o.ready, 1)
    cycles = taken = 0
    while taken < count:
        (valid,) = (await ctx.tick().sample(dut.o.valid))[2:]
        taken += valid
        cycles += taken > 0
    ctx.set(dut.o.ready, 0)
    return cycles


def test_nothing_leaves_before_an_inference_is_complete():
    async def script(ctx, dut):
        beats = inference(6)
        await put(ctx, dut, beats[:-1])
        await ctx.tick().repeat(20)
        assert not ctx.get(dut.o.valid)
        assert not ctx.get(dut.pending)
        await put(ctx, dut, beats[-1:])
        await ctx.tick().repeat(2)
        assert ctx.get(dut.o.valid)
        assert await cycles_to_take(ctx, dut, 6) == 6
        assert not ctx.get(dut.spilled)

    play(script)


def test_the_next_inference_waits_for_the_result():
    async def script(ctx, dut):
        await put(ctx, dut, [*inference(3), *inference(2)])
        await cycles_to_take(ctx, dut, 3)
        ctx.set(dut.o.ready, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)
            assert ctx.get(dut.pending)
        ctx.set(dut.done, 1)
        await ctx.tick()
        ctx.set(dut.done, 0)
        assert await cycles_to_take(ctx, dut, 2) == 2
        assert ctx.get(dut.pending)
        ctx.set(dut.done, 1)
        await ctx.tick()
        assert not ctx.get(dut.pending)

    play(script)


def test_a_long_inference_begins_when_the_buffer_is_full():
    async def script(ctx, dut):
        beats = inference(20)
        await put(ctx, dut, beats[:9])
        await ctx.tick().repeat(3)
        assert ctx.get(dut.spilled)
        assert ctx.get(dut.o.valid)
        assert not ctx.get(dut.pending)
        await cycles_to_take(ctx, dut, 9)
        await put(ctx, dut, beats[9:17])
        await cycles_to_take(ctx, dut, 8)
        await put(ctx, dut, beats[17:])
        assert ctx.get(dut.pending)
        await cycles_to_take(ctx, dut, 3)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        assert not ctx.get(dut.spilled)

    play(script)
