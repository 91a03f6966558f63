import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.model.energy.conditions import (
    breakeven_rate,
    computes_cheaper,
    crossover_rate,
    moves_cheaper_dense,
    moves_cheaper_sparse,
)
from spikewright.model.energy.costs import (
    activation_bits,
    aggregated_work,
    lifetime_hours,
    qnn_energy,
    qnn_work,
    snn_energy,
    snn_work,
)
from spikewright.model.energy.hardware import Hardware, bundled

law = settings(max_examples=50, deadline=None)
shares = st.floats(0, 1)
timesteps = st.integers(1, 200)
fan_ins = st.integers(1, 10_000)
positive = st.floats(0.01, 100)


def at_most(one, other):
    """one ≤ other, but for the last digits of a float."""
    return one <= other * (1 + 1e-9) + 1e-12


@st.composite
def hardware(draw):
    """Any hardware on which an event costs more than its share of dense order, and wider
    activations cost more."""
    cost = st.floats(0, 50)
    macs = draw(st.lists(st.floats(0.001, 1), min_size=2, max_size=5))
    dense = draw(cost)
    return Hardware(
        name="any", accumulate_pj=draw(st.floats(0.001, 1)), compare_pj=draw(cost),
        subtract_pj=draw(cost), sparse_pj_per_bit_hop=dense + draw(cost),
        dense_pj_per_bit_hop=dense, weight_pj_per_bit=draw(cost),
        multiply_accumulate_pj=tuple(np.cumsum(macs)))


def test_bits_of_an_activation_count_to_t():
    for t in range(1, 3000):
        assert activation_bits(t) == t.bit_length() == int(np.ceil(np.log2(t + 1)))


@law
@given(hardware(), timesteps, shares, fan_ins, positive, positive)
def test_energies_are_the_table_s(hw, t, s, n, k, h):
    found = snn_energy(snn_work(t, s, n, reuse=k, hops=h), hw)
    w, b = 8 * hw.weight_pj_per_bit, int(activation_bits(t))
    assert found.compute_pj == pytest.approx(
        t * (s * n * hw.accumulate_pj + hw.compare_pj + s * hw.subtract_pj))
    assert found.sparse_pj == pytest.approx(t * s * n * (w / k + h * hw.sparse_pj_per_bit_hop))
    assert found.dense_pj == pytest.approx(t * n * (w / k + h * hw.dense_pj_per_bit_hop))
    assert found.total_pj == found.compute_pj + min(found.sparse_pj, found.dense_pj)
    assert found.weights_pj + found.signals_pj == pytest.approx(found.movement_pj)
    twin = qnn_energy(qnn_work(s, n, b, reuse=k, hops=h), hw)
    assert twin.compute_pj == pytest.approx(s * n * hw.mac_pj(b) + 2 * hw.compare_pj)
    assert twin.sparse_pj == pytest.approx(s * n * (w / k + b * h * hw.sparse_pj_per_bit_hop))
    assert twin.dense_pj == pytest.approx(n * (w / k + b * h * hw.dense_pj_per_bit_hop))


@law
@given(hardware(), timesteps, timesteps, shares, shares, fan_ins, fan_ins)
def test_energy_never_falls_with_rate_timesteps_or_fan_in(hw, t, u, s, r, n, m):
    def pj(t, s, n):
        return float(snn_energy(snn_work(t, s, n), hw).total_pj)

    (t, u), (s, r), (n, m) = sorted((t, u)), sorted((s, r)), sorted((n, m))
    least = pj(t, s, n)
    assert at_most(least, pj(u, s, n))
    assert at_most(least, pj(t, r, n))
    assert at_most(least, pj(t, s, m))
    twin = [float(qnn_energy(qnn_work(*point), hw).total_pj) for point in (
        (s, n, activation_bits(t)), (r, n, activation_bits(t)), (s, m, activation_bits(t)),
        (s, n, activation_bits(u)))]
    assert all(at_most(twin[0], other) for other in twin)


@law
@given(hardware(), timesteps, fan_ins, st.integers(1, 8), positive, positive)
def test_movement_switches_exactly_at_the_crossover(hw, t, n, bits, k, h):
    where = float(crossover_rate(hw, bits, reuse=k, hops=h))
    at = snn_energy(snn_work(t, where, n, reuse=k, hops=h), hw, bits)
    assert at.sparse_pj == pytest.approx(at.dense_pj, rel=1e-9)
    assert where <= 1
    for rate in (where * 0.999, where * 1.001):
        found = snn_energy(snn_work(t, rate, n, reuse=k, hops=h), hw, bits)
        if found.sparse_pj == found.dense_pj:  # all is free, or as good as
            continue
        assert bool(found.is_dense) == (rate > where)
    b = int(activation_bits(t))
    density = crossover_rate(hw, bits, bits=b, reuse=k, hops=h)
    twin = qnn_energy(qnn_work(density, n, b, reuse=k, hops=h), hw, bits)
    assert twin.sparse_pj == pytest.approx(twin.dense_pj, rel=1e-9)


