import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.host import (
    CounterWords,
    Pong,
    Ready,
    ReplyParser,
    Result,
    encode_inference,
    encode_load,
)
from spikewright.boards.protocol import (
    BoardFaultError,
    Command,
    Fault,
    Identity,
    Tag,
    UnexpectedReplyError,
)

from ..gen.examples import one_layer, two_layers
from .identities import WORDS

SPEC = two_layers(inputs=300, classes=5, timesteps=8)
IDENTITY = Identity.of(SPEC, ways=1, score_bits=5, counter_words=WORDS, window=512, buffer=1024)


def decoded(data: bytes, inputs: int) -> np.ndarray:
    """The spikes that ``data`` means, read by the table in the docstring of the protocol."""
    steps, step = [], np.zeros(inputs, np.bool_)
    queue = list(data)
    while queue:
        byte = queue.pop(0)
        if byte >= 0x80:
            step[(byte & 0x7F) * 256 + queue.pop(0)] = True
        else:
            steps.append(step)
            step = np.zeros(inputs, np.bool_)
            assert byte == (0x01 if queue else 0x02)
    return np.array(steps)


@given(st.integers(0, 1 << 32), st.integers(1, 6), st.integers(1, 1000))
def test_encoding_keeps_every_spike(seed, timesteps, inputs):
    spikes = np.random.default_rng(seed).random((timesteps, inputs)) < 0.2
    spec = one_layer(inputs, 1)
    data = encode_inference(spec, spikes)
    assert len(data) == 2 * spikes.sum() + timesteps
    np.testing.assert_array_equal(decoded(data, inputs), spikes)


def frames() -> tuple[bytes, list]:
    words = np.arange(WORDS, dtype="<u4") * 0x01010101
    data = (
        bytes([Tag.READY, Tag.IDENTITY]) + IDENTITY.pack()
        + bytes([Tag.RESULT, 1, 2, 3, 4, 0xFF, 3, Tag.PONG, Tag.COUNTERS]) + words.tobytes() + b"\1"
    )
    return data, [
        Ready(), IDENTITY, Result((1, 2, 3, 4, -1), 3), Pong(),
        (words[:-3].reshape(2, -1).tolist(), tuple(words[-3:].tolist()), True),
    ]


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
    (result,) = ReplyParser(identity).feed(bytes([Tag.RESULT]) + body)
    assert result == Result(scores, 299)


def test_noise_is_no_reply():
    with pytest.raises(UnexpectedReplyError, match="sent 0x00, which begins no frame"):
        list(ReplyParser(IDENTITY).feed(b"\0"))


def test_lengths_are_unknown_before_identity():
    with pytest.raises(UnexpectedReplyError, match="send RESET and IDENTIFY first"):
        list(ReplyParser().feed(bytes([Tag.RESULT])))


def test_faults_are_told_in_words_and_what_follows_is_kept():
    parser = ReplyParser(IDENTITY)
    with pytest.raises(BoardFaultError, match=r"no command; .*baud rate") as caught:
        list(parser.feed(bytes([Tag.ERROR, Fault.UNKNOWN | Fault.FRAMING, Tag.PONG])))
    assert caught.value.faults == Fault.UNKNOWN | Fault.FRAMING
    assert list(parser.feed(b"")) == [Pong()]


@given(st.binary(max_size=1000))
def test_an_image_is_loaded_in_counted_pieces(image):
    first, *pieces = encode_load(image)
    assert first == bytes([Command.REWIND])
    assert all(piece[0] == Command.LOAD and len(piece) == piece[1] + 3 for piece in pieces)
    assert b"".join(piece[2:] for piece in pieces) == image
