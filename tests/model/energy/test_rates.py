import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.model.energy.conditions import (
    compute_premium,
    computes_cheaper,
    least_premium,
    within_threshold,
)
from spikewright.model.energy.hardware import Hardware
from spikewright.model.energy.rates import (
    CODINGS,
    density_bounds,
    density_of,
    possible,
    rate_bounds,
    rate_of,
    representable,
)

law = settings(max_examples=50, deadline=None)
shares, timesteps = st.floats(0, 1), st.integers(1, 500)


@law
@given(timesteps)
def test_theorem_1_bits_hold_every_count(t):
    fits = [bool(representable(t, bits)) for bits in range(1, 12)]
    assert fits == [(1 << bits) - 1 >= t for bits in range(1, 12)]


@law
@given(st.data(), timesteps)
def test_theorem_2_of_any_spikes(data, t):
    counts = np.array(data.draw(st.lists(st.integers(0, t), min_size=1, max_size=20)))
    rate, density = (counts / t).mean(), (counts > 0).mean()
    assert possible(rate, density, t)
    least, most = density_bounds(rate, t)
    assert least - 1e-12 <= density <= most + 1e-12
    # Both ends are reached: by one spike each, and by all.
    assert rate_of(density, t, "best") == pytest.approx(rate_bounds(density, t)[0])
    assert not possible(density + 0.01, density, t)


@law
@given(shares, timesteps, st.sampled_from(CODINGS))
def test_density_and_rate_are_each_other_s_reverse(d, t, coding):
    rate = rate_of(d, t, coding)
    assert density_of(rate, t, coding) == pytest.approx(d)
    assert possible(rate, d, t)


@law
@given(timesteps, st.sampled_from(CODINGS), st.floats(0.001, 1))
def test_the_premium_that_a_coding_asks_for_decides(t, coding, d):
    hardware = Hardware.load("typical")
    margin = compute_premium(t, hardware) - least_premium(t, coding)
    if abs(margin) > 1e-9:
        assert computes_cheaper(t, rate_of(d, t, coding), d, hardware) == (margin > 0)


def test_premiums():
    assert [float(least_premium(9, coding)) for coding in CODINGS] == pytest.approx([1, 5, 9])


def test_sums_within_the_threshold():
    sums = np.array([[0, 3, 5, 6], [5, -1, 5, 0]])
    assert within_threshold(sums, 5).tolist() == [True, False, True, False]


@pytest.mark.parametrize(("rate", "density", "t"), [(0.5, 0.2, 4), (0.04, 0.2, 4)])
def test_what_theorem_2_forbids(rate, density, t):
    assert not possible(rate, density, t)
