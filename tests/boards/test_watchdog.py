"""A board whose network has come to a standstill says so, and works again."""

import numpy as np
from amaranth.sim import Simulator

from spikewright.boards.host import FrameCounter, ReplyParser, Result, encode_inference
from spikewright.boards.protocol import BoardFaultError, Fault
from spikewright.boards.top import SerialAccelerator
from spikewright.gen import Folding, simulate

from ..gen.examples import two_layers
from .serial import framed, receive_byte, send_bytes

DIVISOR = 4
SPEC = two_layers(inputs=9, hidden=6, classes=3, timesteps=4)
SPIKES = np.random.default_rng(2).random((3, 4, 9)) < 0.5


def test_a_wedged_network_is_reported_reset_and_right_again():
    """Its router believes that two timesteps are under way, so no sweep begins any more; membranes
    and sums are then those of half an inference."""
    dut = SerialAccelerator(SPEC, Folding.lanes(2, 1, spec=SPEC), divisor=DIVISOR, window=64,
                            buffer=128, watchdog=True)
    parser, counter, replies, messages = ReplyParser(dut.identity), FrameCounter(), [], []

    async def host(ctx):
        async def ask(data: bytes, count: int):
            await send_bytes(ctx, dut.rx, data, DIVISOR)
            for _ in range(30_000):
                if len(replies) >= count:
                    return
                await ctx.tick()
            raise AssertionError(f"{count} replies expected, got {replies}")

        await ask(framed(encode_inference(SPEC, SPIKES[0]), counter), 1)
        under_way = dut.network.routers[0].under_way
        await send_bytes(ctx, dut.rx, framed(encode_inference(SPEC, SPIKES[1]), counter), DIVISOR)
        # Between the first two sweeps: the layer behind has taken the first one's spikes.
        await ctx.tick().until(dut.network.layers[0].begin)
        while ctx.get(under_way):
            await ctx.tick()
        ctx.set(under_way, 2)
        await ask(b"", 2)
        await ask(counter.reset(), 3)
        for sample in SPIKES:
            await ask(framed(encode_inference(SPEC, sample), counter), len(replies) + 1)

    async def listen(ctx):
        while True:
            byte = bytes([await receive_byte(ctx, dut.tx, DIVISOR)])
            try:
                replies.extend(parser.feed(byte))
            except BoardFaultError as error:
                messages.append(str(error))
                replies.append(error.faults)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    golden = simulate(SPEC, SPIKES, engine="golden")
    right = [Result(tuple(scores), winner) for scores, winner in
             zip(golden.scores.tolist(), golden.prediction.tolist(), strict=True)]
    assert replies[:2] == [right[0], Fault.WEDGED]
    assert "standstill and was reset" in messages[0]
    assert replies[-3:] == right
