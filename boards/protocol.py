"""The bytes between host and board: what they mean, and the host's side of them.

Version 1. The host sends

=============  =======================  ============================================================
``EVENT``      1aaaaaaa aaaaaaaa        Input a (high bits first) spikes in this timestep. Addresses
                                        ascend within a timestep.
``TICK``       0x01                     The timestep ends.
``LAST``       0x02                     The timestep and the inference end; answered with RESULT.
``COUNTERS``   0x03                     Waits for the results of all inferences before it, then
                                        answers with COUNTERS.
``CLEAR``      0x04                     Waits likewise, then zeroes the counters. No answer.
``IDENTIFY``   0x05                     Answered with IDENTITY.
``PING``       0x06                     Answered with PONG as soon as all before it has been taken.
``RESET``      0x07                     Abandons every inference whose result is not out yet, zeroes
                                        the counters and answers READY. Send it twice: the first may
                                        be taken for the second half of an interrupted EVENT.
=============  =======================  ============================================================

and the board answers in frames of fixed length, numbers with their low byte first:

=============  =====  ==============================================================================
``RESULT``     0x11   spike count of each class, then the winner; :attr:`Identity.count_bytes` and
                      :attr:`Identity.index_bytes` wide
``COUNTERS``   0x12   every counter word, 4 bytes each, then one byte: 1 if an inference since CLEAR
                      was longer than the board's buffer (its cycles then depend on the wire)
``IDENTITY``   0x13   :class:`Identity`
``PONG``       0x14   nothing
``READY``      0x15   nothing
``ERROR``      0x1F   one byte: the :class:`Fault`\\ s since the last ERROR
=============  =====  ==============================================================================

An event costs 2 bytes, a timestep 1, a result of ten classes 12.

The board holds ``Identity.window`` bytes that it has not taken yet; a host that never has more than
that unanswered by a PONG (or a result) cannot overrun it.
"""

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..gen.beats import beats
from ..gen.counters import COUNTERS
from ..gen.errors import SpikewrightError
from ..gen.spec import NetworkSpec

VERSION = 1

#: Addresses that an EVENT can carry.
MAX_INPUTS = 1 << 15


class Command(enum.IntEnum):
    """Single bytes from the host; a byte with the top bit set begins an EVENT."""

    TICK = 0x01
    LAST = 0x02
    COUNTERS = 0x03
    CLEAR = 0x04
    IDENTIFY = 0x05
    PING = 0x06
    RESET = 0x07


class Tag(enum.IntEnum):
    """First byte of every frame from the board."""

    RESULT = 0x11
    COUNTERS = 0x12
    IDENTITY = 0x13
    PONG = 0x14
    READY = 0x15
    ERROR = 0x1F


class Fault(enum.IntFlag):
    """What a board complains about; each means that bytes were ignored or lost."""

    UNKNOWN = 1
    ADDRESS = 2
    TIMESTEPS = 4
    FRAMING = 8
    OVERRUN = 16


_MEANING = {
    Fault.UNKNOWN: "it got a byte that is no command",
    Fault.ADDRESS: "an event's address is beyond the inputs, or does not ascend in its timestep",
    Fault.TIMESTEPS: "an inference has more timesteps than the network is proven for",
    Fault.FRAMING: "a byte had no stop bit; check that both sides have the same baud rate",
    Fault.OVERRUN: "bytes came faster than it took them; keep to the window of unanswered bytes",
}


class LinkError(SpikewrightError):
    """Host and board do not understand each other."""


class UnexpectedReplyError(LinkError):
    """A board sent a byte that begins no frame of this protocol."""


class BoardFaultError(LinkError):
    """A board complained; ``faults`` says of what."""

    def __init__(self, faults: Fault):
        self.faults = faults
        meanings = [text for fault, text in _MEANING.items() if fault in faults]
        super().__init__(
            f"the board reports: {'; '.join(meanings) or f'fault {int(faults)}'} "
            f"(send RESET before going on)"
        )


class WrongBitstreamError(LinkError):
    """A board carries another network, or speaks another version, than the host expects."""


