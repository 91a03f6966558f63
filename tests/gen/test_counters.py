"""The functional counters against a count of every single event and connection."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    simulate,
)
from spikewright.gen.counters import FUNCTIONAL_COUNTERS

from .examples import rest_of_a_pooling
from .strategies import FEATURES, networks, spike_trains


def connections(layer) -> np.ndarray:
    """(neurons, addresses): True where an event of an address reaches a neuron."""
    ones = replace(layer.synapse, weight=np.ones_like(layer.synapse.weight), weight_shift=0)
    pool = None if isinstance(layer.pool, MaxPool2d) else layer.pool
    return replace(layer, synapse=ones, pool=pool).dense() > 0


@settings(deadline=None)
@given(st.data())
def test_every_event_and_connection_is_counted_once(data):
    spec = data.draw(networks(features=FEATURES))
    signals = data.draw(spike_trains(spec, 3))
    trace = simulate(spec, signals, engine="golden")
    assert set(trace.counters) == set(FUNCTIONAL_COUNTERS)
    reaching = signals
    for index, layer in enumerate(spec.layers):
        counted = {name: values[:, index].tolist() for name, values in trace.counters.items()}
        spikes = trace.spikes[index]
        pool = isinstance(layer.pool, MaxPool2d)
        connected = connections(layer)
        assert layer.fan_out.tolist() == connected.sum(axis=0).tolist()
        for sample in range(3):
            events = operations = own = 0
            for step in layer.pool.apply(reaching[sample]) if pool else reaching[sample]:
                for address in np.flatnonzero(step):
                    events += 1
                    operations += int(connected[:, address].sum())
            if isinstance(layer.recurrent, Linear):
                own = int(spikes[sample, :-1].sum())
            assert counted["events_in"][sample] == events
            assert counted["recurrent_events"][sample] == own
            assert counted["synops"][sample] == operations + own * layer.neurons
        reaching = spikes
    # Nothing is lost between layers.
    counters = trace.counters
    assert (counters["events_out"][:, :-1] == counters["events_in"][:, 1:]).all()
    assert (counters["events_out"][:, -1] == trace.spikes[-1].sum(axis=(1, 2))).all()


def test_a_corner_a_border_and_the_middle_of_a_convolution():
    synapse = Conv2d(weight=np.zeros((5, 2, 3, 3)), weight_bits=2, input_shape=(2, 4, 4), padding=1)
    layer = Layer(name="conv", synapse=synapse,
                  neuron=Neuron(decay=0, decay_fraction=0, threshold=1))
    spec = NetworkSpec(input_shape=(2, 4, 4), layers=(layer,), timesteps=1)
    for address, taps in ((0, 4), (1, 6), (5, 9), (16 + 15, 4)):
        frame = np.zeros((1, 1, 32), bool)
        frame[..., address] = True
        counters = simulate(spec, frame, engine="golden").counters
        assert counters["events_in"].tolist() == [[1]]
        assert counters["synops"].tolist() == [[taps * 5]]


@pytest.mark.parametrize("engine", ["golden", "amaranth"])
def test_a_pixel_that_no_window_holds(engine):
    """It arrives, and reaches no neuron."""
    spec = rest_of_a_pooling()
    counters = simulate(spec, np.ones((1, 1, 9), bool), engine=engine).counters
    assert counters["events_in"].tolist() == [[9]]
    assert counters["synops"].tolist() == [[4 * spec.layers[0].neurons]]
