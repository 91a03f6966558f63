import itertools
import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen.arithmetic import Rounding, decay, signed_bits, signed_digits


@given(st.integers(-(1 << 20), 1 << 20), st.integers(-1000, 1000), st.integers(0, 16))
def test_decay_is_exact_rounding_of_the_quotient(v, factor, fraction):
    exact = Fraction(v * factor, 1 << fraction)
    assert decay(v, factor, fraction, Rounding.FLOOR) == math.floor(exact)
    assert decay(v, factor, fraction, Rounding.NEAREST) == math.floor(exact + Fraction(1, 2))
    assert decay(v, factor, fraction, Rounding.TOWARD_ZERO) == math.trunc(exact)


@given(st.integers(-(1 << 24), 1 << 24))
def test_signed_digits_add_up_and_are_sparse(constant):
    digits = signed_digits(constant)
    assert sum(sign << shift for shift, sign in digits) == constant
    shifts = [shift for shift, _ in digits]
    assert all(b - a >= 2 for a, b in itertools.pairwise(shifts))
    assert len(digits) <= bin(abs(constant)).count("1") + 1


@given(st.integers(-(1 << 24), 1 << 24), st.integers(-(1 << 24), 1 << 24))
def test_signed_bits_is_the_narrowest_width(a, b):
    low, high = min(a, b), max(a, b)
    bits = signed_bits(low, high)
    assert -(1 << (bits - 1)) <= low
    assert high < 1 << (bits - 1)
    if bits > 1:
        assert low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)
