"""Frames keep the rules of streams, and nothing is offered before its CRC was right."""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikewright.boards.cobs import CobsDecoder, CobsEncoder, FrameByte, StuffedByte
from spikewright.boards.frames import FrameReceiver, FrameSender

from .prover import Claims, internal
from .reachability import prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_same, claim_source


def ends_frames(claims: Claims, dut: CobsEncoder, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    whole = Signal()
    zero = o.payload == 0
    with m.If(i.valid & i.ready):
        m.d.sync += whole.eq(i.payload.last)
    with m.If(o.valid & o.ready & zero):
        m.d.sync += whole.eq(0)
    claims.always("only the end of a frame is 0", ~(o.valid & zero) | whole)
    claims.always("a frame ends before the next begins", ~i.ready | ~whole)


@pytest.mark.parametrize("block", [1, 2])
def test_a_frame_is_stuffed_and_ended(block):
    prove_unbounded(CobsEncoder(block), ends_frames)
    assert_offers_without_asking(CobsEncoder(block))


def unstuffs(claims: Claims, dut: CobsDecoder, inside: Module):
    assume_source(claims, dut.i)
    claim_source(claims, dut.o)


def test_unstuffing_keeps_the_rules():
    prove_unbounded(CobsDecoder(), unstuffs)
    assert_offers_without_asking(CobsDecoder())


class Both(wiring.Component):
    """Into one and out of the other."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(FrameByte())),
                          "o": Out(stream.Signature(StuffedByte()))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.encoder = encoder = CobsEncoder(2)
        m.submodules.decoder = decoder = CobsDecoder(2)
        connect(m, flipped(self.i), encoder.i)
        connect(m, encoder.o, decoder.i)
        connect(m, decoder.o, flipped(self.o))
        return m


def comes_back(claims: Claims, dut: Both, inside: Module):
    i, o = dut.i, dut.o
    assume_source(claims, i)
    entering = SimpleNamespace(valid=i.valid, ready=i.ready, payload=i.payload.byte)
    leaving = SimpleNamespace(valid=o.valid & ~o.payload.end, ready=o.ready,
                              payload=o.payload.byte)
    claim_same(claims, entering, leaving, most=3)
    claims.always("no block is cut", ~o.valid | ~o.payload.end | o.payload.whole)


def test_what_was_stuffed_comes_back():
    prove_unbounded(Both(), comes_back)


def holds(claims: Claims, dut: FrameReceiver, inside: Module):
    m, o = claims.m, dut.o
    assume_source(claims, dut.i)
    waiting = claims.past(o.valid & ~o.ready & ~dut.reset)
    claims.always("keeps what it offers", ~waiting | (
        o.valid & (o.payload == claims.past(o.payload))))
    claims.always("is never in the way for long", dut.i.ready | claims.past(dut.i.ready))
    written, known, left = (internal(inside, name) for name in ("written", "known", "left"))
    size = len(written)
    held, checked = (written - left)[:size], (known - left)[:size]
    claims.always("holds no more than fits", held <= dut.depth)
    claims.always("what is known is there", checked <= held)
    bad = dut.faults.as_value().any() if hasattr(dut.faults, "as_value") else dut.faults.any()
    changed = Signal()
    m.d.comb += changed.eq(known != claims.past(known))
    claims.always("nothing of a refused frame is known", ~claims.past(bad) | ~changed)
    crc = inside.submodules.crc
    claims.always("nothing is known without its CRC",
                  ~claims.begun | ~changed | claims.past(crc.match_detected))


def test_nothing_passes_without_its_crc():
    prove_unbounded(FrameReceiver(8), holds)
    assert_offers_without_asking(FrameReceiver(8))


def frames(claims: Claims, dut: FrameSender, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    added, ended = Signal(3), Signal()
    took, sent = i.valid & i.ready, o.valid & o.ready
    with m.If(took & i.payload.last):
        m.d.sync += ended.eq(1)
    with m.If(sent & ~took):
        m.d.sync += added.eq(added + 1)
    with m.If(sent & o.payload.last):
        m.d.sync += [added.eq(0), ended.eq(0)]
    claims.always("a byte leaves as it came", ~took | (sent & (o.payload.byte == i.payload.byte)))
    claims.always("seven bytes are added", ~(sent & o.payload.last) | (added == 6))
    claims.always("to a frame that has ended", ~(sent & o.payload.last) | ended)
    claims.always("and then the next begins", ~took | ~ended)


def test_seven_bytes_are_added_to_a_reply():
    prove_unbounded(FrameSender(), frames)
    assert_offers_without_asking(FrameSender())
