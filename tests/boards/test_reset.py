"""The board's reset, whatever it is in the middle of."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from spikewright.boards.host import CounterWords, ReplyParser, Result, encode_inference
from spikewright.boards.protocol import Command
from spikewright.boards.registry import find_board
from spikewright.boards.top import BoardTop, SerialAccelerator
from spikewright.gen import Folding, simulate
from spikewright.gen.rtl.network import Network

from ..gen.examples import two_layers
from ..gen.resets import kept
from .serial import framed, receive_byte, send_bytes

DIVISOR = 4
SPEC = two_layers(inputs=6, hidden=4, classes=3, timesteps=3)
FOLDING = Folding.lanes(2, 3, spec=SPEC)
SPIKES = np.random.default_rng(2).random((2, 3, 6)) < 0.4


def inference(sample) -> bytes:
    return bytes([Command.CLEAR]) + encode_inference(SPEC, sample) + bytes([Command.COUNTERS])


@pytest.mark.parametrize(("link", "lines"), [("uart", "UartReceiver"), ("spi", "SpiPeripheral")])
def test_a_reset_gives_every_register_around_the_network_its_first_value(link, lines):
    """But for those that bring the lines, and the loop's lock, into the clock's domain."""
    board = find_board("icebreaker").over(link)
    top = BoardTop(board, SPEC, FOLDING, watchdog=True)
    platform = board.make_platform()
    assert kept(top, platform) == {
        **kept(Network(SPEC, FOLDING, watchdog=True), platform),
        "Clock": {"stageN"}, lines: {"stageN"},
    }


@pytest.mark.parametrize("bits", [37, 114, 333])
def test_bytes_events_and_replies_are_forgotten(bits):
    """So many bits into a conversation: within a byte, an event, an inference, a reply. Memories
    take two empty inferences, as the network asks for."""
    trace = simulate(SPEC, SPIKES[1:], folding=FOLDING)
    dut = SerialAccelerator(SPEC, FOLDING, divisor=DIVISOR, window=32, buffer=32)
    reset, replies = Signal(), []
    listening = False

    async def host(ctx):
        nonlocal listening
        whole, part = divmod(bits, 10)
        data = framed(inference(SPIKES[0]) * 3)
        await send_bytes(ctx, dut.rx, data[:whole], DIVISOR)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(part * DIVISOR)
        ctx.set(dut.rx, 1)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        listening = True
        again = bytes([Command.LAST] * 2) + inference(SPIKES[1])
        await send_bytes(ctx, dut.rx, framed(again), DIVISOR)
        for _ in range(8_000):
            if len(replies) == 4:
                return
            await ctx.tick()
        raise AssertionError(f"4 replies expected, got {replies}")

    async def listen(ctx):
        parser = ReplyParser(dut.identity)
        while not listening:
            await ctx.tick()
        while True:
            replies.extend(parser.feed(bytes([await receive_byte(ctx, dut.tx, DIVISOR)])))

    simulator = Simulator(ResetInserter(reset)(dut))
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    *_, result, words = replies
    assert isinstance(result, Result)
    assert isinstance(words, CounterWords)
    assert (result.scores, result.winner) == (tuple(trace.scores[0].tolist()), trace.prediction[0])
    assert words.network[0] == trace.cycles[0]
