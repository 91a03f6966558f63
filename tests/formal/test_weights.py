"""Loaded bytes become the words they belong to, in order, and only as many as there are."""

import pytest
from amaranth.hdl import Module, Signal

from spikewright.gen.folding import Storage
from spikewright.gen.rtl.weights import WeightStore

from .prover import Claims, RefutedError, internal
from .reachability import prove_unbounded

#: depth, lanes, weight_bits: one byte a word, one and a bit, two.
SHAPES = [(3, 1, 2), (2, 3, 3), (1, 4, 4)]


def store(depth, lanes, bits, storage=Storage.LOADABLE, dut=WeightStore) -> WeightStore:
    return dut([[n % 2] * lanes for n in range(depth)], lanes, bits, storage)


def loads(claims: Claims, dut: WeightStore, inside: Module):
    """Looks at one word, whichever it is."""
    m, load = claims.m, dut.load
    word = claims.fixed(max(1, (dut.depth - 1).bit_length()), "word")
    claims.assume(word < dut.depth)
    claims.assume(dut.address < dut.depth)
    size = dut.shape.size

    # Words and bytes of them that came since `begin`; as built, all are there.
    words, place = Signal(range(dut.depth + 1), init=dut.depth), Signal(range(dut.word_bytes))
    written, content = Signal(), Signal(8 * dut.word_bytes)
    with m.If(load.begin):
        m.d.sync += [words.eq(0), place.eq(0), written.eq(0)]
    with m.Elif(load.valid & (words != dut.depth)):
        m.d.sync += place.eq(place + 1)
        with m.If(words == word):
            m.d.sync += content.word_select(place, 8).eq(load.byte)
        with m.If(place == dut.word_bytes - 1):
            m.d.sync += [place.eq(0), words.eq(words + 1)]
            with m.If(words == word):
                m.d.sync += written.eq(1)
    # A word is there in the cycle after the write that follows its last byte.
    whole = written & claims.past(written)
    asked = claims.past(dut.enable & (dut.address == word) & whole)
    claims.always("is full when all words came", dut.full == (words == dut.depth))
    claims.always("holds what came", ~asked | (dut.data.as_value() == claims.past(
        content[:size])))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_word_is_loaded_where_it_belongs(shape):
    prove_unbounded(store(*shape), loads)


class Crossed(WeightStore):
    """Goes on in the word where a load was broken off."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        place = internal(m, "place")
        with m.If(self.load.begin):
            m.d.sync += place.eq(place)
        return m


def test_a_byte_in_the_wrong_word_is_found():
    with pytest.raises(RefutedError, match=r"is full when|holds what"):
        prove_unbounded(store(*SHAPES[1], dut=Crossed), loads)
