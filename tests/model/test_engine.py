"""Quantised torch = golden, by equality, over random networks and spike trains."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Reset,
    SpikewrightError,
    first_difference,
    simulate,
)
from spikewright.model import engine
from spikewright.model.quantisation.net import QuantizedNet, exact_dtype

from ..gen.strategies import FEATURES, networks, spike_trains


@st.composite
def cases(draw):
    """A network of every kind of layer, neuron, input and readout, and input for it."""
    spec = draw(networks(features=FEATURES))
    return spec, draw(spike_trains(spec, draw(st.integers(1, 4))))


@settings(deadline=None, max_examples=200)
@given(cases())
def test_torch_equals_golden(case):
    spec, signals = case
    torch_trace, golden = (
        simulate(spec, signals, engine=name, membranes=True) for name in ("torch", "golden")
    )
    assert first_difference(torch_trace, golden) is None
    assert torch_trace.counters.keys() == golden.counters.keys()


@settings(deadline=None, max_examples=50)
@given(networks(features=FEATURES))
def test_spec_survives_the_module(spec):
    assert QuantizedNet(spec).spec() == spec


def _chain(*, weight_bits=8, shift=0, decay=1, threshold=3, **neuron):
    return NetworkSpec(
        input_shape=(2,), timesteps=40,
        layers=(Layer(
            name="only",
            synapse=Linear(weight=[[100, 27]], weight_bits=weight_bits, weight_shift=shift),
            neuron=Neuron(decay=decay, decay_fraction=0, threshold=threshold, **neuron),
        ),),
    )


def test_wide_sums_take_float64_and_stay_exact():
    narrow, wide = _chain(), _chain(shift=16, reset=Reset.NONE)
    assert exact_dtype(narrow) is torch.float32
    assert exact_dtype(wide) is torch.float64
    spikes = np.ones((1, 40, 2), np.bool_)
    trace = simulate(wide, spikes, engine="torch", membranes=True)
    assert trace.membranes is not None
    assert trace.membranes[0][0, -1, 0] == 40 * 127 << 16 > 2**24


@pytest.mark.parametrize("decay", [3, -3])
def test_float64_is_chosen_for_any_weights_that_training_may_find(decay):
    spec = _chain(decay=decay, membrane_bits=20)
    assert exact_dtype(spec, any_weights=True) is torch.float64


def test_batches_join_in_order(monkeypatch):
    spec = _chain(decay=0)
    spikes = np.zeros((5, 3, 2), np.bool_)
    spikes[2] = True
    monkeypatch.setattr(engine, "_BATCH_ELEMENTS", 12)
    steps = []
    trace = simulate(spec, spikes, engine="torch", progress=steps.append)
    assert steps == [2, 2, 1]
    assert trace.scores[:, 0].tolist() == [0, 0, 3, 0, 0]


def test_waveform_is_refused():
    with pytest.raises(SpikewrightError, match="no clock"):
        simulate(_chain(), np.ones((1, 1, 2)), engine="torch", waveform="x.vcd")
