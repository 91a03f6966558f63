"""The frames between host and board: what they mean. docs/protocol.md is the whole of it.

Version 6. A frame is stuffed (:mod:`~spikewright.boards.cobs`), so that 0x00 ends it and nothing
else, and carries a CRC-32: version and kind in one byte, a number that counts frames, a body, the
CRC. Nothing of a frame is done before its CRC was right. The bodies of the host's COMMANDS frames,
one after the other, are

=============  ===================  ================================================================
``EVENT``      1ddddddd [v]         An event; d tells its way and how far its address lies behind
                                    the one before in its way and timestep, see :func:`distance`;
                                    with value v, one byte, where events have values. Its beat is
                                    sent when the next event's way is not above its own.
``SKIP``       01hhhhhh             Higher bits of the next event's distance; up to two of them,
                                    the highest first.
``TICKS``      001nnnnn             n + 1 timesteps end; the second and all after it are empty.
``LAST``       0x01                 The timestep and the inference end; answered with RESULT.
``COUNTERS``   0x02                 Waits for the results of all inferences before it, then
                                    answers with COUNTERS.
``CLEAR``      0x03                 Waits likewise, then zeroes the counters. No answer.
``IDENTIFY``   0x04                 Answered with IDENTITY.
``PING``       0x05                 Answered with PONG as soon as all before it has been taken.
``REWIND``     0x06                 Waits like COUNTERS; the next loaded byte is the first.
``LOAD``       0x07 n b₀ … bₙ       Waits likewise; n + 1 bytes for the memories, behind the last of
                                    which comes the digest of what they then hold.
``GATHER``     0x08                 Waits likewise; until RESET, inferences stay in the buffer. What
                                    was gathered before is forgotten.
``RUN``        0x09 n               Waits likewise; runs what was gathered, one behind the other, n
                                    times without a result, or once and with all results if n is 0.
``OBSERVE``    0x0A l t₀ t₁         Waits likewise; from now on, what layer l does in timestep t of
                                    an inference is kept (boards that were built so).
``READ``       0x0B                 Waits likewise, then answers with OBSERVED.
=============  ===================  ================================================================

A RESET frame abandons every inference whose result is not out yet and every byte that is not taken
yet, zeroes the counters, and is answered with READY. The board answers in frames as well; they also
say how many bytes of COMMANDS it has taken. Numbers have their low byte first:

=============  ====  ===============================================================================
``RESULT``     1     score of each class, signed, then the winner; :attr:`Identity.score_bytes` and
                     :attr:`Identity.index_bytes` wide
``COUNTERS``   2     every counter word, 4 bytes each, then one byte: 1 if an inference since CLEAR
                     was longer than the board's buffer (its cycles then depend on the wire)
``IDENTITY``   3     :class:`Identity`
``PONG``       4     nothing
``READY``      5     one byte: the number of the RESET
``OBSERVED``   6     words of 4 bytes, :attr:`Identity.rows` × :attr:`Identity.units`: a spike in
                     bit 0, above it the membrane; then one byte: 1 if that timestep was since
                     OBSERVE
``ERROR``      15    two bytes: the :class:`Fault` flags since the last ERROR; comes unasked
=============  ====  ===============================================================================
"""

import enum
import struct
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ..gen.beats import addresses
from ..gen.coding import InputKind
from ..gen.counters import NETWORK_COUNTERS, layer_counters
from ..gen.errors import SpikewrightError
from ..gen.linear import MAX_WAYS
from ..gen.plan import input_source
from ..gen.rtl.streams import address_bits
from ..gen.spec import NetworkSpec

VERSION = 6

#: Of a digest in IDENTITY, and behind the bytes that are loaded.
DIGEST_BYTES = 8

#: Addresses that an EVENT can carry.
MAX_INPUTS = 1 << 15


