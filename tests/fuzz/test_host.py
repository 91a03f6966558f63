"""The host's end of the wire: whatever a board sends becomes replies or one line, and a RESET
answered by READY puts everything right."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.frames import frame
from spikewright.boards.host import CounterWords, Observed, Pong, Ready, ReplyParser, Result
from spikewright.boards.protocol import VERSION, BoardFaultError, Identity, LinkError, Tag
from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS

from ..boards.identities import identity
from .law import Refused, attempt, budget
from .mutations import accidents, after

pytestmark = pytest.mark.usefixtures("little_memory")

KNOWN = dataclasses.replace(identity(classes=3, score_bits=12), rows=3, units=2)
BODIES = {Tag.RESULT: 7, Tag.COUNTERS: 4 * KNOWN.counter_words + 1, Tag.IDENTITY: Identity.BYTES,
          Tag.OBSERVED: 4 * KNOWN.observed_words + 1, Tag.PONG: 0, Tag.READY: 1, Tag.ERROR: 2}


def reply(tag: int, body: bytes, number: int = 0) -> bytes:
    return frame(tag, number, b"\0\0" + body)



@st.composite
def frames(draw) -> bytes:
    """A frame as a board sends it."""
    tag = draw(st.sampled_from(Tag))
    if tag is Tag.IDENTITY:
        return reply(tag, KNOWN.pack(), draw(st.integers(0, 2)))
    size = draw(st.sampled_from([BODIES[tag], BODIES[tag], 0]))
    return reply(tag, draw(st.binary(min_size=size, max_size=size)), draw(st.integers(0, 2)))


def feed(parser, received):
    """All replies, in pieces of any size; a fault stands among them as an error."""
    replies = []
    for piece in received:
        try:
            replies += parser.feed(piece)
            replies += parser.feed(b"")
        except BoardFaultError as error:
            replies.append(error)
    return replies


@budget(200)
@given(sent=st.lists(frames(), max_size=8), data=st.data())
def test_any_bytes(sent, data):
    """Replies have the lengths that the identity says, whatever is in them."""
    wire = b"".join(sent)
    if data.draw(st.booleans()):
        wire = after(wire, data.draw(accidents(wire)))
    cut = data.draw(st.integers(0, len(wire)))
    known = data.draw(st.sampled_from([KNOWN, None]))
    got = attempt(feed, ReplyParser(known), [wire[:cut], wire[cut:]])
    for reply in [] if isinstance(got, Refused) else got:
        if isinstance(reply, Result):
            assert len(reply.scores) == 3
            assert all(-(1 << 15) <= score < 1 << 15 for score in reply.scores)
        elif isinstance(reply, CounterWords):
            assert reply.layers.shape == (2, len(COUNTERS))
            assert len(reply.network) == len(NETWORK_COUNTERS)
        elif isinstance(reply, Observed):
            assert reply.spikes.shape == reply.membranes.shape == (3, 2)
        else:
            assert isinstance(reply, (Identity, Pong, Ready, BoardFaultError))


@budget(200)
@given(body=st.one_of(
    st.binary(min_size=Identity.BYTES, max_size=Identity.BYTES).map(
        lambda rest: bytes([VERSION]) + rest[1:]),
    st.builds(lambda happened: after(KNOWN.pack(), happened)[: Identity.BYTES].ljust(
        Identity.BYTES, b"\0"), accidents(KNOWN.pack()))),
    rest=st.binary(max_size=300))
def test_any_identity(body, rest):
    """A board that says what cannot be is refused before anything is read by it."""
    got = attempt(lambda: feed(ReplyParser(), [reply(Tag.IDENTITY, body), rest]))
    if not isinstance(got, Refused):
        said = got[0]
        assert isinstance(said, Identity)
        assert said.pack() == body
        assert min(said.inputs, said.ways, said.classes, said.score_bits, said.timesteps,
                   said.layers, said.counter_words, said.window) > 0


@budget(100)
@given(noise=st.binary(min_size=1, max_size=20))
def test_after_noise_a_parser_goes_on(noise):
    """What begins no frame is dropped with what came with it; what is sent next is understood."""
    parser = ReplyParser(KNOWN)
    try:
        feed(parser, [noise])
    except LinkError:
        parser.forget()
        assert feed(parser, [reply(Tag.READY, b"\7") + reply(Tag.PONG, b"", 1)]) == [
            Ready(7), Pong()]


def test_an_identity_that_is_none():
    for change in ({"counter_words": 4}, {"classes": 0}, {"layers": 0}, {"score_bits": 0},
                   {"score_bits": 65}, {"ways": 0}, {"inputs": 0}, {"timesteps": 0},
                   {"counter_words": 0}):
        body = dataclasses.replace(KNOWN, **change).pack()
        with pytest.raises(LinkError, match="says of itself"):
            list(ReplyParser().feed(reply(Tag.IDENTITY, body)))
    without = dataclasses.replace(KNOWN, counter_words=1)
    parser = ReplyParser()
    *_, words = feed(parser, [reply(Tag.IDENTITY, without.pack()),
                              reply(Tag.COUNTERS, bytes(5), 1)])
    assert words.layers.shape == (KNOWN.layers, 0)
    assert np.array(words.network).tolist() == []
