"""What every stream component must keep, whatever its neighbours do."""

import random

from amaranth.lib import data
from amaranth.sim import Simulator


def _plain(payload):
    """A payload as the integer, or the dictionaries and lists of integers, that tests write."""
    if isinstance(payload, int):
        return payload
    shape = payload.shape()
    if isinstance(shape, data.ArrayLayout):
        return [_plain(payload[n]) for n in range(shape.length)]
    return {name: _plain(payload[name]) for name in shape.members}


def check_stream(dut, sent, expected, *, i="i", o="o", stalls=(0.0, 0.0), seed=0, patience=2000):
    """Sends payloads through ``dut`` and expects payloads, with random pauses on both sides.

    Asserts the rules of Amaranth's streams on the output: once valid, it stays valid and its
    payload stays the same until it is taken. Asserts that nothing comes after ``expected``.
    Returns the number of cycles from the first transfer in to the last one out.

    ``stalls`` are the probabilities that the source, and the sink, pause in a cycle.
    """
    source, sink = getattr(dut, i), getattr(dut, o)
    chance = random.Random(seed)
    received = []
    span = {}
    cycle = 0

    async def clock(ctx):
        nonlocal cycle
        async for _ in ctx.tick():
            cycle += 1

    async def drive(ctx):
        for payload in sent:
            while chance.random() < stalls[0]:
                await ctx.tick()
            ctx.set(source.payload, payload)
            ctx.set(source.valid, 1)
            await ctx.tick().until(source.ready)
            span.setdefault("begin", cycle)
            ctx.set(source.valid, 0)

    async def take(ctx):
        held = None
        idle = 0
        while len(received) < len(expected) or idle < 50:
            ready = chance.random() >= stalls[1]
            ctx.set(sink.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(sink.valid, sink.payload)
            value = _plain(payload) if valid else None
            if held is not None:
                assert value == held, f"offered {held}, then {value} before it was taken"
            held = value if valid and not ready else None
            if valid and ready:
                received.append(value)
                span["end"] = cycle
                idle = 0
            idle += 1
            assert idle < patience, f"stuck after {len(received)} of {len(expected)} payloads"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(drive)
    simulator.add_testbench(take)
    simulator.run()
    assert received == list(expected)
    return span["end"] - span["begin"] + 1
