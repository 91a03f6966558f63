import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.frames import frame
from spikewright.boards.host import (
    CounterWords,
    Pong,
    Ready,
    ReplyParser,
    Result,
    encode_event,
    encode_inference,
    encode_load,
    split,
)
from spikewright.boards.protocol import (
    BoardFaultError,
    Command,
    DamagedFrameError,
    Fault,
    Identity,
    LostReplyError,
    Tag,
    UnexpectedReplyError,
    WrongBitstreamError,
)

from ..gen.examples import one_layer, two_layers
from .identities import WORDS

SPEC = two_layers(inputs=300, classes=5, timesteps=8)
IDENTITY = Identity.of(SPEC, shape="5e" * 32, ways=1, score_bits=5, counter_words=WORDS,
                       window=512, buffer=1024)


def decoded(data: bytes, inputs: int) -> np.ndarray:
    """The spikes that ``data`` means with one way, read by the tables of docs/protocol.md."""
    steps, step = [], np.zeros(inputs, np.bool_)
    far, before = 0, -1
    queue = list(data)
    while queue:
        byte = queue.pop(0)
        if byte >= 0x80:
            before += 1 + (far << 7 | byte & 0x7F)
            step[before] = True
            far = 0
        elif byte >= 0x40:
            far = far << 6 | byte & 0x3F
        else:
            assert (byte == 0x01) == (not queue)
            for _ in range(1 if byte == 0x01 else (byte & 0x1F) + 1):
                steps.append(step)
                step, before = np.zeros(inputs, np.bool_), -1
    return np.array(steps)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1 << 32), st.integers(1, 70), st.integers(1, 300),
       st.sampled_from([0.0, 0.002, 0.2]))
def test_encoding_keeps_every_spike(seed, timesteps, inputs, density):
    spikes = np.random.default_rng(seed).random((timesteps, inputs)) < density
    data = encode_inference(one_layer(inputs, 1), spikes)
    assert len(data) <= 2 * spikes.sum() + timesteps
    np.testing.assert_array_equal(decoded(data, inputs), spikes)


def frames() -> tuple[bytes, list]:
    words = np.arange(WORDS, dtype="<u4") * 0x01010101
    contents = [
        (Tag.READY, b"\x09"), (Tag.IDENTITY, IDENTITY.pack()),
        (Tag.RESULT, bytes([1, 2, 3, 4, 0xFF, 3])), (Tag.PONG, b""),
        (Tag.COUNTERS, words.tobytes() + b"\1"),
    ]
    data = b"".join(reply(tag, number + 254, body) for number, (tag, body) in enumerate(contents))
    return data, [
        Ready(9), IDENTITY, Result((1, 2, 3, 4, -1), 3), Pong(),
        (words[:-3].reshape(2, -1).tolist(), tuple(words[-3:].tolist()), True),
    ]


def reply(tag: int, number: int, body: bytes = b"", taken: int = 0) -> bytes:
    return frame(tag, number, taken.to_bytes(2, "little") + body)


@given(st.lists(st.integers(1, 40), min_size=1))
def test_replies_come_in_pieces_of_any_size(sizes):
    data, expected = frames()
    parser, got = ReplyParser(), []
    for size in [*sizes, len(data)]:
        got += parser.feed(data[:size])
        data = data[size:]
    got = [(reply.layers.tolist(), reply.network, reply.spilled)
           if isinstance(reply, CounterWords) else reply for reply in got]
    assert got == expected


def test_wide_numbers_have_their_low_byte_first():
    identity = dataclasses.replace(IDENTITY, score_bits=10, classes=300)
    scores = tuple(n - 200 for n in range(300))
    body = b"".join(n.to_bytes(2, "little", signed=True) for n in (*scores, 299))
    (result,) = ReplyParser(identity).feed(reply(Tag.RESULT, 0, body))
    assert result == Result(scores, 299)


def test_a_reply_says_how_much_was_taken():
    parser = ReplyParser()
    assert list(parser.feed(reply(Tag.PONG, 0, taken=0xBEEF))) == [Pong()]
    assert parser.taken == 0xBEEF


@pytest.mark.parametrize(("wire", "error", "message"), [
    (b"\4abc\0", DamagedFrameError, "check the cable and the baud rate"),
    (b"\x09abc\0", DamagedFrameError, "no frame of this protocol"),
    (reply(9, 0), UnexpectedReplyError, "kind 9 with 0 bytes"),
    (reply(Tag.PONG, 0, b"a"), UnexpectedReplyError, "kind 4 with 1 bytes"),
    (frame(Tag.PONG, 0), UnexpectedReplyError, "without a count"),
    (reply(Tag.RESULT, 0, bytes(6)), UnexpectedReplyError, "reset the link and identify first"),
    (frame(Tag.PONG, 0, b"\0\0", version=3), WrongBitstreamError, "speaks version 3"),
    (reply(Tag.PONG, 0) + reply(Tag.PONG, 2), LostReplyError, "frame 2 of the board came, frame 1"),
    (reply(Tag.PONG, 0) + reply(Tag.PONG, 0), LostReplyError, "frame 0 of the board came, frame 1"),
])
def test_what_is_wrong_has_a_name_and_the_next_frame_is_understood(wire, error, message):
    parser = ReplyParser()
    with pytest.raises(error, match=message):
        list(parser.feed(wire))
    assert list(parser.feed(reply(Tag.READY, 200, b"\7") + reply(Tag.PONG, 201))) == [
        Ready(7), Pong()]


def test_faults_are_told_in_words_and_what_follows_is_kept():
    parser = ReplyParser(IDENTITY)
    faults = Fault.UNKNOWN | Fault.DAMAGED
    with pytest.raises(BoardFaultError, match=r"no command, .*baud rate") as caught:
        list(parser.feed(reply(Tag.ERROR, 0, faults.to_bytes(2, "little")) + reply(Tag.PONG, 1)))
    assert caught.value.faults == faults
    assert list(parser.feed(b"")) == [Pong()]


@given(st.binary(max_size=1000))
def test_an_image_is_loaded_in_counted_pieces(image):
    first, *pieces = encode_load(image)
    assert first == bytes([Command.REWIND])
    assert all(piece[0] == Command.LOAD and len(piece) == piece[1] + 3 for piece in pieces)
    assert b"".join(piece[2:] for piece in pieces) == image


@pytest.mark.parametrize("valued", [False, True])
@given(st.lists(st.one_of(
    st.sampled_from([bytes([command]) for command in Command
                     if command not in (Command.LOAD, Command.RUN, Command.OBSERVE)]),
    st.integers(0, 255).map(lambda count: bytes([Command.RUN, count])),
    st.binary(min_size=3, max_size=3).map(lambda data: bytes([Command.OBSERVE]) + data),
    st.integers(0, 31).map(lambda count: bytes([0x20 | count])),
    st.integers(0, (1 << 19) - 1).map(encode_event),
    st.binary(min_size=1, max_size=40).map(
        lambda data: bytes([Command.LOAD, len(data) - 1]) + data),
)), st.integers(1, 50))
def test_commands_are_cut_between_two_of_them(valued, commands, size):
    """So that a PING can follow each piece; and no piece is longer than it must be."""
    if valued:
        commands = [each + b"\x05" if each[-1] & 0x80 and each[0] >= 0x20 else each
                    for each in commands]
    left = list(commands)
    for piece in split(b"".join(commands), size, valued=valued):
        whole = b""
        count = 0
        while len(whole) < len(piece):
            whole += left.pop(0)
            count += 1
        assert whole == piece
        assert len(piece) <= size or count == 1
        assert not left or len(piece) + len(left[0]) > size
    assert not left