#: Bytes that are no :class:`Command`: the top bits of EVENT, SKIP and TICKS.
EVENT, SKIP, TICKS = 0x80, 0x40, 0x20
#: Bits of a distance in an EVENT and in a SKIP, SKIPs of an event, and timesteps of a TICKS.
EVENT_BITS, SKIP_BITS, MAX_SKIPS, MAX_TICKS = 7, 6, 2, 32

#: Times that a RUN runs a batch, and bits of a membrane in OBSERVED.
MAX_PASSES, MEMBRANE_BITS = 255, 31


class Kind(enum.IntEnum):
    """Of frames from the host."""

    RESET = 0
    COMMANDS = 1


class Command(enum.IntEnum):
    """Single bytes in the body of COMMANDS."""

    LAST = 0x01
    COUNTERS = 0x02
    CLEAR = 0x03
    IDENTIFY = 0x04
    PING = 0x05
    REWIND = 0x06
    LOAD = 0x07
    GATHER = 0x08
    RUN = 0x09
    OBSERVE = 0x0A
    READ = 0x0B


class Tag(enum.IntEnum):
    """Kind of frames from the board."""

    RESULT = 1
    COUNTERS = 2
    IDENTITY = 3
    PONG = 4
    READY = 5
    OBSERVED = 6
    ERROR = 15


class Fault(enum.IntFlag):
    """What a board complains about; each means that bytes were ignored or lost."""

    UNKNOWN = 1
    ADDRESS = 2
    TIMESTEPS = 4
    FRAMING = 8
    OVERRUN = 16
    VALUE = 32
    WEDGED = 64
    DAMAGED = 128
    SEQUENCE = 256
    VERSION = 512
    BATCH = 1024
    LOAD = 2048


_MEANING = {
    Fault.UNKNOWN: "it got a byte that is no command, or a frame of no kind it knows",
    Fault.ADDRESS: "an event's address does not exist",
    Fault.TIMESTEPS: "an inference has more timesteps than the network is proven for",
    Fault.FRAMING: "a byte had no stop bit; check that both sides have the same baud rate",
    Fault.OVERRUN: "bytes came faster than it took them; keep to the window of untaken bytes",
    Fault.VALUE: "an event's value is 0 or more than the network is proven for",
    Fault.WEDGED: "its network had come to a standstill and was reset; inferences that were not "
                  "answered are lost",
    Fault.DAMAGED: "a frame was cut or its CRC was wrong; check the cable and the baud rate",
    Fault.SEQUENCE: "a frame came out of turn, so one before it is lost",
    Fault.VERSION: f"it does not speak version {VERSION} of the protocol; build and program the "
                   f"bitstream again",
    Fault.BATCH: "a batch is longer than its buffer, or nothing whole was gathered to run; run "
                 "fewer or shorter inferences at once",
    Fault.LOAD: "bytes were to be loaded in the midst of an inference, or more than its memories "
                "take; load as many as it says when it is identified",
}


class LinkError(SpikewrightError):
    """Host and board do not understand each other."""


class DamagedFrameError(LinkError):
    """A frame from the board was cut, or its CRC is wrong."""


class LostReplyError(LinkError):
    """A frame from the board is missing."""


class UnexpectedReplyError(LinkError):
    """A board sent a frame that is none of this protocol, or that nothing asked for."""


class LinkTimeoutError(LinkError):
    """A board did not answer in time."""


