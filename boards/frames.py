"""Frames of :mod:`~spikewright.boards.protocol`: kind, number, body and CRC-32, stuffed.

The CRC is CRC-32/ISO-HDLC, that of Ethernet and zip files, low byte first, over all before it.
"""

import zlib
from typing import Any

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from .cobs import FrameByte, StuffedByte, StuffingError, stuff, unstuff
from .protocol import VERSION, DamagedFrameError, Fault, Kind

CRC_BYTES = 4


def frame(kind: int, number: int, body: bytes = b"", version: int = VERSION) -> bytes:
    """A frame as it goes over the wire, its 0x00 included."""
    content = bytes([version << 4 | kind, number & 0xFF]) + body
    return stuff(content + zlib.crc32(content).to_bytes(CRC_BYTES, "little")) + b"\0"


def unframe(stuffed: bytes) -> tuple[int, int, int, bytes]:
    """Version, kind, number and body of a frame, given without its 0x00.

    Raises
    ------
    DamagedFrameError
        If it is cut, or its CRC is wrong.
    """
    try:
        content = unstuff(stuffed)
    except StuffingError as error:
        raise DamagedFrameError(str(error)) from error
    content, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if len(content) < 2 or int.from_bytes(crc, "little") != zlib.crc32(content):
        raise DamagedFrameError(
            f"a frame of {len(stuffed)} bytes has a wrong CRC; check the cable and the baud rate, "
            f"and reset the link"
        )
    return content[0] >> 4, content[0] & 0xF, content[1], content[2:]


class FrameReceiver(wiring.Component):
    """Keeps the bytes of frames and passes them on once their CRC was right.

    Nothing of a frame that is cut, damaged, too long, of another version or out of turn is passed
    on; ``faults`` says why.

    Throughput: one byte per cycle in, one per 2 cycles out. Latency: 3 cycles from the end of a
    frame.

    Parameters
    ----------
    depth : int
        Bytes that it holds; a power of two.

    Members
    -------
    i : In(stream of StuffedByte)
        Always taken within 2 cycles.
    spoil : In
        A byte of this frame was lost on the wire.
    o : Out(stream of 8 bits)
        Bodies of COMMANDS, one after the other. What is offered is withdrawn with ``reset``.
    taken : Out
        Bytes that have left since ``reset``, modulo 2¹⁶.
    reset : Out
        High for one cycle at a RESET.
    number : Out
        Of the RESET before.
    faults : Out
        High for one cycle per frame that is refused.
    """

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(StuffedByte())), "spoil": In(1),
            "o": Out(stream.Signature(8)), "taken": Out(16), "reset": Out(1), "number": Out(8),
            "faults": Out(Fault),
        })

    def elaborate(self, platform):
        m = Module()
        # Any: the types that are written for Amaranth leave out its CRC.
        crc: Any = CRC32_ISO_HDLC(data_width=8).create()
        m.submodules.crc = crc
        m.submodules.memory = held = memory.Memory(shape=8, depth=self.depth, init=[])
        write, read = held.write_port(), held.read_port()
        # One bit more than an address tells a full memory from an empty one.
        written, known, left = (Signal(range(2 * self.depth), name=name)
                                for name in ("written", "known", "left"))
        kind, number, expected = Signal(8), Signal(8), Signal(8)
        length = Signal(range(2 + CRC_BYTES + 1))
        ended, broken, overrun = Signal(), Signal(), Signal()
        full = (written ^ left) == self.depth
        byte, taken = self.i.payload.byte, self.i.valid & self.i.ready
        content = taken & ~self.i.payload.end

        m.d.comb += [
            self.i.ready.eq(~ended),
            crc.data.eq(byte), crc.valid.eq(content), crc.start.eq(ended),
            write.addr.eq(written), write.data.eq(byte),
            write.en.eq(content & (length >= 2) & ~full),
        ]
        with m.If(self.spoil):
            m.d.sync += broken.eq(1)
        with m.If(content):
            with m.If(length != 2 + CRC_BYTES):
                m.d.sync += length.eq(length + 1)
            with m.If(length == 0):
                m.d.sync += kind.eq(byte)
            with m.Elif(length == 1):
                m.d.sync += number.eq(byte)
            with m.Elif(full):
                m.d.sync += overrun.eq(1)
            with m.Else():
                m.d.sync += written.eq(written + 1)
        with m.If(taken & self.i.payload.end):
            m.d.sync += [ended.eq(1), broken.eq(broken | self.spoil | ~self.i.payload.whole)]

        with m.If(ended):
            m.d.sync += [ended.eq(0), length.eq(0), broken.eq(self.spoil), overrun.eq(0),
                         written.eq(known)]
            with m.If(broken | ~crc.match_detected | (length != 2 + CRC_BYTES)):
                m.d.comb += self.faults.eq(Fault.DAMAGED)
            with m.Elif(kind[4:] != VERSION):
                m.d.comb += self.faults.eq(Fault.VERSION)
            with m.Elif(kind[:4] == Kind.RESET):
                m.d.comb += self.reset.eq(1)
                m.d.sync += [self.number.eq(number), expected.eq(number + 1)]
            with m.Elif(kind[:4] != Kind.COMMANDS):
                m.d.comb += self.faults.eq(Fault.UNKNOWN)
            with m.Elif(number != expected):
                m.d.comb += self.faults.eq(Fault.SEQUENCE)
            with m.Elif(overrun):
                m.d.comb += self.faults.eq(Fault.OVERRUN)
            with m.Else():
                kept = (written - CRC_BYTES)[: len(written)]
                m.d.sync += [known.eq(kept), written.eq(kept), expected.eq(expected + 1)]

        fetch = ~self.o.valid & (left != known)
        m.d.comb += [read.addr.eq(left), read.en.eq(fetch), self.o.payload.eq(read.data)]
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), left.eq(left + 1)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), self.taken.eq(self.taken + 1)]
        with m.If(self.reset):
            m.d.sync += [self.o.valid.eq(0), self.taken.eq(0),
                         written.eq(0), known.eq(0), left.eq(0)]
        return m


