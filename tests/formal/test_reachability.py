"""The search proves what is true, refutes what is false with a story, and says when it gave up."""

import pytest

from .prover import RefutedError
from .reachability import UndecidedError, assert_possible, prove_unbounded
from .test_linear import SHAPES, exact, synapses
from .test_prover import Countdown, Register, contract


def test_finds_its_own_invariant():
    """That no claim implies itself is nothing to it."""
    prove_unbounded(Countdown(), lambda claims, dut, inside: claims.always(
        "never seven", dut.o != 7))


@pytest.mark.parametrize(("fault", "broken"), [
    ("withdraws", "o keeps what it offers"), ("overwrites", "as many out as in"),
])
def test_tells_the_story_of_what_is_wrong(fault, broken):
    with pytest.raises(RefutedError, match=broken):
        prove_unbounded(Register(fault), contract)
    prove_unbounded(Register(), contract)


def test_what_cannot_happen_is_not_called_possible():
    def quiet(claims, dut, inside):
        claims.assume(~dut.i.valid)

    assert_possible(Register(), contract, lambda dut: dut.o.valid)
    with pytest.raises(AssertionError, match="never happens"):
        assert_possible(Register(), quiet, lambda dut: dut.o.valid)


def test_says_when_it_gives_up():
    with pytest.raises(UndecidedError, match="no answer in 1 s"):
        prove_unbounded(synapses(*SHAPES[0]), exact, seconds=1)
