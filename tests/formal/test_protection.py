"""Codes of weights, for all words: gates mend one flip, and find two."""

import pytest
from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.gen.folding import Protection
from spikewright.gen.protection import WordCode
from spikewright.gen.rtl.protection import WeightDecoder, encoded

from .prover import RefutedError, prove


class Flipped(wiring.Component):
    """A word, coded, with bits ``one`` and ``other`` of it flipped if so many are, and decoded."""

    def __init__(self, code: WordCode, decoder=WeightDecoder):
        self.code, self.decoder = code, decoder(code)
        super().__init__({
            "word": In(code.data_bits), "flips": In(2),
            "one": In(range(code.width)), "other": In(range(code.width)),
            "o": Out(code.data_bits), "mended": Out(1), "rejected": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self.decoder
        first, second = self.flips >= 1, self.flips >= 2
        m.d.comb += [
            decoder.i.eq(encoded(self.code, self.word) ^ Cat(
                ((self.one == bit) & first) ^ ((self.other == bit) & second)
                for bit in range(self.code.width))),
            self.o.eq(decoder.o), self.mended.eq(decoder.mended),
            self.rejected.eq(decoder.rejected),
        ]
        return m


def decodes(claims, dut: Flipped, inside: Module):
    """Of all words, one or two flips anywhere in one group; in groups beside it, nothing."""
    claims.assume((dut.flips <= 2) & (dut.one != dut.other))
    claims.assume((dut.one < dut.code.width) & (dut.other < dut.code.width))
    numbers = {bit: number for number, group in enumerate(dut.code.groups)
               for bit in (*range(group.first, group.first + group.bits),
                           *range(group.checks, group.checks + group.check_bits))}

    def group_of(place):
        number = Signal(range(len(dut.code.groups) + 1))
        with claims.m.Switch(place):
            for bit, group in numbers.items():
                with claims.m.Case(bit):
                    claims.m.d.comb += number.eq(group)
        return number

    here, there = group_of(dut.one), group_of(dut.other)
    claims.assume((dut.flips != 2) | (here == there))
    word, flips, struck = claims.past(dut.word), claims.past(dut.flips), claims.past(here)
    cleared = Signal(dut.code.data_bits)
    claims.m.d.comb += cleared.eq(Cat(
        Mux(struck == numbers[bit], 0, word[bit]) for bit in range(dut.code.data_bits)))
    ecc = dut.code.protect is Protection.ECC
    begun = claims.begun
    claims.always("what was not hit is as it was",
                  ~begun | (flips != 0) | ((dut.o == word) & ~dut.mended & ~dut.rejected))
    if ecc:
        claims.always("one flip is mended",
                      ~begun | (flips != 1) | ((dut.o == word) & dut.mended & ~dut.rejected))
        claims.always("two flips are found",
                      ~begun | (flips != 2) | ((dut.o == cleared) & ~dut.mended & dut.rejected))
    else:
        claims.always("one flip is found",
                      ~begun | (flips != 1) | ((dut.o == cleared) & ~dut.mended & dut.rejected))


@pytest.mark.parametrize("protect", [Protection.PARITY, Protection.ECC])
@pytest.mark.parametrize(("lanes", "bits"), [(1, 2), (3, 3)])
def test_small_codecs_whole(lanes, bits, protect):
    prove(Flipped(WordCode(lanes, bits, protect)), decodes, steps=3)


def is_linear(claims, dut: Flipped, inside: Module):
    """For all words: a coded word has no syndrome; and whatever word is read, what it is changed
    by, and what is told of it, depends on its syndrome alone, as the code says. The syndrome of a
    sum is the sum of syndromes. So what single and double flips do to one word, of which
    tests/gen/test_protection.py tries every one, they do to all."""
    code, raw = dut.code, claims.any(dut.code.width, "raw")
    coded = Signal(code.width)
    claims.m.d.comb += coded.eq(encoded(code, dut.word))
    claims.m.submodules.reader = reader = WeightDecoder(code)
    claims.m.d.comb += reader.i.eq(raw)
    before, rejected, mended = claims.past(raw), [], []
    for number, group in enumerate(code.groups):
        def syndrome(word, group=group):
            return Cat(Cat(word[group.checks + check], *(
                word[group.first + bit] for bit, column in enumerate(group.columns)
                if column >> check & 1)).xor() for check in range(group.check_bits))

        claims.always(f"group {number} of a coded word holds", syndrome(coded) == 0)
        wrong = Signal(group.check_bits, name=f"wrong_{number}")
        claims.m.d.comb += wrong.eq(syndrome(before))
        data = before[group.first : group.first + group.bits]
        read = reader.o[group.first : group.first + group.bits]
        single = C(0)
        if code.protect is Protection.ECC:
            single = Cat(wrong == column for column in (
                *group.columns, *(1 << check for check in range(group.check_bits)))).any()
        flip = Cat((wrong == column) & single for column in group.columns)
        lost = (wrong != 0) & ~single
        claims.always(f"group {number} is read as its syndrome says",
                      ~claims.begun | (read == Mux(lost, 0, data ^ flip)))
        rejected.append(lost)
        mended.append(single)
    claims.always("what was found is told", ~claims.begun | (
        (reader.rejected == Cat(rejected).any()) & (reader.mended == Cat(mended).any())))


#: lanes, weight_bits: the widest groups, narrower ones, and words of several groups.
SHAPES = [(4, 4), (16, 4), (18, 4), (9, 8)]


@pytest.mark.parametrize(("lanes", "bits", "protect"), [
    *((*shape, Protection.PARITY) for shape in SHAPES), (*SHAPES[0], Protection.ECC),
    *(pytest.param(*shape, Protection.ECC, marks=pytest.mark.slow) for shape in SHAPES[1:]),
])
def test_codecs_are_linear(lanes, bits, protect):
    prove(Flipped(WordCode(lanes, bits, protect)), is_linear, steps=3)


class Hamming(WordCode):
    """Without the check that tells one flip from two: columns of even weight too."""

    def __init__(self, lanes, weight_bits, protect):
        super().__init__(lanes, weight_bits, protect)
        group = self.groups[0]
        columns = [column for column in range(1 << group.check_bits) if column.bit_count() > 1]
        object.__setattr__(group, "columns", tuple(columns[: group.bits]))


def test_a_code_without_odd_columns_is_refuted():
    with pytest.raises(RefutedError, match=r"are_found|are found|is mended"):
        prove(Flipped(Hamming(3, 3, Protection.ECC)), decodes, steps=3)