class FrameSender(wiring.Component):
    """Puts what every reply has around its kind and body: number, bytes taken, and CRC.

    Throughput: one byte per cycle, and 1 cycle between frames. No latency.

    Members
    -------
    i : In(stream of FrameByte)
        The byte of the kind, then the body.
    taken : In
        As of :class:`FrameReceiver`.
    o : Out(stream of FrameByte)
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(FrameByte())), "taken": In(16),
            "o": Out(stream.Signature(FrameByte())),
        })

    def elaborate(self, platform):
        m = Module()
        crc: Any = CRC32_ISO_HDLC(data_width=8).create()
        m.submodules.crc = crc
        number, told, check = Signal(8), Signal(16), Signal(32)
        place, last = Signal(range(CRC_BYTES)), Signal()
        sent = self.o.valid & self.o.ready
        m.d.comb += [crc.data.eq(self.o.payload.byte), crc.valid.eq(sent)]

        def offer(value):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.byte.eq(value)]

        def passes():
            m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready),
                         self.o.payload.byte.eq(self.i.payload.byte)]

        with m.FSM():
            with m.State("KIND"):
                passes()
                with m.If(sent):
                    m.d.sync += [last.eq(self.i.payload.last), told.eq(self.taken)]
                    m.next = "NUMBER"
            with m.State("NUMBER"):
                offer(number)
                with m.If(sent):
                    m.d.sync += number.eq(number + 1)
                    m.next = "LOW"
            with m.State("LOW"):
                offer(told[:8])
                with m.If(sent):
                    m.next = "HIGH"
            with m.State("HIGH"):
                offer(told[8:])
                with m.If(sent):
                    m.next = "BODY"
                    with m.If(last):
                        m.next = "CHECK"
            with m.State("BODY"):
                passes()
                with m.If(sent & self.i.payload.last):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += check.eq(crc.crc)
                m.next = "CRC"
            with m.State("CRC"):
                offer(check.word_select(place, 8))
                m.d.comb += [crc.valid.eq(0), self.o.payload.last.eq(place == CRC_BYTES - 1)]
                with m.If(sent):
                    m.d.sync += place.eq(place + 1)
                    with m.If(self.o.payload.last):
                        m.next = "KIND"
        return m
