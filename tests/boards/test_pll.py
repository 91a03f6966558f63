from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.boards.pll import ClockError, Ecp5Loop, Ice40Loop

ICE40, ECP5 = Ice40Loop(), Ecp5Loop()


@pytest.mark.parametrize(("oscillator", "most", "dividers"), [
    # As icepll of Project IceStorm answers: 12 → 30, 12 → 39.75, 16 → 48 MHz.
    (12e6, 30e6, (1, 80, 32)), (12e6, 39.75e6, (1, 53, 16)), (16e6, 48e6, (1, 48, 16)),
])
def test_known_settings_of_an_ice40(oscillator, most, dividers):
    found = ICE40.fastest(int(oscillator), most)
    assert (found.reference, found.feedback, found.output) == dividers
    assert found.hz == most


@settings(deadline=None)  # the first of an oscillator makes its table
@given(st.sampled_from([ICE40, ECP5]), st.sampled_from([12, 16, 25, 48, 50, 100]),
       st.floats(17, 250))
def test_every_frequency_is_within_its_range(loop, oscillator_mhz, most_mhz):
    found = loop.fastest(oscillator_mhz * 10**6, most_mhz * 1e6)
    reference = Fraction(oscillator_mhz * 10**6, found.reference)
    inner = reference * found.feedback * found.loop
    assert found.hz == inner / found.output <= most_mhz * 1e6
    assert loop.reference_hz[0] <= reference <= loop.reference_hz[1]
    assert loop.oscillator_hz[0] <= inner <= loop.oscillator_hz[1]
    assert loop.output_hz[0] <= found.hz <= loop.output_hz[1]
    # Steps are fine enough that little speed is lost.
    assert found.hz > most_mhz * 1e6 * 0.93


@pytest.mark.parametrize(("reference", "filter_range"), [
    (12e6, 1), (17e6, 2), (25e6, 2), (50e6, 4), (100e6, 5), (101e6, 6),
])
def test_filter_range(reference, filter_range):
    assert ICE40.filter_range(reference) == filter_range


def test_what_cannot_be_made_is_refused():
    with pytest.raises(ClockError, match=r"at most 3 MHz can be made of the board's 12 MHz; the "
                                         r"slowest is 16\.\d+ MHz"):
        ICE40.fastest(12_000_000, 3e6)
    with pytest.raises(ClockError, match="takes none"):
        ICE40.fastest(5_000_000, 30e6)
