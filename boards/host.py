"""The host's side of :mod:`~spikewright.boards.protocol`: samples to bytes, frames to replies."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..gen.counters import NETWORK_COUNTERS
from ..gen.spec import NetworkSpec
from .frames import frame, unframe
from .protocol import (
    EVENT,
    EVENT_BITS,
    MAX_TICKS,
    SKIP,
    SKIP_BITS,
    TICKS,
    VERSION,
    BoardFaultError,
    Command,
    Fault,
    Identity,
    Kind,
    LostReplyError,
    Tag,
    UnexpectedReplyError,
    WrongBitstreamError,
    bank_bits,
    distance,
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
    """The board is as after power-on; ``number`` is that of the RESET."""

    number: int


@dataclass(frozen=True, eq=False)
class Observed:
    """``spikes``, ``membranes``: (rows, units), as the sweep of one layer gave them in one
    timestep. ``seen``: there was such a timestep."""

    spikes: npt.NDArray[np.bool_]
    membranes: npt.NDArray[np.int64]
    seen: bool


Reply = Result | CounterWords | Identity | Pong | Ready | Observed


def encode_inference(spec: NetworkSpec, sample: npt.NDArray, ways: int = 1) -> bytes:
    """The commands of one sample of ``spec``, (timesteps, inputs), for a first layer of ``ways``.
    """
    valued, bits = spec.input.bits > 1, bank_bits(spec, ways)
    places = wire_addresses(spec, ways)
    out = bytearray()
    ticks = 0
    for step in sample:
        inputs = np.flatnonzero(step)
        way = places[inputs] >> bits
        inputs = inputs[np.lexsort((places[inputs], way))]
        way = places[inputs] >> bits
        # How many events of its way come before an event is the number of its beat.
        beat = np.arange(len(inputs)) - np.searchsorted(way, way)
        before: list[int | None] = [None] * ways
        if len(inputs):
            out += encode_ticks(ticks)
            ticks = 0
        for index in inputs[np.lexsort((way, beat))].tolist():
            bank, address = divmod(int(places[index]), 1 << bits)
            out += encode_event(distance(bank, address, before[bank], ways))
            before[bank] = address
            if valued:
                out.append(int(step[index]))
        ticks += 1
    return bytes(out + encode_ticks(ticks - 1)) + bytes([Command.LAST])


def beat_count(spec: NetworkSpec, sample: npt.NDArray, ways: int = 1) -> int:
    """Beats of one sample of ``spec``: what it takes of a board's buffer."""
    way = wire_addresses(spec, ways) >> bank_bits(spec, ways)
    events = [np.count_nonzero(sample[:, way == number], axis=1) for number in range(ways)]
    return int(np.maximum(np.max(events, axis=0), 1).sum())


def encode_event(apart: int) -> bytes:
    """The bytes of an event at a :func:`~.protocol.distance`, without its value."""
    out = [EVENT | apart & (1 << EVENT_BITS) - 1]
    apart >>= EVENT_BITS
    while apart:
        out.insert(0, SKIP | apart & (1 << SKIP_BITS) - 1)
        apart >>= SKIP_BITS
    return bytes(out)


def encode_ticks(count: int) -> bytes:
    """The bytes of ``count`` ends of timesteps."""
    whole, rest = divmod(count, MAX_TICKS)
    return bytes([TICKS | MAX_TICKS - 1] * whole + [TICKS | rest - 1] * (rest > 0))


def encode_load(image: bytes, most: int = 256) -> Iterator[bytes]:
    """The commands that load ``image``, one after the other, each with ``most`` bytes of it."""
    yield bytes([Command.REWIND])
    for first in range(0, len(image), most):
        piece = image[first : first + most]
        yield bytes([Command.LOAD, len(piece) - 1]) + piece


def split(commands: bytes, size: int, *, valued: bool) -> Iterator[bytes]:
    """``commands`` in pieces of at most ``size`` bytes, behind each of which a PING is no part of
    a command; ``valued`` if events have values. A command that is longer is a piece of its own."""
    begin = at = 0
    while at < len(commands):
        end = at
        while commands[end] & (EVENT | SKIP) == SKIP:
            end += 1
        if commands[end] & EVENT:
            end += valued
        elif commands[end] == Command.LOAD:
            end += 2 + commands[end + 1]
        elif commands[end] == Command.RUN:
            end += 1
        elif commands[end] == Command.OBSERVE:
            end += 3
        end += 1
        if end - begin > size and at > begin:
            yield commands[begin:at]
            begin = at
        at = end
    yield commands[begin:]


class FrameCounter:
    """Makes frames for a board, each with the number that is its turn."""

    def __init__(self) -> None:
        self.number = 0

    def commands(self, body: bytes) -> bytes:
        """A COMMANDS frame as it goes over the wire."""
        return self._frame(Kind.COMMANDS, body)

    def reset(self) -> bytes:
        """A RESET frame as it goes over the wire, behind a 0x00 that ends whatever came before."""
        return b"\0" + self._frame(Kind.RESET, b"")

    def _frame(self, kind: Kind, body: bytes) -> bytes:
        made = frame(kind, self.number, body)
        self.number = (self.number + 1) % 256
        return made