class BoardFaultError(LinkError):
    """A board complained; ``faults`` says of what."""

    def __init__(self, faults: Fault):
        self.faults = faults
        meanings = [text for fault, text in _MEANING.items() if fault in faults]
        super().__init__(
            f"the board reports: {'; '.join(meanings) or f'fault {int(faults)}'} "
            f"(reset the link before going on)"
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


def way_bits(ways: int) -> int:
    """Bits of a distance that tell the way; 0 if there is one."""
    return (ways - 1).bit_length()


def distance(way: int, address: int, before: int | None, ways: int) -> int:
    """What an EVENT and the SKIPs in front of it carry.

    The way in its lowest bits; above them how many addresses of the way lie between that of the
    event and ``before``, the one before it in its way and timestep, or address 0 if it is the
    first.
    """
    apart = address if before is None else address - before - 1
    return apart << way_bits(ways) | way


def short(digest: str) -> bytes:
    """As much of a digest in hexadecimal as IDENTITY has."""
    return bytes.fromhex(digest)[:DIGEST_BYTES]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board says about its bitstream.

    Parameters
    ----------
    version
        Of the protocol.
    digest
        First 8 bytes of :attr:`NetworkSpec.digest` of the training that the board carries; zeros if
        it carries none, because it has to be loaded, or a load was not finished.
    shape
        First 8 bytes of :func:`~spikewright.gen.training.shape_digest`, of all of the hardware
        that cannot be loaded.
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
        The host never has more of COMMANDS under way.
    buffer
        Beats it holds before an inference begins.
    load_bytes
        Bytes that fill the memories that are loaded, and the digest behind them.
    clock_hz
        Of the network, 0 if it is not known.
    rows, units
        Of OBSERVED: steps of the longest sweep, and units of the widest, up to a power of two; 0
        of a board that was built without.
    """

    version: int
    digest: bytes
    shape: bytes
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
    clock_hz: int = 0
    rows: int = 0
    units: int = 0

    _FORMAT = struct.Struct("<B8s8sHBBHBIHHHIIIHH")
    BYTES = _FORMAT.size
    #: Where the two digests are among them, and how many bytes they have together.
    DIGESTS_AT, DIGESTS_BYTES = 1, 2 * DIGEST_BYTES

    @classmethod
    def of(
        cls, spec: NetworkSpec, *, shape: str, ways: int, score_bits: int, counter_words: int,
        window: int, buffer: int, load_bytes: int = 0, clock_hz: int = 0, rows: int = 0,
        units: int = 0,
    ) -> "Identity":
        """What a bitstream of ``spec`` says."""
        require_inputs(spec, ways)
        held = spec.input.kind is InputKind.CURRENT
        return cls(
            version=VERSION, digest=short(spec.digest), shape=short(shape),
            inputs=_bank(spec, ways), ways=ways,
            value_bits=spec.input.bits if spec.input.bits > 1 else 0,
            classes=spec.classes, score_bits=score_bits,
            timesteps=1 if held else spec.timesteps, layers=len(spec.layers),
            counter_words=counter_words, window=window, buffer=buffer, load_bytes=load_bytes,
            clock_hz=clock_hz, rows=rows, units=units,
        )

    @property
    def observed_words(self) -> int:
        """Of OBSERVED."""
        return self.rows * self.units

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
        """The body of an IDENTITY frame."""
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
        # With all counters of a layer, with those of protected weights as well, and without any.
        counted = (1, *(self.layers * len(layer_counters(protected)) + len(NETWORK_COUNTERS)
                        for protected in (False, True)))
        for what, allowed in {
            "inputs": range(1, MAX_INPUTS + 1), "ways": range(1, MAX_WAYS + 1),
            "value_bits": range(9), "classes": range(1, 1 << 16), "score_bits": range(1, 65),
            "timesteps": range(1, 1 << 20), "layers": range(1, 1 << 16),
            "counter_words": counted, "window": range(1, 1 << 16),
        }.items():
            if getattr(self, what) not in allowed:
                raise LinkError(
                    f"the board says of itself that {what} is {getattr(self, what)}, which no "
                    f"bitstream has; program the bitstream again"
                )

    def expect(self, spec: NetworkSpec) -> None:
        """Raises WrongBitstreamError unless the board carries ``spec``."""
        if not self.carries(spec):
            carried = f"network {self.digest.hex()}" if any(self.digest) else "no network"
            raise WrongBitstreamError(
                f"the board carries {carried}, not {spec.name} ({spec.digest[:16]}); "
                + ("load it, or program" if self.load_bytes else "program")
                + " the bitstream of this run"
            )

    def carries(self, spec: NetworkSpec) -> bool:
        """Whether what the board computes is ``spec``."""
        return self.digest == short(spec.digest)
