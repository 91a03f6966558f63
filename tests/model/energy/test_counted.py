from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Folding,
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
    SumPool2d,
    simulate,
)
from spikewright.gen.errors import SpecError
from spikewright.gen.folding import LayerFolding
from spikewright.gen.stimulus import Stimulus
from spikewright.model.energy.costs import qnn_energy, qnn_work, snn_energy, snn_work
from spikewright.model.energy.counted import count, works
from spikewright.model.energy.exactness import measure
from spikewright.model.energy.hardware import Hardware
from spikewright.model.energy.verdict import judge

from ...gen.strategies import networks, spike_trains

TYPICAL = Hardware.load("typical")


def net(seed: int = 0, **layer) -> NetworkSpec:
    """20 → 12 → 4 without leak, five timesteps."""
    rng = np.random.default_rng(seed)
    layers = [Layer(
        name=name, synapse=Linear(weight=rng.integers(-4, 8, (neurons, inputs)), weight_bits=4),
        neuron=Neuron(decay=1, decay_fraction=0, threshold=12))
        for name, inputs, neurons in (("fc1", 20, 12), ("fc2", 12, 4))]
    layers[0] = replace(layers[0], **layer)
    return NetworkSpec(input_shape=(20,), layers=tuple(layers), timesteps=5)


def stimulus(spec: NetworkSpec, samples: int = 7, seed: int = 1) -> Stimulus:
    rng = np.random.default_rng(seed)
    steps = 1 if spec.input.kind is InputKind.CURRENT else spec.timesteps
    signals = rng.integers(0, spec.input.most + 1, (samples, steps, spec.inputs))
    signals = (signals * (rng.random(signals.shape) < 0.4)).astype(np.uint8)
    if spec.input.kind is InputKind.EVENTS:
        signals = signals.astype(np.bool_)
    return Stimulus(signals, rng.integers(0, spec.classes, samples))


def test_counts_of_an_fc_net_are_the_model_s_own():
    """As the paper counts, with a hop for each neuron, an all-to-all layer is the analytic model at
    the rate and density that were measured."""
    spec = net()
    samples = stimulus(spec)
    counts = count(spec, samples, Folding())
    verdict = judge(counts, TYPICAL, unicast=True)
    trace = simulate(spec, samples.spikes, engine="golden")
    values = samples.spikes.sum(axis=1)
    first, second = verdict.layers
    assert first.rate == samples.spikes.mean()
    assert first.density == (values > 0).mean()
    assert second.rate == trace.spikes[0].mean()
    for layer, fired in zip(verdict.layers, trace.spikes, strict=True):
        neurons, fan_in = layer.counts.layer.neurons, layer.counts.layer.inputs
        snn = snn_energy(snn_work(5, layer.rate, fan_in), TYPICAL, 4)
        # The paper takes one rate for what comes in and what goes out.
        own = 5 * (fired.mean() - layer.rate) * TYPICAL.subtract_pj
        assert layer.snn.total_pj == pytest.approx(neurons * float(snn.total_pj + own))
        qnn = qnn_energy(qnn_work(layer.density, fan_in, 3), TYPICAL, 4)
        assert layer.qnn.total_pj == pytest.approx(neurons * float(qnn.total_pj))


def test_as_built_an_event_serves_all_neurons():
    spec = net()
    counts = count(spec, stimulus(spec), Folding())
    for found in counts.layers:
        built, paper = (works(found, counts.samples, unicast=unicast)[0]
                        for unicast in (False, True))
        assert paper.sparse_bit_hops == pytest.approx(built.sparse_bit_hops * found.layer.neurons)
        assert built.sparse_bit_hops == found.events / counts.samples
        assert built.operations == paper.operations
    # Slices each get every event.
    sliced = Folding.each(LayerFolding(slices=3), LayerFolding(), spec=spec)
    cut = count(spec, stimulus(spec), sliced)
    assert works(cut.layers[0], 7)[0].sparse_bit_hops == pytest.approx(3 * cut.layers[0].events / 7)