class ReplyParser:
    """Turns a board's bytes, in pieces of any size, into replies.

    ``identity`` tells the lengths of RESULT and COUNTERS; without it, the board must send its
    IDENTITY before them.

    Attributes
    ----------
    taken : int
        Bytes of COMMANDS that the board had taken at its last frame, modulo 2¹⁶.
    """

    def __init__(self, identity: Identity | None = None):
        self.taken = 0
        self._identity = identity
        self._bytes = bytearray()
        self._next: int | None = None

    def feed(self, received: bytes) -> Iterator[Reply]:
        """Yields every reply that ``received`` completes. After an error, what follows the frame
        that caused it is kept for the next call.

        Raises
        ------
        DamagedFrameError
            If a frame is cut or its CRC is wrong.
        LostReplyError
            If the number of a frame says that one before it is missing.
        BoardFaultError
            At an ERROR.
        WrongBitstreamError
            At a frame of another version.
        UnexpectedReplyError
            At a frame that no board sends, or that cannot be read before an IDENTITY.
        LinkError
            At an IDENTITY that no board can have.
        """
        self._bytes += received
        while (end := self._bytes.find(0)) >= 0:
            stuffed = bytes(self._bytes[:end])
            del self._bytes[: end + 1]
            if stuffed:
                yield self._reply(stuffed)

    def forget(self) -> None:
        """Drops the beginning of a frame, and expects any number of the next one."""
        self._bytes.clear()
        self._next = None

    def _reply(self, stuffed: bytes) -> Reply:
        version, kind, number, content = unframe(stuffed)
        if version != VERSION:
            raise WrongBitstreamError(
                f"the board speaks version {version} of the protocol, this spikewright {VERSION}; "
                f"build and program the bitstream again"
            )
        if len(content) < 2:
            raise UnexpectedReplyError(f"the board sent a frame of kind {kind} without a count of "
                                       f"what it has taken")
        expected, self._next = self._next, (number + 1) % 256
        self.taken = int.from_bytes(content[:2], "little")
        body = content[2:]
        if kind == Tag.READY and len(body) == 1:
            return Ready(body[0])
        if expected not in (None, number):
            raise LostReplyError(
                f"frame {number} of the board came, frame {expected} was expected; what was "
                f"between them is lost, reset the link"
            )
        if kind == Tag.ERROR and len(body) == 2:
            raise BoardFaultError(Fault(int.from_bytes(body, "little")))
        if kind not in [tag.value for tag in Tag] or len(body) != self._length(Tag(kind)):
            raise UnexpectedReplyError(
                f"the board sent a frame of kind {kind} with {len(body)} bytes, which version "
                f"{VERSION} of the protocol does not have; reset the link"
            )
        return self._body(Tag(kind), body)

    def _known(self) -> Identity:
        if self._identity is None:
            raise UnexpectedReplyError(
                "the board sent a frame before its IDENTITY; reset the link and identify first"
            )
        return self._identity

    def _length(self, tag: Tag) -> int:
        match tag:
            case Tag.RESULT:
                known = self._known()
                return known.classes * known.score_bytes + known.index_bytes
            case Tag.COUNTERS:
                return 4 * self._known().counter_words + 1
            case Tag.OBSERVED:
                return 4 * self._known().observed_words + 1
            case Tag.IDENTITY:
                return Identity.BYTES
            case Tag.ERROR:
                return 2
            case Tag.READY:
                return 1
            case Tag.PONG:
                return 0

    def _body(self, tag: Tag, body: bytes) -> Reply:
        match tag:
            case Tag.RESULT:
                known = self._known()
                width = known.score_bytes
                scored = known.classes * width
                scores = tuple(
                    int.from_bytes(body[at : at + width], "little", signed=True)
                    for at in range(0, scored, width)
                )
                return Result(scores, int.from_bytes(body[scored:], "little"))
            case Tag.COUNTERS:
                words = np.frombuffer(body[:-1], "<u4").astype(np.int64)
                if len(words) == 1:  # of a board that was built without counters
                    words = words[:0]
                layers, network = np.split(words, [-len(NETWORK_COUNTERS)])
                layers = layers.reshape(self._known().layers, -1)
                return CounterWords(layers, tuple(network.tolist()), bool(body[-1]))
            case Tag.OBSERVED:
                known = self._known()
                said = np.frombuffer(body[:-1], "<i4").astype(np.int64).reshape(
                    known.rows, known.units)
                return Observed((said & 1).astype(np.bool_), said >> 1, bool(body[-1]))
            case Tag.IDENTITY:
                self._identity = Identity.unpack(body)
                return self._identity
            case _:
                return Pong()
