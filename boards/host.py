"""The host's side of :mod:`~spikewright.boards.protocol`: samples to bytes, bytes to replies."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..gen.counters import NETWORK_COUNTERS
from ..gen.spec import NetworkSpec
from .protocol import (
    BoardFaultError,
    Command,
    Fault,
    Identity,
    Tag,
    UnexpectedReplyError,
    bank_bits,
    wire_addresses,
)


@dataclass(frozen=True)
class Result:
    """Score of every class in one inference, and the class with the highest."""

    scores: tuple[int, ...]
    winner: int


@dataclass(frozen=True, eq=False)
class CounterWords:
    """``layers``: int64 (layers, counters) in order of
    :func:`spikewright.gen.counters.layer_counters`.
    ``network``: those of :data:`spikewright.gen.counters.NETWORK_COUNTERS`. ``spilled``: an
    inference was longer than the board's buffer, so counters that need a clock depend on the
    wire."""

    layers: npt.NDArray[np.int64]
    network: tuple[int, ...]
    spilled: bool

    @property
    def cycles(self) -> int:
        """Of all inferences."""
        return self.network[0]


@dataclass(frozen=True)
class Pong:
    """All bytes before the PING have been taken."""


@dataclass(frozen=True)
class Ready:
    """The board is as after power-on."""


#: What a board needs before it listens again, whatever it got before: RESET as often as an
#: interrupted LOAD may still take bytes, and once more. Each that it understands is answered.
RECOVERY = bytes([Command.RESET] * 257)

Reply = Result | CounterWords | Identity | Pong | Ready


def encode_inference(spec: NetworkSpec, sample: npt.NDArray, ways: int = 1) -> bytes:
    """The bytes of one sample of ``spec``, (timesteps, inputs), for a first layer of ``ways``."""
    valued, bits = spec.input.bits > 1, bank_bits(spec, ways)
    places = wire_addresses(spec, ways)
    out = bytearray()
    for t, step in enumerate(sample):
        inputs = np.flatnonzero(step)
        way = places[inputs] >> bits
        inputs = inputs[np.lexsort((places[inputs], way))]
        way = places[inputs] >> bits
        # How many events of its way come before an event is the number of its beat.
        beat = np.arange(len(inputs)) - np.searchsorted(way, way)
        for index in inputs[np.lexsort((way, beat))].tolist():
            out += (0x8000 | int(places[index])).to_bytes(2, "big")
            if valued:
                out.append(int(step[index]))
        out.append(Command.LAST if t == len(sample) - 1 else Command.TICK)
    return bytes(out)


def encode_load(image: bytes) -> Iterator[bytes]:
    """The bytes that load ``image``, in pieces of which each may wait to be answered by a PONG."""
    yield bytes([Command.REWIND])
    for first in range(0, len(image), 256):
        piece = image[first : first + 256]
        yield bytes([Command.LOAD, len(piece) - 1]) + piece


class ReplyParser:
    """Turns a board's bytes, in pieces of any size, into replies.

    ``identity`` tells the lengths of RESULT and COUNTERS; without it, the board must send its
    IDENTITY before them.
    """

    def __init__(self, identity: Identity | None = None):
        self._identity = identity
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[Reply]:
        """Yields every reply that ``received`` completes.

        Raises
        ------
        UnexpectedReplyError
            At a byte that begins no frame; all that was received is dropped, because nothing says
            where the next frame begins. RESET, and wait for READY.
        BoardFaultError
            At an ERROR frame; what follows it is kept for the next call.
        WrongBitstreamError
            At an IDENTITY of another version.
        LinkError
            At an IDENTITY that no board can have.
        """
        self._bytes += received
        while self._bytes:
            try:
                tag = Tag(self._bytes[0])
            except ValueError:
                first = self._bytes[0]
                self._bytes.clear()
                raise UnexpectedReplyError(
                    f"the board sent 0x{first:02x}, which begins no frame; check the port and the "
                    f"baud rate"
                ) from None
            length = 1 + self._body_length(tag)
            if len(self._bytes) < length:
                return
            body = bytes(self._bytes[1:length])
            del self._bytes[:length]
            yield self._reply(tag, body)

    def _known(self) -> Identity:
        if self._identity is None:
            self._bytes.clear()
            raise UnexpectedReplyError(
                "the board sent a frame before its IDENTITY; send RESET and IDENTIFY first"
            )
        return self._identity

    def _body_length(self, tag: Tag) -> int:
        match tag:
            case Tag.RESULT:
                known = self._known()
                return known.classes * known.score_bytes + known.index_bytes
            case Tag.COUNTERS:
                return 4 * self._known().counter_words + 1
            case Tag.IDENTITY:
                return Identity.BYTES
            case Tag.ERROR:
                return 1
            case _:
                return 0

    def _reply(self, tag: Tag, body: bytes) -> Reply:
        match tag:
            case Tag.RESULT:
                known = self._known()
                width = known.score_bytes
                split = known.classes * width
                scores = tuple(
                    int.from_bytes(body[at : at + width], "little", signed=True)
                    for at in range(0, split, width)
                )
                return Result(scores, int.from_bytes(body[split:], "little"))
            case Tag.COUNTERS:
                words = np.frombuffer(body[:-1], "<u4").astype(np.int64)
                if len(words) == 1:  # of a board that was built without counters
                    words = words[:0]
                layers, network = np.split(words, [-len(NETWORK_COUNTERS)])
                layers = layers.reshape(self._known().layers, -1)
                return CounterWords(layers, tuple(network.tolist()), bool(body[-1]))
            case Tag.IDENTITY:
                self._identity = Identity.unpack(body)
                return self._identity
            case Tag.PONG:
                return Pong()
            case Tag.READY:
                return Ready()
            case Tag.ERROR:
                raise BoardFaultError(Fault(body[0]))
