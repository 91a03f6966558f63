"""Consistent overhead byte stuffing: bytes without 0x00, so that a 0x00 can end a frame.

A frame is cut at its zeros, and into blocks of at most :data:`BLOCK` bytes; each block is sent
behind a byte that is its length + 1. A zero follows a block unless it has :data:`BLOCK` bytes, or
is the last. See S. Cheshire and M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM
Transactions on Networking 7 (2), 1999.
"""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.errors import SpikewrightError

#: Most bytes of a block.
BLOCK = 254


class StuffingError(SpikewrightError, ValueError):
    """Bytes that are no stuffed frame."""


def stuff(frame: bytes) -> bytes:
    """``frame`` without zeros and without the 0x00 that ends it."""
    out = bytearray()
    pieces = frame.split(b"\0")
    for number, piece in enumerate(pieces):
        rest = piece
        while len(rest) >= BLOCK:
            out.append(BLOCK + 1)
            out += rest[:BLOCK]
            rest = rest[BLOCK:]
        # Behind a full block that ends the frame, nothing is left to say.
        if rest or len(piece) == 0 or number < len(pieces) - 1:
            out.append(len(rest) + 1)
            out += rest
    return bytes(out)


def unstuff(stuffed: bytes) -> bytes:
    """What :func:`stuff` was given; StuffingError if a block is cut, or a byte is 0."""
    out, at = bytearray(), 0
    while at < len(stuffed):
        length = stuffed[at] - 1
        block = stuffed[at + 1 : at + 1 + length]
        if length < 0 or len(block) < length or 0 in block:
            raise StuffingError(
                f"byte {at} of {len(stuffed)} begins a block of {length} bytes that is not there; "
                f"what was received is no frame of this protocol, or a part of one"
            )
        at += 1 + length
        out += block
        if length < BLOCK and at < len(stuffed):
            out.append(0)
    return bytes(out)


class FrameByte(data.StructLayout):
    """``byte`` of a frame; ``last``: it is the last one."""

    def __init__(self):
        super().__init__({"byte": 8, "last": 1})


class CobsEncoder(wiring.Component):
    """Frames to bytes on the wire, the 0x00 behind each included; as :func:`stuff`.

    Throughput: a block of n bytes takes 2n + 3 cycles. Latency: a block leaves when it is whole.

    Parameters
    ----------
    block : int
        :data:`BLOCK`, or less to see what happens at its end.

    Members
    -------
    i : In(stream of FrameByte)
    o : Out(stream of 8 bits)
    """

    def __init__(self, block: int = BLOCK):
        self.block = block
        super().__init__({"i": In(stream.Signature(FrameByte())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = held = memory.Memory(shape=8, depth=self.block, init=[])
        write, read = held.write_port(), held.read_port()
        count, index = Signal(range(self.block + 1)), Signal(range(self.block + 1))
        zero, last = Signal(), Signal()
        byte = self.i.payload.byte
        taken, sent = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            write.addr.eq(count), write.data.eq(byte), write.en.eq(taken & (byte != 0)),
            read.addr.eq(index),
        ]
        with m.FSM():
            with m.State("FILL"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [last.eq(self.i.payload.last), zero.eq(byte == 0)]
                    with m.If(byte != 0):
                        m.d.sync += count.eq(count + 1)
                    with m.If((byte == 0) | self.i.payload.last | (count == self.block - 1)):
                        m.next = "LENGTH"
            with m.State("LENGTH"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(count + 1)]
                with m.If(sent):
                    m.d.comb += read.addr.eq(0)
                    m.d.sync += index.eq(0)
                    m.next = "BLOCK"
                    with m.If(count == 0):
                        m.next = "AFTER"
            with m.State("BLOCK"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(read.data)]
                with m.If(sent):
                    m.d.comb += read.addr.eq(index + 1)
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == count - 1):
                        m.next = "AFTER"
            with m.State("AFTER"):
                m.d.sync += [count.eq(0), zero.eq(0)]
                m.next = "FILL"
                with m.If(last):
                    # Behind a zero at the end stands an empty block.
                    m.next = "END"
                    with m.If(zero):
                        m.next = "LENGTH"
            with m.State("END"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(sent):
                    m.next = "FILL"
        return m


class StuffedByte(data.StructLayout):
    """``byte`` of a frame, or its ``end``: then ``whole`` says that no block was cut."""

    def __init__(self):
        super().__init__({"byte": 8, "end": 1, "whole": 1})


class CobsDecoder(wiring.Component):
    """Bytes on the wire to frames; as :func:`unstuff`. A 0x00 behind another is ignored.

    Throughput: one byte per cycle. Latency: none.

    Parameters
    ----------
    block : int
        As of :class:`CobsEncoder`.

    Members
    -------
    i : In(stream of 8 bits)
    lost : In
        A byte behind the last one was lost on the wire: it was of a frame, which the next 0x00
        ends, even if nothing else of it comes.
    o : Out(stream of StuffedByte)
    """

    def __init__(self, block: int = BLOCK):
        self.block = block
        super().__init__({"i": In(stream.Signature(8)), "lost": In(1),
                          "o": Out(stream.Signature(StuffedByte()))})

    def elaborate(self, platform):
        m = Module()
        byte = self.i.payload
        left, zero, begun = Signal(8), Signal(), Signal()
        end, length = byte == 0, left == 0
        told = Mux(end, begun, ~length | zero)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & told), self.i.ready.eq(self.o.ready | ~told),
            self.o.payload.byte.eq(Mux(length, 0, byte)),
            self.o.payload.end.eq(end), self.o.payload.whole.eq(length),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [begun.eq(~end), left.eq(left - 1)]
            with m.If(end):
                m.d.sync += [left.eq(0), zero.eq(0)]
            with m.Elif(length):
                m.d.sync += [left.eq(byte - 1), zero.eq(byte != self.block + 1)]
        with m.If(self.lost):
            m.d.sync += begun.eq(1)
        return m
