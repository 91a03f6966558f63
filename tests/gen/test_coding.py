"""Input kinds and readouts: what is taken, and what a score is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Input,
    InputKind,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
    Reset,
    SpikewrightError,
    simulate,
)
from spikewright.gen.errors import DataError

from .strategies import networks, spike_trains


@settings(deadline=None)
@given(st.data())
def test_scores_are_votes(data):
    spec = data.draw(networks(max_layers=1, features={"readouts", "population", "li"}))
    trace = simulate(spec, data.draw(spike_trains(spec, 3)), engine="golden", membranes=True)
    population = spec.readout.population
    assert trace.scores.shape == (3, spec.classes)
    assert spec.classes * population == spec.layers[-1].neurons
    for sample in range(3):
        expected = []
        for c in range(spec.classes):
            voters = range(c * population, (c + 1) * population)
            spikes = [(t, n) for n in voters for t in range(spec.timesteps)
                      if trace.spikes[-1][sample, t, n]]
            expected.append({
                ReadoutKind.SPIKE_COUNT: len(spikes),
                ReadoutKind.MEMBRANE: sum(int(trace.membranes[-1][sample, :, n].sum())
                                          for n in voters),
                ReadoutKind.FIRST_SPIKE: max((spec.timesteps - t for t, _ in spikes), default=0),
            }[spec.readout.kind])
        assert trace.scores[sample].tolist() == expected
        low, high = spec.score_range
        assert low <= min(0, *expected)
        assert max(0, *expected) <= high
        assert trace.prediction[sample] == expected.index(max(expected))


@settings(deadline=None)
@given(st.data())
def test_early_exit_keeps_the_prediction_and_scores_the_first_timestep_with_a_spike(data):
    spec = data.draw(networks(max_layers=1, features={"population"}))
    population = spec.readout.population
    spikes, whole, early = data.draw(spike_trains(spec, 3)), *(
        replace(spec, readout=Readout(kind=ReadoutKind.FIRST_SPIKE, population=population,
                                      early_exit=early)) for early in (False, True))
    assert whole.digest != early.digest
    full, trace = (simulate(each, spikes, engine="golden") for each in (whole, early))
    assert (trace.prediction == full.prediction).all()
    for sample in range(3):
        deciding = [t for t in range(spec.timesteps) if trace.spikes[-1][sample, t].any()][:1]
        assert trace.scores[sample].tolist() == [
            max((spec.timesteps - t for t in deciding
                 if trace.spikes[-1][sample, t, c * population : (c + 1) * population].any()),
                default=0)
            for c in range(spec.classes)
        ]


@pytest.mark.parametrize(("kind", "expected"), [
    (ReadoutKind.SPIKE_COUNT, (0, 4 * 2)), (ReadoutKind.FIRST_SPIKE, (0, 4)),
    (ReadoutKind.MEMBRANE, (0, 4 * 2 * 10)),
])
def test_score_range_is_reached(kind, expected):
    """Two neurons a class whose membrane is 10 in every timestep."""
    layer = Layer(name="fc", synapse=Linear(weight=[[5], [5]], weight_bits=4),
                  neuron=Neuron(decay=0, decay_fraction=0, threshold=1, reset=Reset.NONE, bias=5))
    spec = NetworkSpec(input_shape=(1,), layers=(layer,), timesteps=4,
                       readout=Readout(kind=kind, population=2))
    trace = simulate(spec, np.ones((1, 4, 1), bool), engine="golden")
    assert trace.scores.tolist() == [[expected[1]]]
    assert spec.score_range == expected


@pytest.mark.parametrize(("build", "message"), [
    (lambda: Input(kind="events"), "input kind is 'events'; allowed are InputKind.EVENTS"),
    (lambda: Input(bits=2), "input bits is 2, but an event of events is 0 or 1; give bits=1, or"),
    (lambda: Input(kind=InputKind.COUNTS, bits=9), "input bits is 9; allowed are 1 to 8"),
    (lambda: Readout(kind=3), "readout kind is 3; allowed are ReadoutKind.SPIKE_COUNT"),
    (lambda: Readout(population=0), "population is 0; allowed are 1"),
    (lambda: Readout(early_exit=True), "spike-count needs every timestep; leave it out, or give"),
    (lambda: Readout(kind=ReadoutKind.FIRST_SPIKE, early_exit=1), "early_exit is 1; True or"),
])
def test_refused(build, message):
    with pytest.raises(SpikewrightError, match=message):
        build()


def net(kind=InputKind.EVENTS, bits=1):
    layer = Layer(name="fc", synapse=Linear(weight=[[1, 2, 3]], weight_bits=4),
                  neuron=Neuron(decay=1, decay_fraction=1, threshold=3))
    return NetworkSpec(input_shape=(3,), layers=(layer,), timesteps=4,
                       input=Input(kind=kind, bits=bits))


@pytest.mark.parametrize(("spec", "signals", "message"), [
    (net(), np.zeros((2, 3)), r"shape \(2, 3\); network snn takes \(samples ≥ 1, timesteps, 3\)"),
    (net(), np.zeros((0, 3, 3)), "samples ≥ 1"),
    (net(), np.zeros((1, 5, 3)), "5 timesteps given; network snn is proven for 1 to 4"),
    (net(), np.zeros((1, 0, 3)), "0 timesteps given"),
    (net(), np.full((1, 4, 3), 2), "network snn: .* other than 0 and 1; binarise"),
    (net(InputKind.COUNTS, 3), np.full((1, 4, 3), 8), "other than the integers 0 to 7; quantise"),
    (net(InputKind.COUNTS, 3), np.full((1, 4, 3), -1), "other than the integers 0 to 7"),
    (net(InputKind.COUNTS, 1), np.full((1, 4, 3), 0.5), "other than 0 and 1"),
    (net(InputKind.CURRENT, 8), np.zeros((1, 4, 3)), "is held for all 4 timesteps, so give one"),
    (net(InputKind.CURRENT, 8), np.zeros((1, 3)), r"takes \(samples ≥ 1, 1, 3\)"),
])
def test_other_input_is_refused(spec, signals, message):
    with pytest.raises(DataError, match=message):
        simulate(spec, signals, engine="golden")


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32])
@pytest.mark.parametrize("kind", InputKind)
def test_any_type_that_holds_the_values_is_taken(kind, dtype):
    spec = net(kind)
    signals = np.array([[[1, 0, 1]]], dtype)
    trace = simulate(spec, signals, engine="golden", membranes=True)
    assert trace.membranes[0][0, 0].tolist() == [4]
    expected = 4 if kind is InputKind.CURRENT else 1
    assert trace.spikes[0].shape[1] == spec.steps(signals) == expected
