"""The bytes between host and board: what they mean.

Version 3. The host sends

=============  =======================  ============================================================
``EVENT``      1aaaaaaa aaaaaaaa [v]    An event at address a (high bits first), with value v, one
                                        byte, where events have values. Its beat is sent when the
                                        next event's way is not above its own, so events come beat
                                        by beat, and in a beat way by way. Addresses ascend within
                                        a way and a timestep.
``TICK``       0x01                     The timestep ends.
``LAST``       0x02                     The timestep and the inference end; answered with RESULT.
``COUNTERS``   0x03                     Waits for the results of all inferences before it, then
                                        answers with COUNTERS.
``CLEAR``      0x04                     Waits likewise, then zeroes the counters. No answer.
``IDENTIFY``   0x05                     Answered with IDENTITY.
``PING``       0x06                     Answered with PONG as soon as all before it has been taken.
``RESET``      0x07                     Abandons every inference whose result is not out yet, zeroes
                                        the counters and answers READY. Send it as often as
                                        :data:`~.host.RECOVERY` does: the first ones may be taken
                                        for parts of an interrupted EVENT or LOAD.
``REWIND``     0x08                     Waits like COUNTERS; the next loaded byte is the first.
``LOAD``       0x09 n b₀ … bₙ           Waits likewise; n + 1 bytes for the memories.
=============  =======================  ============================================================

and the board answers in frames of fixed length, numbers with their low byte first:

=============  =====  ==============================================================================
``RESULT``     0x11   score of each class, signed, then the winner; :attr:`Identity.score_bytes` and
                      :attr:`Identity.index_bytes` wide
``COUNTERS``   0x12   every counter word, 4 bytes each, then one byte: 1 if an inference since CLEAR
                      was longer than the board's buffer (its cycles then depend on the wire)
``IDENTITY``   0x13   :class:`Identity`
``PONG``       0x14   nothing
``READY``      0x15   nothing
``ERROR``      0x1F   one byte: the :class:`Fault`\\ s since the last ERROR. WEDGED comes
                      unasked, from a board with a watchdog
=============  =====  ==============================================================================

The address of an event on the wire is its way above the address within the way: see
:func:`wire_addresses`. An event costs 2 bytes, or 3, a timestep 1, a result of ten classes 12.

The board holds ``Identity.window`` bytes that it has not taken yet; a host that never has more than
that unanswered by a PONG (or a result) cannot overrun it.
"""

import enum
import struct
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ..gen.beats import addresses
from ..gen.coding import InputKind
from ..gen.counters import COUNTERS, NETWORK_COUNTERS
from ..gen.errors import SpikewrightError
from ..gen.linear import MAX_WAYS
from ..gen.plan import input_source
from ..gen.rtl.streams import address_bits
from ..gen.spec import NetworkSpec

VERSION = 3

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
    REWIND = 0x08
    LOAD = 0x09


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
    VALUE = 32
    WEDGED = 64


