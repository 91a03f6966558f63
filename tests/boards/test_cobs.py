import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from hypothesis import given
from hypothesis import strategies as st

from spikewright.boards.cobs import (
    BLOCK,
    CobsDecoder,
    CobsEncoder,
    StuffedByte,
    StuffingError,
    stuff,
    unstuff,
)

from ..gen.streams import check_stream

#: Zeros where blocks begin and end, and blocks of every length that matters.
FRAMES = [b"\0", b"\0\0", b"a", b"a\0", b"\0a", b"a\0b", bytes([7]) * (BLOCK - 1),
          bytes([7]) * BLOCK, bytes([7]) * BLOCK + b"\0", bytes([7]) * (BLOCK + 1),
          bytes([7]) * BLOCK + b"\0\0b"]
STALLS = [(0.0, 0.0), (0.4, 0.4)]


def frame_bytes(frame: bytes) -> list[dict]:
    return [{"byte": byte, "last": int(n == len(frame) - 1)} for n, byte in enumerate(frame)]


@given(st.one_of(st.binary(max_size=600),
                 st.lists(st.sampled_from([b"\0", b"a", b"b" * 253, b"b" * 254])).map(b"".join)))
def test_any_frame_comes_back(frame):
    stuffed = stuff(frame)
    assert 0 not in stuffed
    assert len(stuffed) <= len(frame) + len(frame) // BLOCK + 1
    assert unstuff(stuffed) == frame


@pytest.mark.parametrize(("frame", "stuffed"), [
    (b"", b"\1"), (b"\0", b"\1\1"), (b"\x11\x22\0\x33", b"\3\x11\x22\2\x33"),
    (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255))),
])
def test_known_frames(frame, stuffed):
    assert stuff(frame) == stuffed


@given(st.binary(max_size=20))
def test_what_is_cut_or_has_a_zero_is_refused(stuffed):
    try:
        frame = unstuff(stuffed)
    except StuffingError:
        return
    assert unstuff(stuff(frame)) == frame
    assert 0 not in stuffed


@pytest.mark.parametrize("stalls", STALLS)
def test_hardware_stuffs_alike(stalls):
    check_stream(CobsEncoder(), [each for frame in FRAMES for each in frame_bytes(frame)],
                 b"".join(stuff(frame) + b"\0" for frame in FRAMES), stalls=stalls)


@pytest.mark.parametrize("stalls", STALLS)
def test_hardware_unstuffs_alike_and_notices_cut_blocks(stalls):
    sent, expected = bytearray(b"\0\0"), []
    for number, frame in enumerate(FRAMES):
        cut = number % 3 == 2
        sent += stuff(frame + b"a" * cut)[: -1 if cut else None] + b"\0" * (1 + number % 2)
        expected += [(byte, 0, 0) for byte in frame] + [(0, 1, int(not cut))]
    seen = [{"byte": byte, "end": end, "whole": whole} for byte, end, whole in expected]
    check_stream(Told(), bytes(sent), seen, stalls=stalls)


class Told(wiring.Component):
    """A decoder whose payload is 0 where it means nothing; behind an encoder, if that is given."""

    def __init__(self, encoder: CobsEncoder | None = None):
        self.encoder, self.decoder = encoder, CobsDecoder(encoder.block if encoder else BLOCK)
        super().__init__({"i": In((encoder or self.decoder).i.signature.flip()),
                          "o": Out(stream.Signature(StuffedByte()))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self.decoder
        if self.encoder is None:
            connect(m, flipped(self.i), decoder.i)
        else:
            m.submodules.encoder = self.encoder
            connect(m, flipped(self.i), self.encoder.i)
            connect(m, self.encoder.o, decoder.i)
        end = decoder.o.payload.end
        m.d.comb += [
            self.o.valid.eq(decoder.o.valid), decoder.o.ready.eq(self.o.ready),
            self.o.payload.end.eq(end), self.o.payload.whole.eq(end & decoder.o.payload.whole),
        ]
        with m.If(~end):
            m.d.comb += self.o.payload.byte.eq(decoder.o.payload.byte)
        return m


@pytest.mark.parametrize("block", [1, 2, 3])
def test_short_blocks_come_back(block):
    """Everything that happens at the end of a block, often."""
    frames = [bytes(n >> bit & 1 for bit in range(length))
              for length in range(1, 5) for n in range(1 << length)]
    expected = [each for frame in frames
                for each in [*({"byte": byte, "end": 0, "whole": 0} for byte in frame),
                             {"byte": 0, "end": 1, "whole": 1}]]
    check_stream(Told(CobsEncoder(block)),
                 [each for frame in frames for each in frame_bytes(frame)], expected,
                 stalls=(0.1, 0.3))
