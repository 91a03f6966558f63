"""What travels between components is no wider than what it says."""

from spikewright.gen.rtl.streams import EventLayout, ResultLayout


def test_events():
    """Two slots of a flag, 5 bits of address and 3 of value; the ends of timestep and inference."""
    assert EventLayout(5, ways=2, value_bits=3).size == 2 * (1 + 5 + 3) + 1 + 1
    assert EventLayout(5).size == 1 + 5 + 1 + 1


def test_results():
    """A class, its score, the winner, the end."""
    assert ResultLayout(10, 7).size == 4 + 7 + 4 + 1
    assert ResultLayout(1, 7).size == 1 + 7 + 1 + 1