_MEANING = {
    Fault.UNKNOWN: "it got a byte that is no command",
    Fault.ADDRESS: "an event's address does not exist, or does not ascend in its way and timestep",
    Fault.TIMESTEPS: "an inference has more timesteps than the network is proven for",
    Fault.FRAMING: "a byte had no stop bit; check that both sides have the same baud rate",
    Fault.OVERRUN: "bytes came faster than it took them; keep to the window of unanswered bytes",
    Fault.VALUE: "an event's value is 0 or more than the network is proven for",
    Fault.WEDGED: "its network had come to a standstill and was reset; inferences that were not "
                  "answered are lost",
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


def require_inputs(spec: NetworkSpec, ways: int = 1) -> None:
    """Raises LinkError if the inputs of ``spec``, dealt out to ``ways``, have more addresses than
    an EVENT can name."""
    needed = ways << bank_bits(spec, ways)
    if needed > MAX_INPUTS:
        raise LinkError(
            f"network {spec.name} has {spec.inputs} inputs, which take {needed} addresses with "
            f"{ways} ways; the host link has {MAX_INPUTS}; pool or crop the input, or use fewer "
            f"ways in the first layer"
        )


def _bank(spec: NetworkSpec, ways: int) -> int:
    """Addresses of a way."""
    return int(addresses(input_source(spec)).max()) // ways + 1


def bank_bits(spec: NetworkSpec, ways: int) -> int:
    """Bits of an address within a way of ``spec``'s inputs."""
    return address_bits(_bank(spec, ways))


def wire_addresses(spec: NetworkSpec, ways: int) -> npt.NDArray[np.int64]:
    """(inputs,): the address of each input on the wire.

    Its place in the hardware of the first layer, p, is in way ``p % ways`` at ``p // ways``; the
    way stands above it.
    """
    place = addresses(input_source(spec))
    return (place % ways << bank_bits(spec, ways)) | place // ways


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board says about its bitstream.

    Parameters
    ----------
    version
        Of the protocol.
    digest
        First 8 bytes of :attr:`NetworkSpec.digest`.
    inputs
        Addresses of a way.
    ways, value_bits
        Of the first layer.
    classes, score_bits
        Of a RESULT.
    timesteps
        Most ticks of an inference: 1 if the input is held.
    layers
    counter_words
        32-bit words of a COUNTERS frame, those of the network last.
    window
        Bytes it holds that it has not taken yet.
    buffer
        Beats it holds before an inference begins.
    load_bytes
        Bytes that fill the memories that are loaded.
    """

    version: int
    digest: bytes
    inputs: int
    ways: int
    value_bits: int
    classes: int
    score_bits: int
    timesteps: int
    layers: int
    counter_words: int
    window: int
    buffer: int
    load_bytes: int = 0

    _FORMAT = struct.Struct("<B8sHBBHBIHHHII")
    BYTES = _FORMAT.size
    #: Where the digest is among them.
    DIGEST_AT = 1

    @classmethod
    def of(
        cls, spec: NetworkSpec, *, ways: int, score_bits: int, counter_words: int, window: int,
        buffer: int, load_bytes: int = 0,
    ) -> "Identity":
        """What a bitstream of ``spec`` says."""
        require_inputs(spec, ways)
        held = spec.input.kind is InputKind.CURRENT
        return cls(
            version=VERSION, digest=bytes.fromhex(spec.digest)[:8],
            inputs=_bank(spec, ways), ways=ways,
            value_bits=spec.input.bits if spec.input.bits > 1 else 0,
            classes=spec.classes, score_bits=score_bits,
            timesteps=1 if held else spec.timesteps, layers=len(spec.layers),
            counter_words=counter_words, window=window, buffer=buffer, load_bytes=load_bytes,
        )

    @property
    def score_bytes(self) -> int:
        """Bytes of one score in RESULT."""
        return -(-self.score_bits // 8)

    @property
    def index_bytes(self) -> int:
        """Bytes of the winner in RESULT."""
        return 1 if self.classes <= 256 else 2

    @property
    def bank_bits(self) -> int:
        """Bits of an address within a way."""
        return address_bits(self.inputs)

    def pack(self) -> bytes:
        """The bytes after the tag of an IDENTITY frame."""
        return self._FORMAT.pack(*(getattr(self, field.name) for field in fields(self)))

    @classmethod
    def unpack(cls, body: bytes) -> "Identity":
        """Reads what :meth:`pack` wrote; WrongBitstreamError if it is of another version, LinkError
        if nothing can be like that."""
        if body[0] != VERSION:
            raise WrongBitstreamError(
                f"the board speaks version {body[0]} of the protocol, this spikewright {VERSION}; "
                f"build and program the bitstream again"
            )
        names = (field.name for field in fields(cls))
        said = cls(**dict(zip(names, cls._FORMAT.unpack(body), strict=True)))
        said._check()
        return said

    def _check(self) -> None:
        """Raises LinkError unless there can be such a board, so that frames have a length."""
        counted = self.layers * len(COUNTERS) + len(NETWORK_COUNTERS)
        for what, allowed in {
            "inputs": range(1, MAX_INPUTS + 1), "ways": range(1, MAX_WAYS + 1),
            "value_bits": range(9), "classes": range(1, 1 << 16), "score_bits": range(1, 65),
            "timesteps": range(1, 1 << 20), "layers": range(1, 1 << 16),
            "counter_words": (1, counted), "window": range(1, 1 << 16),
        }.items():
            if getattr(self, what) not in allowed:
                raise LinkError(
                    f"the board says of itself that {what} is {getattr(self, what)}, which no "
                    f"bitstream has; send RESET and IDENTIFY again, or check the baud rate"
                )

    def expect(self, spec: NetworkSpec) -> None:
        """Raises WrongBitstreamError unless the board carries ``spec``."""
        if self.digest != bytes.fromhex(spec.digest)[:8]:
            raise WrongBitstreamError(
                f"the board carries network {self.digest.hex()}, not {spec.name} "
                f"({spec.digest[:16]}); program the bitstream of this run"
            )