def test_lanes_without_a_neuron_fetch_too():
    spec = net()
    whole = count(spec, stimulus(spec), Folding())
    # 12 neurons on 5 lanes are 3 rows, the last of which holds 2.
    padded = count(spec, stimulus(spec), Folding.each(LayerFolding(lanes=5), LayerFolding(),
                                                      spec=spec))
    assert whole.layers[0].fetched == whole.layers[0].operations
    assert padded.layers[0].operations == whole.layers[0].operations
    assert padded.layers[0].fetched == 15 * padded.layers[0].events
    golden = count(spec, stimulus(spec), Folding(), engine="golden")
    assert golden.layers[0].fetched == whole.layers[0].fetched
    assert golden.mean_cycles() is None


def test_counters_are_the_hardware_s():
    """The cycle model's counts, those of the simulated accelerator, are the same."""
    spec = net()
    folding = Folding.each(LayerFolding(lanes=5), LayerFolding(), spec=spec)
    model, hardware = (count(spec, stimulus(spec, 3), folding, engine=engine)
                       for engine in ("cycles", "amaranth"))
    for one, other in zip(model.layers, hardware.layers, strict=True):
        assert (one.events, one.operations, one.fetched, one.spikes, one.cycles) == (
            other.events, other.operations, other.fetched, other.spikes, other.cycles)
    assert model.mean_cycles() == hardware.mean_cycles()


def test_an_engine_without_spikes_still_counts(monkeypatch):
    """As a board does, which is seen from outside."""
    spec = net()

    def outside(spec, signals, engine, **options):
        trace = simulate(spec, signals, engine=engine, **options)
        return trace if engine == "golden" else replace(trace, spikes=())

    seen = count(spec, stimulus(spec), Folding())
    monkeypatch.setattr("spikewright.model.energy.counted.simulate", outside)
    unseen = count(spec, stimulus(spec), Folding())
    assert judge(unseen, TYPICAL).figures(7) == judge(seen, TYPICAL).figures(7)


def test_an_input_that_is_held_is_added_up_once():
    spec = replace(net(), input=Input(kind=InputKind.CURRENT, bits=3))
    samples = stimulus(spec)
    counts = count(spec, samples, Folding())
    first = counts.layers[0]
    assert (first.phases, first.operand_bits, first.twin_bits) == (1, 3, 3)
    assert first.events == np.count_nonzero(samples.spikes) == first.activations
    figures = judge(counts, TYPICAL).layers[0].figures(counts.samples)
    assert figures["counted"]["snn_reuse"] == 5
    # Both twins multiply by values once, so what differs is what a threshold costs.
    snn, qnn = works(first, counts.samples)
    assert snn.operations == qnn.operations
    assert snn.sparse_bit_hops == qnn.sparse_bit_hops


def test_convolutions_and_pooling():
    rng = np.random.default_rng(5)
    conv = Conv2d(weight=rng.integers(-3, 6, (4, 2, 3, 3)), weight_bits=4, input_shape=(2, 6, 6),
                  padding=(1, 1))
    whole = Neuron(decay=1, decay_fraction=0, threshold=9)
    spec = NetworkSpec(input_shape=(2, 6, 6), timesteps=4, layers=(
        Layer(name="conv", synapse=conv, neuron=whole),
        Layer(name="pooled", neuron=whole, pool=MaxPool2d(input_shape=(4, 6, 6), kernel=(2, 2)),
              synapse=Conv2d(weight=rng.integers(-3, 6, (3, 4, 3, 3)), weight_bits=4,
                             input_shape=(4, 3, 3))),
        Layer(name="out", neuron=whole, pool=SumPool2d(input_shape=(3, 1, 1), kernel=(1, 1)),
              synapse=Linear(weight=rng.integers(-3, 6, (2, 3)), weight_bits=4)),
    ))
    samples = stimulus(spec)
    counts = count(spec, samples, Folding())
    trace = simulate(spec, samples.spikes, engine="golden")
    # Taps beyond the border are no synapses: 16 of 36 positions lack some.
    assert counts.layers[0].connections == conv.apply(np.ones(72, np.int64)).shape[0] * 18 - (
        4 * 2 * (4 * 5 + 16 * 3))
    for n, found in enumerate(counts.layers):
        assert found.operations == trace.counters["synops"][:, n].sum()
        assert found.fetched >= found.operations
    verdict = judge(counts, TYPICAL)
    assert verdict.figures(counts.samples)["winner"] in ("SNN", "QNN")


