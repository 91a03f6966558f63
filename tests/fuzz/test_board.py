"""The board's end of the wire: after any bytes at all, RESET leads back to where all works."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.frames import frame
from spikewright.boards.host import FrameCounter, Ready, ReplyParser, Result, encode_inference
from spikewright.boards.protocol import Command, Identity, LinkError
from spikewright.boards.top import SerialAccelerator
from spikewright.gen import Folding, simulate
from spikewright.gen.coding import Input, InputKind

from ..gen.examples import exiting, two_layers
from .law import COUNTS, budget
from .traces import traces

#: Most cycles in which nothing more is heard of a board that has something to say.
PATIENCE = 3_000


class Receiver(wiring.Component):
    """In place of a serial line: whoever simulates puts bytes on ``o``."""

    def __init__(self):
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8)), "framing_error": Out(1),
                          "overrun": Out(1)})

    def elaborate(self, platform):
        return Module()


class Transmitter(wiring.Component):
    """Likewise; bytes are read from ``i``."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform):
        return Module()


def converse(spec, turns, window=64, buffer=32):
    """Bytes to the board, turn by turn, each after the answers to the last; the answers, a fault
    among them as an error."""
    dut = SerialAccelerator(spec, Folding.lanes(4, 4, spec=spec), divisor=4, window=window,
                            buffer=buffer)
    receiver, transmitter = dut.carrier._receiver, dut.carrier._transmitter = (
        Receiver(), Transmitter())
    parser, answers = ReplyParser(dut.identity), []
    quiet = 0

    async def host(ctx):
        nonlocal quiet
        for turn in turns:
            for byte in turn:
                ctx.set(receiver.o.payload, byte)
                ctx.set(receiver.o.valid, 1)
                waited = 0
                while True:
                    *_, taken = await ctx.tick().sample(receiver.o.ready)
                    if taken:
                        break
                    waited += 1
                    assert waited < PATIENCE, "the board takes no more bytes"
                ctx.set(receiver.o.valid, 0)
            quiet = 0
            while quiet < PATIENCE // 4:
                await ctx.tick()
                quiet += 1
            answers.append([])

    async def listen(ctx):
        nonlocal quiet
        ctx.set(transmitter.i.ready, 1)
        async for _clk, _rst, valid, byte in ctx.tick().sample(
                transmitter.i.valid, transmitter.i.payload):
            if valid:
                quiet = 0
                try:
                    answers[-1].extend(parser.feed(bytes([byte])))
                except LinkError as error:
                    answers[-1].append(error)

    answers.append([])
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    return dut.identity, answers


SPECS = {
    "events": two_layers(inputs=20, hidden=8, classes=4, timesteps=4),
    "values": two_layers(inputs=20, hidden=8, classes=4, timesteps=4,
                         input=Input(kind=InputKind.COUNTS, bits=3)),
    "early exit": exiting(two_layers(inputs=20, hidden=8, classes=4, timesteps=4)),
}


@st.composite
def noise(draw, spec) -> bytes:
    """Anything, frames and pieces of frames, and in them anything as well; commands and pieces of
    inferences more often."""
    whole = encode_inference(spec, traces(spec, 1, draw(st.integers(0, 99)))[0])
    bodies = draw(st.lists(st.one_of(
        st.binary(max_size=6),
        st.sampled_from([bytes([command]) for command in Command]),
        st.integers(0, len(whole)).map(lambda end: whole[:end][:40]),
        st.sampled_from([b"\x07\xff", b"\x07", b"\x40", b"\x40\x85", b"\x01\x01\x01"]),
        # Batches: gathered and run, once, often, too long, or in pieces.
        st.sampled_from([b"\x09\xff", b"\x09\x00", b"\x09", b"\x08\x01\x01\x09\x02",
                         b"\x08\x3f\x01\x3f\x01"]),
        st.integers(0, len(whole)).map(lambda end: b"\x08" + whole[:end][:36] + b"\x01\x09\x03"),
    ), min_size=4, max_size=10))
    counter, out = FrameCounter(), b""
    for body in bodies:
        made = counter.commands(body)
        out += draw(st.one_of(
            st.just(made), st.just(made), st.just(body), st.just(made[:-1]), st.just(made + made),
            st.builds(frame, st.integers(0, 15), st.integers(0, 3), st.just(body)),
            st.integers(0, len(made)).map(lambda end, made=made: made[:end]),
        ))
    return out


@pytest.mark.parametrize("kind", SPECS)
@budget(1)
@given(data=st.data(), seed=st.integers(0, 1 << 16))
def test_any_bytes_and_then_a_sample(kind, data, seed):
    """Whatever came, each frame of the answers is one; then RESET is answered, the board says who
    it is, and the next sample gets its own result and no other."""
    spec = SPECS[kind]
    sample = traces(spec, 5, seed)[data.draw(st.integers(0, 4))]
    golden = simulate(spec, sample[None], engine="golden")
    again, command = FrameCounter(), encode_inference(spec, sample)
    identity, (_, back, answers, _) = converse(spec, [
        data.draw(noise(spec)), again.reset(),
        again.commands(bytes([Command.IDENTIFY])) + b"".join(
            again.commands(command[at : at + 8]) for at in range(0, len(command), 8))])
    assert back[-1] == Ready(0)
    assert answers == [identity, Result(tuple(golden.scores[0].tolist()),
                                        int(golden.prediction[0]))]
    assert isinstance(identity, Identity)
    COUNTS["conversations"] += 1
