from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
    Reset,
    Rounding,
    simulate,
)
from spikewright.gen.errors import SpecError
from spikewright.model.conversion.qnn import Qnn, QnnLayer
from spikewright.model.conversion.twins import compare, lawful, qnn_twin, snn_twin

from ...gen.strategies import networks, spike_trains

_FLAT = {"conv", "sum_pool", "overlap", "values", "current", "population"}


def _values(spec, signals):
    """Signals summed over time; one that is held counts in every timestep."""
    held = spec.timesteps if spec.input.kind is InputKind.CURRENT else 1
    return signals.sum(axis=1, dtype=np.int64) * held


@st.composite
def _lawful(draw):
    """Networks that Lemma 2 speaks for whatever arrives: no weight or bias below 0, and thresholds
    that no sum exceeds."""
    spec = draw(networks(features=_FLAT))
    most, layers = spec.input.most, []
    for layer in spec.layers:
        top = (1 << (layer.synapse.weight_bits - 1)) - 1
        synapse = replace(layer.synapse, weight=np.minimum(np.abs(layer.synapse.weight), top))
        full = np.full(synapse.inputs, most * (1 if layer.pool is None else layer.pool.most))
        reach, most = synapse.apply(full), 1
        bias = draw(st.integers(0, int(reach.max()) // 2 + 1))
        fraction = draw(st.integers(0, 8))
        per_neuron = draw(st.booleans())
        layers.append(replace(layer, synapse=synapse, neuron=Neuron(
            decay=1 << fraction, decay_fraction=fraction, bias=bias,
            threshold=np.maximum(reach + bias, 1) if per_neuron else max(1, reach.max() + bias),
            reset_delay=draw(st.booleans()), rounding=draw(st.sampled_from(Rounding)),
        )))
    return replace(spec, layers=tuple(layers))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lemma_2_every_layer_counts_what_its_twin_computes(data):
    spec = data.draw(_lawful())
    signals = data.draw(spike_trains(spec, 4))
    trace = simulate(spec, signals, engine="golden")
    twin = qnn_twin(spec)
    activations = twin.run(_values(spec, signals))
    for spikes, computed in zip(trace.spikes, activations, strict=True):
        np.testing.assert_array_equal(spikes.sum(axis=1), computed)
    np.testing.assert_array_equal(trace.scores, twin.scores(activations[-1]))
    assert 1 << twin.bits > spec.timesteps >= 1 << (twin.bits - 1)
    comparison = compare(spec, signals)
    assert comparison.agreement == 1
    assert all(layer.lawful == layer.equal_through == 1 for layer in comparison.layers)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lemma_2_of_any_network_holds_wherever_its_conditions_do(data):
    features = _FLAT | {"max_pool", "synaptic", "li"}
    spec = data.draw(networks(features=features))
    if data.draw(st.booleans()):  # without leak, so that many neurons obey the law
        spec = replace(spec, layers=tuple(
            layer if layer.neuron.threshold is None else replace(layer, neuron=replace(
                layer.neuron, decay=1 << layer.neuron.decay_fraction, reset=Reset.SUBTRACT))
            for layer in spec.layers))
    signals = data.draw(spike_trains(spec, 4))
    trace = simulate(spec, signals, engine="golden", membranes=True)
    twin, reaching, below = qnn_twin(spec), signals, _values(spec, signals)
    for layer, flat, spikes, membranes in zip(
        spec.layers, twin.layers, trace.spikes, trace.membranes, strict=True
    ):
        counts = (membranes if flat.theta is None else spikes).sum(axis=1, dtype=np.int64)
        law = lawful(layer, reaching if reaching.shape[1] > 1 else
                     reaching.repeat(spec.timesteps, axis=1))
        np.testing.assert_array_equal(counts[law], flat.apply(below, twin.levels)[law])
        reaching, below = spikes, counts
    for layer in compare(spec, signals).layers:
        assert layer.equal >= layer.lawful


@settings(max_examples=40, deadline=None)
@given(_lawful().flatmap(lambda spec: st.tuples(st.just(spec), spike_trains(spec, 3))))
def test_the_twin_of_the_twin_is_the_net(pair):
    spec, signals = pair
    again = snn_twin(qnn_twin(spec))
    first, second = (simulate(each, signals, engine="golden") for each in (spec, again))
    for here, there in zip(first.spikes, second.spikes, strict=True):
        np.testing.assert_array_equal(here, there)


@st.composite
def _qnns(draw):
    """QNNs whose SNN twins Lemma 2 speaks for: biases that are no multiple of the timesteps."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    levels = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.integers(1, 8), min_size=2, max_size=4))
    layers = []
    for n, (inputs, neurons) in enumerate(pairwise(sizes)):
        weight = rng.integers(0, 8, (neurons, inputs))
        bias = rng.integers(-1, 4 * levels, neurons)
        theta = np.maximum(weight.sum(axis=1) + (bias + 1) // levels + 1, 1)
        silent = n == len(sizes) - 2 and levels & (levels - 1) == 0 and draw(st.booleans())
        layers.append(QnnLayer(
            name=f"fc{n}", synapse=Linear(weight=weight, weight_bits=4), bias=bias,
            theta=None if silent else theta,
        ))
    return Qnn(input_shape=(sizes[0],), layers=tuple(layers), levels=levels, input=Input())


@settings(max_examples=40, deadline=None)
@given(_qnns(), st.integers(0, 1 << 32))
def test_a_qnn_becomes_neurons_that_count_its_activations(qnn, seed):
    spec = snn_twin(qnn)
    rng = np.random.default_rng(seed)
    signals = rng.random((4, qnn.levels, spec.inputs)) < rng.random((4, 1, 1))
    trace = simulate(spec, signals, engine="golden")
    activations = qnn.run(signals.sum(axis=1))
    for layer, spikes, computed in zip(qnn.layers, trace.spikes, activations, strict=True):
        if layer.theta is not None:
            np.testing.assert_array_equal(spikes.sum(axis=1), computed)
    scores = qnn.scores(activations[-1])
    if qnn.layers[-1].theta is None:
        scores = scores << spec.layers[-1].synapse.weight_shift
    np.testing.assert_array_equal(trace.scores, scores)


def _one(weights, threshold=10, **neuron):
    return NetworkSpec(input_shape=(len(weights),), timesteps=4, layers=(Layer(
        name="fc1", synapse=Linear(weight=np.array([weights]), weight_bits=8),
        neuron=Neuron(**{"decay": 1, "decay_fraction": 0, "threshold": threshold, **neuron})),))


def test_what_breaks_the_conditions_is_measured():
    signals = np.zeros((1, 4, 2), np.bool_)
    signals[0, :2, 0] = signals[0, 2:, 1] = True
    # 11, 22 → two spikes; then −11 twice, which a spike that is gone cannot take back.
    (layer,) = compare(_one([11, -11]), signals).layers
    assert (layer.lawful, layer.equal) == (0, 0)
    assert (layer.mean_difference, layer.largest_difference) == (2, 2)
    # A leaky neuron loses charge: 6, 9, 10.5 → one spike; then 0.
    leaky = _one([6, 0], decay=1, decay_fraction=1)
    (layer,) = compare(leaky, np.ones((1, 4, 2), np.bool_)).layers
    assert layer.lawful == 0
    assert layer.largest_difference < 0


def test_max_pooling_is_the_largest_count_in_the_twin():
    pool = MaxPool2d(input_shape=(1, 2, 2), kernel=(2, 2))
    layer = QnnLayer(name="fc", synapse=Linear(weight=np.array([[1]]), weight_bits=2), bias=0,
                     theta=None, pool=pool)
    assert layer.apply(np.array([[3, 1, 0, 2]]), 4).tolist() == [[3]]


def test_what_has_no_twin_is_refused():
    spec = _one([3, 4])
    first = replace(spec, readout=Readout(kind=ReadoutKind.FIRST_SPIKE))
    with pytest.raises(SpecError, match="has no time"):
        qnn_twin(first)
    own = Linear(weight=np.array([[1]]), weight_bits=2)
    with pytest.raises(SpecError, match="fc1 recurs"):
        qnn_twin(replace(spec, layers=(replace(spec.layers[0], recurrent=own),)))
    summed = QnnLayer(name="fc1", synapse=own, bias=1, theta=None)
    with pytest.raises(SpecError, match="spread over 3 timesteps"):
        snn_twin(Qnn(input_shape=(1,), layers=(summed,), levels=3, input=Input()))
    with pytest.raises(SpecError, match="only the last layer"):
        Qnn(input_shape=(1,), layers=(summed, summed), levels=3, input=Input())
    with pytest.raises(SpecError, match="theta goes down to 0"):
        QnnLayer(name="fc1", synapse=own, bias=0, theta=0)
