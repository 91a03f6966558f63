"""The prover itself: it proves what is true, refutes what is false and tells which is which."""

# Amaranth's declarations of members call what makes their types.
# pyright: reportInvalidTypeForm=false

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .prover import NotInductiveError, RefutedError, prove
from .streams import assert_offers_without_asking, assume_source, claim_source


class Register(wiring.Component):
    """One payload held; ``fault`` breaks it in one of the ways streams are broken."""

    i: In(stream.Signature(4))
    o: Out(stream.Signature(4))

    def __init__(self, fault: str = ""):
        self.fault = fault
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        with m.If(self.o.ready | (self.fault == "withdraws")):
            m.d.sync += self.o.valid.eq(0)
        room = ~self.o.valid | self.o.ready | (self.fault == "overwrites")
        m.d.comb += self.i.ready.eq(room)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.i.payload)]
        return m


def contract(claims, dut, inside):
    assume_source(claims, dut.i)
    claim_source(claims, dut.o)
    held = Signal(range(-8, 8))
    claims.m.d.sync += held.eq(held + (dut.i.valid & dut.i.ready) - (dut.o.valid & dut.o.ready))
    claims.always("as many out as in", held == dut.o.valid)


def test_a_register_keeps_the_contract():
    prove(Register(), contract)
    assert_offers_without_asking(Register())


@pytest.mark.parametrize(("fault", "broken"), [
    ("withdraws", "o keeps what it offers"), ("overwrites", "as many out as in"),
])
def test_a_broken_register_is_refuted(fault, broken):
    with pytest.raises(RefutedError, match=broken) as refuted:
        prove(Register(fault), contract)
    table = str(refuted.value).splitlines()[1:]
    assert table[0].split()[:3] == ["cycle", "1", "2"]
    assert any(line.startswith("i__valid") for line in table)


class Asking(wiring.Component):
    """Offers only when asked, over a path that hides behind an inverter and a payload bit."""

    o: Out(stream.Signature(2))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.o.valid.eq(1), self.o.payload[1].eq(~self.o.ready)]
        return m


def test_a_path_from_ready_is_found():
    with pytest.raises(AssertionError, match=r"o\.ready leads to"):
        assert_offers_without_asking(Asking())


class Countdown(wiring.Component):
    """Never 7 from reset, but from 9 it would be."""

    o: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.o - (self.o > 7))
        return m


def test_what_does_not_follow_from_itself_is_not_called_false():
    def never_seven(claims, dut, inside):
        claims.always("never seven", dut.o != 7)

    with pytest.raises(NotInductiveError, match="never seven"):
        prove(Countdown(), never_seven, steps=3)
    prove(Countdown(), never_seven, steps=30, from_reset=True)

    def never_above_seven_either(claims, dut, inside):
        never_seven(claims, dut, inside)
        claims.always("never above", dut.o < 7)

    prove(Countdown(), never_above_seven_either)


class Collision(wiring.Component):
    """Reads the word it writes."""

    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(shape=1, depth=2, init=[])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [write.en.eq(1), write.data.eq(0), self.o.eq(read.data)]
        return m


def test_a_word_read_while_it_is_written_is_arbitrary():
    with pytest.raises(RefutedError, match="zero"):
        prove(Collision(), lambda claims, dut, inside: claims.always("zero", dut.o == 0))


def test_assumptions_bind():
    def quiet(claims, dut, inside):
        claims.assume(~dut.i.valid)
        claims.always("silent", ~dut.o.valid)

    prove(Register(), quiet)
