"""The accelerator as its user meets it: through the two wires."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.boards.host import (
    CounterWords,
    FrameCounter,
    Pong,
    Ready,
    ReplyParser,
    Result,
    encode_inference,
    encode_load,
)
from spikewright.boards.loads import board_image
from spikewright.boards.protocol import BoardFaultError, Command, Fault, Identity, short
from spikewright.boards.top import SerialAccelerator
from spikewright.gen import Folding, Layer, NetworkSpec, Readout, ReadoutKind, simulate
from spikewright.gen.arithmetic import signed_bits
from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.training import shape_digest

from ..gen.examples import two_layers
from ..gen.trainings import another, loadable
from .serial import framed, receive_byte, send_bytes

DIVISOR = 4
SPEC = two_layers(inputs=20, hidden=12, classes=4, timesteps=5)
FOLDING = Folding.lanes(4, 4, spec=SPEC)
RESET = FrameCounter.reset
SPIKES = np.random.default_rng(2).random((4, 5, 20)) < 0.3


def converse(turns, *, spec=SPEC, folding=FOLDING, window=64, buffer=128):
    """Sends commands on ``rx`` and parses ``tx``, turn by turn: (commands, replies to wait for),
    in place of commands RESET or a function of the :class:`FrameCounter` for bytes on the wire, in
    place of a number the type of a reply.

    Returns all replies; a fault of the board stands among them as :class:`Fault`.
    """
    dut = SerialAccelerator(spec, folding, divisor=DIVISOR, window=window, buffer=buffer)
    parser, counter = ReplyParser(dut.identity), FrameCounter()
    replies = []

    async def host(ctx):
        expected = 0
        for data, answers in turns:
            first = len(replies)
            expected = expected + answers if isinstance(answers, int) else 0
            wire = data(counter) if callable(data) else framed(data, counter)
            await send_bytes(ctx, dut.rx, wire, DIVISOR)
            waited = 0
            while len(replies) < expected or not (isinstance(answers, int) or any(
                    isinstance(reply, answers) for reply in replies[first:])):
                await ctx.tick()
                waited += 1
                assert waited < 20_000, f"{expected} replies expected, got {replies}"
        await ctx.tick().repeat(40 * DIVISOR)

    async def listen(ctx):
        while True:
            byte = bytes([await receive_byte(ctx, dut.tx, DIVISOR)])
            try:
                replies.extend(parser.feed(byte))
            except BoardFaultError as error:
                replies.append(error.faults)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    return replies


def inference(sample) -> bytes:
    return bytes([Command.CLEAR]) + encode_inference(SPEC, sample) + bytes([Command.COUNTERS])


def test_results_and_all_counters_equal_the_simulated_network():
    """Cycle counters too: what a board reports is what the accelerator itself took."""
    golden = simulate(SPEC, SPIKES, engine="golden")
    trace = simulate(SPEC, SPIKES, folding=FOLDING)
    assert trace.cycles is not None
    replies = converse([(inference(sample), 2) for sample in SPIKES])
    results, counters = replies[::2], replies[1::2]
    assert results == [
        Result(tuple(counts), winner)
        for counts, winner in zip(golden.scores.tolist(), golden.prediction.tolist(), strict=True)
    ]
    for sample, words in enumerate(counters):
        assert isinstance(words, CounterWords)
        assert not words.spilled
        for name, value in zip(("cycles", "first_spike", "decision"), words.network, strict=True):
            assert value == getattr(trace, name)[sample]
        for column, counter in enumerate(COUNTERS):
            np.testing.assert_array_equal(
                words.layers[:, column], trace.counters[counter.name][sample], counter.name
            )


def test_an_early_exit_answers_the_same_and_the_next_inference_follows():
    """Results leave before their inferences have been played."""
    spec = replace(SPEC, readout=Readout(kind=ReadoutKind.FIRST_SPIKE, early_exit=True))
    spikes = np.ones((2, 5, 20), bool)
    trace = simulate(spec, spikes, folding=FOLDING)
    golden = simulate(spec, spikes, engine="golden")
    assert trace.timesteps.max() < 5
    replies = converse([(inference(sample), 2) for sample in spikes], spec=spec)
    for sample, (result, words) in enumerate(zip(replies[::2], replies[1::2], strict=True)):
        assert result == Result(tuple(golden.scores[sample].tolist()), golden.prediction[sample])
        assert words.network[0] == trace.cycles[sample]
        for column, counter in enumerate(COUNTERS):
            np.testing.assert_array_equal(
                words.layers[:, column], trace.counters[counter.name][sample], counter.name
            )


def test_inferences_may_be_sent_without_waiting():
    golden = simulate(SPEC, SPIKES, engine="golden")
    together = b"".join(encode_inference(SPEC, sample) for sample in SPIKES)
    replies = converse([(together, len(SPIKES))])
    assert [reply.scores for reply in replies] == [tuple(c) for c in golden.scores.tolist()]


def test_an_inference_longer_than_the_buffer_has_the_same_result():
    golden = simulate(SPEC, SPIKES, engine="golden")
    replies = converse([(inference(SPIKES[0]), 2)], buffer=8)
    assert replies[0] == Result(tuple(golden.scores[0].tolist()), golden.prediction[0])
    assert replies[1].spilled
    functional = [n for n, counter in enumerate(COUNTERS) if counter.functional]
    for n in functional:
        np.testing.assert_array_equal(
            replies[1].layers[:, n], golden.counters[COUNTERS[n].name][0]
        )


def test_board_tells_who_it_is():
    (identity,) = converse([(bytes([Command.IDENTIFY]), 1)])
    assert identity == Identity.of(
        SPEC, shape=shape_digest(SPEC, FOLDING), ways=1, score_bits=signed_bits(*SPEC.score_range),
        counter_words=2 * len(COUNTERS) + len(NETWORK_COUNTERS), window=60, buffer=128,
    )
    identity.expect(SPEC)


def test_ping_is_answered_in_turn():
    data = bytes([Command.PING]) + encode_inference(SPEC, SPIKES[0])
    replies = converse([(data, 2)])
    assert replies[0] == Pong()
    assert isinstance(replies[1], Result)


@pytest.mark.parametrize("cut", [1, 2, 5, 8])
def test_reset_in_the_middle_of_an_inference(cut):
    golden = simulate(SPEC, SPIKES[1:2], engine="golden")
    broken = encode_inference(SPEC, SPIKES[0])[:cut]
    ready, result, words = converse([(broken, 0), (RESET, 1), (inference(SPIKES[1]), 2)])
    assert ready == Ready(1)
    assert result == Result(tuple(golden.scores[0].tolist()), golden.prediction[0])
    assert words.cycles == simulate(SPEC, SPIKES[1:2], folding=FOLDING).cycles[0]


def test_a_pending_result_is_dropped_by_reset():
    many = encode_inference(SPEC, np.zeros_like(SPIKES[0])) * 20
    replies = converse([(many, 0), (RESET, Ready), (bytes([Command.COUNTERS]), CounterWords)])
    assert [type(reply) for reply in replies if not isinstance(reply, Result)] == [
        Ready, CounterWords
    ]
    assert len(replies) < 15
    assert replies[-1].cycles == 0
    assert not replies[-1].layers.any()


def test_too_many_bytes_are_reported_and_reset_helps():
    """COUNTERS holds the decoder up, so that the window of 8 bytes overflows."""
    def flood(counter):
        return b"".join(counter.commands(bytes([Command.COUNTERS] * 3)) for _ in range(9))

    replies = converse([(flood, Fault), (RESET, Ready)] + [
        (bytes([byte]), 0) for byte in encode_inference(SPEC, SPIKES[0])
    ] + [(bytes([Command.COUNTERS]), CounterWords)], window=8)
    assert any(isinstance(reply, Fault) and Fault.OVERRUN in reply for reply in replies)
    golden = simulate(SPEC, SPIKES[:1], engine="golden")
    assert replies[-2] == Result(tuple(golden.scores[0].tolist()), golden.prediction[0])


def test_unknown_bytes_are_reported_and_harmless():
    golden = simulate(SPEC, SPIKES[:1], engine="golden")
    replies = converse([(b"\x1e" + encode_inference(SPEC, SPIKES[0]), 2)])
    assert replies == [Fault.UNKNOWN, Result(tuple(golden.scores[0].tolist()),
                                             golden.prediction[0])]


@pytest.mark.parametrize("place", [0, 1, 5, 20, -2])
def test_a_damaged_inference_is_not_answered(place):
    """Its frame is refused; RESET, and the next one is right."""
    golden = simulate(SPEC, SPIKES[1:2], engine="golden")

    def damaged(counter):
        wire = bytearray(framed(encode_inference(SPEC, SPIKES[0]), counter, most=60))
        wire[place] ^= 0x10
        return bytes(wire)

    replies = converse([(damaged, 1), (RESET, 1), (encode_inference(SPEC, SPIKES[1]), 1)])
    assert replies == [Fault.DAMAGED, Ready(1), Result(tuple(golden.scores[0].tolist()),
                                                       golden.prediction[0])]


def test_a_byte_without_stop_bit_is_reported():
    dut = SerialAccelerator(SPEC, FOLDING, divisor=DIVISOR, window=8, buffer=8)
    got = []

    async def bench(ctx):
        await send_bytes(ctx, dut.rx, [0x55], DIVISOR, stop=0)

    async def listen(ctx):
        while not got or got[-1]:
            got.append(await receive_byte(ctx, dut.tx, DIVISOR))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(listen)
    simulator.run()
    with pytest.raises(BoardFaultError, match="baud rate"):
        list(ReplyParser().feed(bytes(got)))


@pytest.mark.parametrize(("storage", "ways"), [(Storage.SPRAM, 1), (Storage.LOADABLE, 2)])
def test_loaded_weights_are_the_ones_that_count(storage, ways):
    """A board built for one network computes another with the same shape, once it is loaded."""
    other = two_layers(inputs=20, hidden=12, classes=4, timesteps=5, seed=4)
    built = NetworkSpec(
        input_shape=(20,), timesteps=5, layers=tuple(
            Layer(name=layer.name, synapse=mine.synapse, neuron=layer.neuron)
            for layer, mine in zip(other.layers, SPEC.layers, strict=True)))
    folding = Folding.each(
        LayerFolding(lanes=4, ways=ways, storage=storage),
        LayerFolding(lanes=4, storage=Storage.LOADABLE), spec=built)
    golden, before = (simulate(spec, SPIKES[:1], engine="golden").scores[0].tolist()
                      for spec in (other, built))
    assert golden != before
    inference = encode_inference(other, SPIKES[0], ways)
    image = board_image(built, folding, other)
    turns = [(piece + bytes([Command.PING]), 1) for piece in encode_load(image)]
    turns.append((inference, 1))
    if storage is Storage.LOADABLE:
        turns = [(inference, 1), *turns]
    replies = converse(turns, spec=built, folding=folding, window=512)
    results = [reply.scores for reply in replies if isinstance(reply, Result)]
    assert results == ([tuple(before)] if storage is Storage.LOADABLE else []) + [tuple(golden)]
    assert set(replies) - {Pong()} == {reply for reply in replies if isinstance(reply, Result)}


TINY = two_layers(inputs=4, hidden=2, classes=2, timesteps=2)


def test_a_board_says_whose_training_it_carries():
    """Nobody's while it is loaded, wherever that is broken off; a reset changes nothing of it."""
    folding = loadable(Folding(), TINY)
    other = another(TINY, folding)
    image = board_image(TINY, folding, other)
    *pieces, cut = encode_load(image, 20)
    identify, spikes = (bytes([Command.IDENTIFY]), Identity), np.ones((1, 2, 4), bool)
    sample = encode_inference(TINY, spikes[0])
    replies = converse([
        identify, (sample, Result),
        # All but the last byte; then a reset.
        *((piece, 0) for piece in pieces),
        (bytes([Command.LOAD, len(cut) - 4]) + cut[2:-1], 0), identify, (RESET, Ready), identify,
        (bytes([Command.LOAD, 0]) + image[-1:], 0), identify, (sample, Result),
        # One too many, and in the midst of an inference.
        (bytes([Command.LOAD, 0, 0xAA]), Fault), (RESET, Ready), identify,
        (sample[:-1] + bytes([Command.REWIND]), Fault), (RESET, Ready), identify, (sample, Result),
    ], spec=TINY, folding=folding, window=128)
    said = [reply for reply in replies if not isinstance(reply, Ready)]
    first, second = (simulate(spec, spikes, engine="golden") for spec in (TINY, other))
    before, after = (Result(tuple(each.scores[0].tolist()), each.prediction[0])
                     for each in (first, second))
    mine, theirs, nobody = short(TINY.digest), short(other.digest), bytes(8)
    assert [reply.digest if isinstance(reply, Identity) else reply for reply in said] == [
        mine, before, nobody, nobody, theirs, after, Fault.LOAD, theirs, Fault.LOAD, theirs, after]
    known = [reply for reply in said if isinstance(reply, Identity)]
    assert {reply.shape for reply in known} == {short(shape_digest(TINY, folding))}
    assert known[0].load_bytes == len(image)


def test_a_board_with_large_memories_carries_nobody_until_it_is_loaded():
    folding = Folding(default=LayerFolding(storage=Storage.SPRAM))
    identify = bytes([Command.IDENTIFY])
    image = b"".join(encode_load(board_image(TINY, folding, TINY)))
    empty, full = converse([(identify, 1), (image + identify, 1)], spec=TINY, folding=folding)
    assert empty.digest == bytes(8)
    assert full.carries(TINY)


def test_a_board_that_loads_nothing_says_so():
    replies = converse([(bytes([Command.REWIND, Command.LOAD, 0, 1]), Fault), (RESET, Ready),
                        (bytes([Command.IDENTIFY]), Identity)], spec=TINY, folding=Folding())
    assert replies[0] == Fault.LOAD
    assert (replies[-1].load_bytes, replies[-1].carries(TINY)) == (0, True)