@settings(max_examples=25, deadline=None)
@given(networks(features={"conv", "sum_pool", "values", "current", "li"}).flatmap(
    lambda spec: st.tuples(st.just(replace(spec, timesteps=1)),
                           spike_trains(replace(spec, timesteps=1), 3))))
def test_with_one_timestep_the_twins_are_one_function(pair):
    """Whatever the weights, leak or reset: before the first timestep nothing can leak or reset."""
    spec, signals = pair
    found = measure(spec, Stimulus(signals[:, :1], np.full(len(signals), -1)))
    assert found.exact
    assert found.agreement == 1
    assert found.violations == 0


def test_the_flip_is_where_both_cost_the_same():
    spec = net()
    counts = count(spec, stimulus(spec), Folding())
    for unicast in (False, True):
        verdict = judge(counts, TYPICAL, unicast=unicast)
        factor = verdict.flip_factor
        assert factor
        total = sum(float(snn_energy(
            works(found, counts.samples, unicast=unicast, rate_factor=factor)[0], TYPICAL, 4
        ).total_pj) for found in counts.layers)
        assert total == pytest.approx(verdict.qnn_pj)
        for layer in verdict.layers:
            if layer.flip:
                at, _ = works(layer.counts, counts.samples, unicast=unicast,
                              rate_factor=layer.flip / layer.rate)
                assert snn_energy(at, TYPICAL, 4).total_pj == pytest.approx(
                    float(layer.qnn.total_pj))
                assert (layer.flip > layer.rate) == (layer.snn.total_pj < layer.qnn.total_pj)
        assert f"{verdict.flip_factor:.2f}" in verdict.sentence()


def test_leaky_twins_are_never_called_equivalent():
    leaky = net(neuron=Neuron(decay=3, decay_fraction=2, threshold=12))
    found = measure(leaky, stimulus(leaky, 40))
    assert found.leaks == ("fc1",)
    assert not found.exact
    assert "not equivalent (fc1 leak" in found.sentence()
    assert found.back_agreement is not None
    signed = measure(net(), stimulus(net(), 40))
    assert signed.leaks == ()
    assert signed.violations == 0
    assert "sums leave the range" in signed.sentence()
    # Without leak, the net made of the twin is the net itself.
    assert (signed.back_accuracy, signed.back_agreement) == (signed.snn_accuracy, signed.agreement)


def test_lawful_nets_are_one_function_with_their_twins():
    spec = net()
    spec = replace(spec, layers=tuple(replace(
        layer, synapse=replace(layer.synapse, weight=np.abs(layer.synapse.weight)),
        neuron=replace(layer.neuron, threshold=200)) for layer in spec.layers))
    found = measure(spec, stimulus(spec))
    assert found.exact
    assert [layer.lawful for layer in found.layers] == [1, 1]
    assert "one function" in found.sentence()


def test_a_leaky_readout_of_membranes_leaks():
    spec = net()
    silent = replace(spec.layers[1], neuron=Neuron(decay=0, decay_fraction=0, threshold=None,
                                                   reset=Reset.NONE))
    summed = replace(spec, layers=(spec.layers[0], silent),
                     readout=Readout(kind=ReadoutKind.MEMBRANE))
    assert measure(summed, stimulus(summed)).leaks == ()
    kept = replace(silent, neuron=replace(silent.neuron, decay=1))
    assert measure(replace(summed, layers=(spec.layers[0], kept)), stimulus(summed)).leaks == (
        "fc2",)


def test_what_has_no_twin_is_refused():
    own = Linear(weight=np.ones((12, 12), np.int64), weight_bits=4)
    spec = net(recurrent=own)
    with pytest.raises(SpecError, match="fc1 recurs"):
        count(spec, stimulus(spec), Folding())
