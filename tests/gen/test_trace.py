"""Traces are compared where both say something."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import first_difference, simulate
from spikewright.gen.trace import mismatched_samples, within

from .examples import exiting, two_layers
from .strategies import FEATURES, networks, spike_trains


def test_traces_are_compared_where_both_processed():
    spec = exiting(two_layers())
    spikes = np.random.default_rng(0).random((3, 8, 20)) < 0.5

    def run(timesteps):
        return simulate(spec, spikes, engine="golden", membranes=True, timesteps=timesteps)

    whole, some = run(None), run([8, 3, 5])
    for shorter, longer in ((some, whole), (run([2, 3, 1]), some)):
        assert first_difference(shorter, longer) is None
        assert not mismatched_samples(shorter, longer).any()
    assert not some.spikes[0][1, 3:].any()
    whole.spikes[0][1, 3, 0] ^= True
    whole.counters["synops"][1] += 1
    assert first_difference(some, whole) is None
    assert some.membranes is not None
    some.membranes[1][1, 2, 4] += 1
    difference = first_difference(some, whole)
    assert difference is not None
    assert (difference.sample, difference.timestep, difference.neuron) == (1, 2, 4)
    assert mismatched_samples(some, whole).tolist() == [False, True, False]
    whole.counters["synops"][0, 1] += 1
    assert str(first_difference(some, whole)).startswith("counter synops at sample 0, layer 1")


def copied(trace):
    return {name: values.copy() for name, values in trace.counters.items()}


def test_what_was_not_seen_is_not_compared():
    """An engine may see scores and counters only."""
    spikes = np.random.default_rng(0).random((3, 8, 20)) < 0.5
    whole = simulate(two_layers(), spikes, engine="cycles")
    outside = replace(whole, engine="board", spikes=(), counters=copied(whole))
    assert first_difference(whole, outside) is None
    outside.counters["busy"][2, 1] += 1
    assert str(first_difference(whole, outside)).startswith("counter busy at sample 2, layer 1")
    assert mismatched_samples(outside, whole).tolist() == [False, False, True]


def test_the_clock_of_a_sample_that_spilled_is_not_compared():
    spikes = np.random.default_rng(0).random((3, 8, 20)) < 0.5
    whole = simulate(two_layers(), spikes, engine="cycles")
    assert whole.cycles is not None
    outside = replace(whole, spikes=(), spilled=np.array([False, True, False]),
                      cycles=whole.cycles + np.array([0, 1, 0]),
                      counters=copied(whole))
    outside.counters["busy"][1] += 1
    assert first_difference(whole, outside) is None
    outside.counters["events_in"][1, 0] += 1
    assert str(first_difference(whole, outside)).startswith("counter events_in at sample 1")
    outside.cycles[0] += 1
    assert str(first_difference(whole, outside)).startswith("cycles at sample 0")


@settings(deadline=None)
@given(st.data())
def test_golden_of_fewer_timesteps_is_golden_of_shorter_samples(data):
    spec = exiting(data.draw(networks(features=FEATURES - {"li", "readouts", "current"})))
    signals = data.draw(spike_trains(spec, 2))
    counts = data.draw(st.lists(st.integers(1, spec.timesteps), min_size=2, max_size=2))
    some = simulate(spec, signals, engine="golden", membranes=True, timesteps=counts)
    assert some.membranes is not None
    for n, count in enumerate(counts):
        short = simulate(spec, signals[n : n + 1, :count], engine="golden", membranes=True)
        assert short.membranes is not None
        for got, expected in zip((*some.spikes, *some.membranes),
                                 (*short.spikes, *short.membranes), strict=True):
            assert (got[n, :count] == expected[0]).all()
            assert not got[n, count:].any()
        for name, values in short.counters.items():
            assert some.counters[name][n].tolist() == values[0].tolist(), name


def test_within_keeps_the_first_timesteps():
    assert within(np.ones((2, 3, 1), int), np.array([1, 3]))[..., 0].tolist() == [[1, 0, 0],
                                                                                  [1, 1, 1]]