@law
@given(hardware(), timesteps, shares, st.integers(1, 8))
def test_a_large_fan_in_leaves_the_slopes(hw, t, s, bits):
    n = 1e15
    found = snn_energy(snn_work(t, s, n), hw, bits)
    w = bits * hw.weight_pj_per_bit
    slope = t * (s * hw.accumulate_pj + min(s * (w + hw.sparse_pj_per_bit_hop),
                                            w + hw.dense_pj_per_bit_hop))
    assert found.total_pj / n == pytest.approx(slope, rel=1e-6, abs=1e-9)


@law
@given(hardware(), shares, fan_ins, st.integers(1, 8))
def test_one_timestep_moves_what_one_bit_moves(hw, s, n, bits):
    snn, qnn = snn_work(1, s, n), qnn_work(s, n, activation_bits(1))
    for name in ("operations", "sparse_fetches", "sparse_bit_hops", "dense_fetches",
                 "dense_bit_hops"):
        assert getattr(snn, name) == getattr(qnn, name)
    # Where a product with one bit costs what an addition does, only comparisons are left.
    same = hw.model_copy(update={"multiply_accumulate_pj": (hw.accumulate_pj, 1.0)})
    one, other = snn_energy(snn, same, bits), qnn_energy(qnn, same, bits)
    assert one.total_pj - other.total_pj == pytest.approx(
        s * hw.subtract_pj - hw.compare_pj, rel=1e-6, abs=1e-6 * float(other.total_pj))


@law
@given(hardware(), timesteps, shares, shares, fan_ins)
def test_aggregated_spikes_move_as_activations(hw, t, s, d, n):
    packed = snn_energy(aggregated_work(t, s, d, n), hw)
    spikes = snn_energy(snn_work(t, s, n), hw)
    twin = qnn_energy(qnn_work(d, n, activation_bits(t)), hw)
    assert packed.compute_pj == spikes.compute_pj
    assert packed.movement_pj == twin.movement_pj


@law
@given(hardware(), timesteps, shares, fan_ins, st.integers(1, 8), positive, positive)
def test_below_break_even_the_snn_costs_less(hw, t, d, n, bits, k, h):
    where = float(breakeven_rate(t, d, n, hw, bits, hops=h, snn_reuse=k))
    qnn = float(qnn_energy(qnn_work(d, n, activation_bits(t), hops=h), hw, bits).total_pj)

    def snn(rate):
        return float(snn_energy(snn_work(t, rate, n, reuse=k, hops=h), hw, bits).total_pj)

    if np.isnan(where):
        assert snn(0.0) >= qnn
        return
    assert 0 <= where <= 1
    assert at_most(snn(where), qnn)
    if where < 1:
        assert snn(where) == pytest.approx(qnn)
        assert at_most(qnn, snn(min(1.0, where * 1.01 + 0.001)))


@law
@given(hardware(), timesteps, shares, shares, st.integers(1, 8), positive)
def test_conditions_are_the_model_s_at_a_large_fan_in(hw, t, s, d, bits, h):
    n, b = 1e12, activation_bits(t)
    snn = snn_energy(snn_work(t, s, n, hops=h), hw, bits)
    qnn = qnn_energy(qnn_work(d, n, b, hops=h), hw, bits)
    for said, one, other in (
        (computes_cheaper(t, s, d, hw, bits), snn.compute_pj, qnn.compute_pj),
        (moves_cheaper_sparse(t, s, d, hw, bits, hops=h), snn.sparse_pj, qnn.sparse_pj),
        (moves_cheaper_dense(t, hw, bits, hops=h), snn.dense_pj, qnn.dense_pj),
    ):
        # Comparisons, which the conditions leave out, stay below this.
        if abs(one - other) > 1e-6 * max(one, other) + 1e5:
            assert bool(said) == (one < other)


def test_typical_dense_movement_never_pays_without_reuse():
    typical = Hardware.load("typical")
    assert not moves_cheaper_dense(np.arange(1, 100), typical).any()
    # A weight read once for all timesteps leaves the hops, b of which are fewer than T.
    assert not moves_cheaper_dense(np.arange(2, 100), typical, snn_reuse=np.arange(2, 100)).any()


def test_lifetime():
    assert lifetime_hours(3600, 1e12, 1) == 1
    assert lifetime_hours(4000, 500, 100e6) == pytest.approx(4000 / 0.05 / 3600)


def test_a_million_configurations_take_less_than_a_second():
    rng, count = np.random.default_rng(0), 1_000_000
    t, s, n = rng.integers(1, 33, count), rng.random(count), rng.integers(1, 10_000, count)
    d, h = rng.random(count), rng.random(count)
    settings = [Hardware.load(name) for name in bundled()]
    took = []
    for setting in settings:
        begun = time.process_time()
        snn = snn_energy(snn_work(t, s, n, hops=h), setting).total_pj
        qnn = qnn_energy(qnn_work(d, n, activation_bits(t), hops=h), setting).total_pj
        wins = int((snn < qnn).sum())
        took.append(time.process_time() - begun)
        assert 0 < wins < count
    print(f"{count:,} pairs of twins in {min(took):.3f} s of processor time")
    assert min(took) < 1