def require_inputs(spec: NetworkSpec) -> None:
    """Raises LinkError if ``spec`` has more inputs than an EVENT can address."""
    if spec.inputs > MAX_INPUTS:
        raise LinkError(
            f"network {spec.name} has {spec.inputs} inputs; the host link addresses "
            f"{MAX_INPUTS}; pool or crop the input"
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board says about its bitstream.

    ``digest``: first 8 bytes of :attr:`NetworkSpec.digest`. ``window``: bytes it holds that it has
    not taken yet. ``buffer``: beats it holds before an inference begins. ``counter_words``: 32-bit
    words of a COUNTERS frame, the last one the cycles of all inferences.
    """

    version: int
    digest: bytes
    inputs: int
    classes: int
    timesteps: int
    layers: int
    counter_words: int
    window: int
    buffer: int

    _FORMAT = struct.Struct("<B8sHHIHHHI")
    BYTES = _FORMAT.size

    @classmethod
    def of(cls, spec: NetworkSpec, *, counter_words: int, window: int, buffer: int) -> "Identity":
        """What a bitstream of ``spec`` says."""
        require_inputs(spec)
        return cls(
            version=VERSION, digest=bytes.fromhex(spec.digest)[:8], inputs=spec.inputs,
            classes=spec.classes, timesteps=spec.timesteps, layers=len(spec.layers),
            counter_words=counter_words, window=window, buffer=buffer,
        )

    @property
    def count_bytes(self) -> int:
        """Bytes of one spike count in RESULT."""
        return -(-self.timesteps.bit_length() // 8)

    @property
    def index_bytes(self) -> int:
        """Bytes of the winner in RESULT."""
        return 1 if self.classes <= 256 else 2

    def pack(self) -> bytes:
        """The bytes after the tag of an IDENTITY frame."""
        return self._FORMAT.pack(
            self.version, self.digest, self.inputs, self.classes, self.timesteps, self.layers,
            self.counter_words, self.window, self.buffer,
        )

    @classmethod
    def unpack(cls, body: bytes) -> "Identity":
        """Reads what :meth:`pack` wrote; WrongBitstreamError if it is of another version."""
        if body[0] != VERSION:
            raise WrongBitstreamError(
                f"the board speaks version {body[0]} of the protocol, this spikewright {VERSION}; "
                f"build and program the bitstream again"
            )
        names = ("version", "digest", "inputs", "classes", "timesteps", "layers", "counter_words",
                 "window", "buffer")
        return cls(**dict(zip(names, cls._FORMAT.unpack(body), strict=True)))

    def expect(self, spec: NetworkSpec) -> None:
        """Raises WrongBitstreamError unless the board carries ``spec``."""
        if self.digest != bytes.fromhex(spec.digest)[:8]:
            raise WrongBitstreamError(
                f"the board carries network {self.digest.hex()}, not {spec.name} "
                f"({spec.digest[:16]}); program the bitstream of this run"
            )


@dataclass(frozen=True)
class Result:
    """Spikes of every class in one inference, and the class with most."""

    counts: tuple[int, ...]
    winner: int


@dataclass(frozen=True, eq=False)
class CounterWords:
    """``layers``: int64 (layers, counters) in order of :data:`spikewright.gen.counters.COUNTERS`.
    ``cycles``: of all inferences. ``spilled``: one was longer than the board's buffer, so counters
    that need a clock depend on the wire."""

    layers: npt.NDArray[np.int64]
    cycles: int
    spilled: bool


@dataclass(frozen=True)
class Pong:
    """All bytes before the PING have been taken."""


@dataclass(frozen=True)
class Ready:
    """The board is as after power-on."""


Reply = Result | CounterWords | Identity | Pong | Ready


def encode_inference(spikes: npt.NDArray[np.bool_]) -> bytes:
    """The bytes of one sample, bool (timesteps, inputs): 2 per spike and 1 per timestep."""
    out = bytearray()
    for beat in beats(spikes):
        if beat.event:
            out += (0x8000 | beat.address).to_bytes(2, "big")
        if beat.tick:
            out.append(Command.LAST if beat.last else Command.TICK)
    return bytes(out)


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
            At a byte that begins no frame.
        BoardFaultError
            At an ERROR frame; what follows it is kept for the next call.
        WrongBitstreamError
            At an IDENTITY of another version.
        """
        self._bytes += received
        while self._bytes:
            try:
                tag = Tag(self._bytes[0])
            except ValueError:
                raise UnexpectedReplyError(
                    f"the board sent 0x{self._bytes[0]:02x}, which begins no frame; check the port "
                    f"and the baud rate"
                ) from None
            length = 1 + self._body_length(tag)
            if len(self._bytes) < length:
                return
            body = bytes(self._bytes[1:length])
            del self._bytes[:length]
            yield self._reply(tag, body)

    def _known(self) -> Identity:
        if self._identity is None:
            raise UnexpectedReplyError(
                "the board sent a frame before its IDENTITY; send RESET and IDENTIFY first"
            )
        return self._identity

    def _body_length(self, tag: Tag) -> int:
        match tag:
            case Tag.RESULT:
                known = self._known()
                return known.classes * known.count_bytes + known.index_bytes
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
                width = known.count_bytes
                split = known.classes * width
                counts = tuple(
                    int.from_bytes(body[at : at + width], "little") for at in range(0, split, width)
                )
                return Result(counts, int.from_bytes(body[split:], "little"))
            case Tag.COUNTERS:
                words = np.frombuffer(body[:-1], "<u4").astype(np.int64)
                return CounterWords(
                    words[:-1].reshape(-1, len(COUNTERS)), int(words[-1]), bool(body[-1])
                )
            case Tag.IDENTITY:
                self._identity = Identity.unpack(body)
                return self._identity
            case Tag.PONG:
                return Pong()
            case Tag.READY:
                return Ready()
            case Tag.ERROR:
                raise BoardFaultError(Fault(body[0]))
