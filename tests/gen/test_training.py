"""Hardware of one training that computes another."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Folding,
    Input,
    InputKind,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    simulate,
)
from spikewright.gen.compiled.jobs import by_neuron
from spikewright.gen.counters import decode
from spikewright.gen.engines.amaranth import read_counters, send
from spikewright.gen.errors import FoldingError, ShapeError
from spikewright.gen.folding import LayerFolding, Loadable, Storage
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.network import Network
from spikewright.gen.training import shape_digest, training_image

from .examples import one_layer, two_layers
from .strategies import BUILT, foldings, networks, spike_trains
from .trainings import another, loadable

ALL = LayerFolding(storage=Storage.LOADABLE, parameters=Storage.LOADABLE)


async def load(ctx, network: Network, image: bytes):
    """Begins, and waits until all of it is there."""
    ctx.set(network.load.begin, 1)
    await ctx.tick()
    ctx.set(network.load.begin, 0)
    for byte in image:
        assert not ctx.get(network.full)
        ctx.set(network.load.byte, byte)
        ctx.set(network.load.valid, 1)
        await ctx.tick()
    ctx.set(network.load.valid, 0)
    while not ctx.get(network.loaded):
        await ctx.tick()


def expect_golden(built: NetworkSpec, folding: Folding, trainings, samples):
    """One simulated network is loaded with each of ``trainings`` in turn, and equals the cycle
    model of it in scores, winners, spikes, membranes and every counter. An item None: nothing is
    loaded, and it is as it was built."""
    network = Network(built, folding)
    plans = network.plans
    swept = [([], []) for _ in plans]

    def watch(layer, spikes, membranes):
        async def see(ctx):
            async for *_, valid, fired, levels in ctx.tick().sample(
                    layer.o.valid, layer.o.spikes, layer.o.membranes):
                if valid:
                    spikes.append([fired >> unit & 1 for unit in range(layer.plan.units)])
                    membranes.append([levels[unit] for unit in range(layer.plan.units)])
        return see

    async def bench(ctx):
        for spec in trainings:
            if spec is not None:
                await load(ctx, network, training_image(built, folding, spec))
            reference = simulate(spec or built, samples, engine="cycles", folding=folding,
                                 membranes=True)
            for number, sample in enumerate(samples):
                for each in swept:
                    each[0].clear()
                    each[1].clear()
                ctx.set(network.clear, 1)
                await ctx.tick()
                ctx.set(network.clear, 0)
                await send(ctx, network, sample)
                ctx.set(network.o.ready, 1)
                scores, payload = [], None
                while payload is None or not payload.last:
                    payload, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
                    scores.append(payload.score)
                ctx.set(network.o.ready, 0)
                assert scores == reference.scores[number].tolist()
                assert payload.winner == reference.prediction[number]
                words = np.array([await read_counters(ctx, network)])
                counters, whole = decode(words, network.layer_counters)
                for name, values in counters.items():
                    np.testing.assert_array_equal(values[0], reference.counters[name][number])
                for name, values in whole.items():
                    assert values[0] == getattr(reference, name)[number], name
                for plan, (spikes, membranes), fired, levels in zip(
                        plans, swept, reference.spikes, reference.membranes, strict=True):
                    for seen, meant in ((spikes, fired), (membranes, levels)):
                        rows = np.array(seen).reshape(1, -1, plan.steps, plan.units)
                        np.testing.assert_array_equal(by_neuron(plan, rows)[0], meant[number])

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    for layer, (spikes, membranes) in zip(network.layers, swept, strict=True):
        simulator.add_testbench(watch(layer, spikes, membranes), background=True)
    simulator.run()


def neuron_of(kind: str, neurons: int) -> Neuron:
    each = np.arange(neurons)
    return {
        "lapicque": Neuron(decay=-5, decay_fraction=3, threshold=20, bias=each - 2,
                           reset=Reset.ZERO_DROP_INPUT),
        "synaptic": Neuron(decay=200 + each, decay_fraction=8, threshold=30 - each, bias=3,
                           synapse_decay=90, synapse_decay_fraction=7),
        "undelayed": Neuron(decay=7, decay_fraction=3, threshold=12 + each, reset_delay=False),
        "clamped": Neuron(decay=7, decay_fraction=3, threshold=20, bias=each, membrane_bits=7,
                          reset=Reset.ZERO_KEEP_INPUT),
        "never": Neuron(decay=7, decay_fraction=3, threshold=5000, bias=-2),
    }[kind]


@pytest.mark.parametrize("kind", ["lapicque", "synaptic", "undelayed", "clamped", "never"])
def test_every_kind_of_neuron_gets_other_parameters(kind):
    rng = np.random.default_rng(1)
    own = None if kind in ("clamped", "never") else OneToOne(weight=rng.integers(-4, 5, 6))
    layer = Layer(name="fc", neuron=neuron_of(kind, 6), recurrent=own,
                  synapse=Linear(weight=rng.integers(-7, 8, (6, 9)), weight_bits=4))
    spec = NetworkSpec(input_shape=(9,), timesteps=4, layers=(layer,))
    folding = Folding(default=replace(ALL, units=2))
    other = another(spec, folding)
    assert other != spec
    expect_golden(spec, folding, [None, other, spec], rng.random((2, 4, 9)) < 0.4)


def test_maps_a_held_input_and_slices_get_another_training():
    """Each bank of a convolution gets its copy, and each slice its part."""
    rng = np.random.default_rng(2)
    leaky = {"decay": 13, "decay_fraction": 4}
    conv = Layer(name="conv", neuron=Neuron(threshold=20, bias=rng.integers(-3, 9, 32), **leaky),
                 synapse=Conv2d(weight=rng.integers(-5, 8, (2, 1, 3, 3)), weight_bits=4,
                                input_shape=(1, 4, 4), padding=1))
    full = Layer(name="full", synapse=Linear(weight=rng.integers(-5, 8, (4, 32)), weight_bits=4),
                 neuron=Neuron(threshold=15, **leaky),
                 recurrent=Linear(weight=rng.integers(-5, 8, (4, 4)), weight_bits=4))
    spec = NetworkSpec(input_shape=(1, 4, 4), layers=(conv, full), timesteps=3,
                       input=Input(kind=InputKind.CURRENT, bits=2))
    folding = loadable(Folding(layers=(
        ("conv", LayerFolding(slices=2, overlap=True)),
        ("full", LayerFolding(ways=2, units=2, slices=2)))), spec)
    samples = rng.integers(0, 4, (2, 1, 16))
    expect_golden(spec, folding, [another(spec, folding), spec], samples)


@settings(max_examples=3, deadline=None)
@given(st.data(), st.integers(0, 99))
def test_any_network_gets_another_training(data, seed):
    spec = data.draw(networks(max_size=8, features=BUILT))
    folding = loadable(data.draw(foldings(spec)), spec)
    try:
        other = another(spec, folding, seed)
    except ShapeError:
        assume(False)
    expect_golden(spec, folding, [other, spec], data.draw(spike_trains(spec, 1)))


def test_a_single_neuron_and_a_single_step_may_begin_at_once():
    """What begins with the bias that was loaded last is in its place before `loaded`."""
    spec = one_layer(4, 1, timesteps=3, threshold=3)
    spec = replace(spec, layers=(replace(
        spec.layers[0], neuron=replace(spec.layers[0].neuron, bias=4)),))
    folding = Folding(default=ALL)
    other = replace(spec, layers=(replace(
        spec.layers[0], neuron=replace(spec.layers[0].neuron, bias=-1, threshold=2)),))
    expect_golden(spec, folding, [other, spec, other], np.zeros((1, 3, 4), bool))


def changed(spec: NetworkSpec, index: int = 0, **settings) -> NetworkSpec:
    layers = list(spec.layers)
    layers[index] = replace(layers[index], neuron=replace(layers[index].neuron, **settings))
    return replace(spec, layers=tuple(layers))


SPEC = two_layers()


@pytest.mark.parametrize(("other", "folding", "match"), [
    (two_layers(hidden=13), ALL, r"layer fc1: weight of its synapse is \[13, 20\], .* \[12, 20\]"),
    (replace(SPEC, timesteps=9), ALL, r"the network's timesteps is 9, .* for 8; build"),
    (changed(SPEC, reset=Reset.ZERO_KEEP_INPUT), ALL, r"layer fc1: reset of its neuron is zero-k"),
    (changed(SPEC, 1, decay_fraction=9), ALL, r"layer fc2: decay_fraction of its neuron is 9, "),
    (changed(SPEC, 1, threshold=np.arange(5) + 30), ALL,
     r"layer fc2: threshold is one for each neuron, .* for one for all neurons"),
    (changed(SPEC, bias=500), ALL, r"layer fc1: its membranes may need \d+ bits, .* has"),
    (replace(SPEC, readout=Readout(kind=ReadoutKind.MEMBRANE)), ALL, r"the network's readout"),
    (replace(SPEC, layers=SPEC.layers[:1]), ALL, r"number of layers is 1, .* for 2"),
    (two_layers(seed=1), LayerFolding(), r"layer fc1: weight of its synapse is another one"),
    (changed(SPEC, threshold=31), replace(ALL, parameters=Storage.FIXED),
     r"layer fc1: threshold of its neuron is another one, .* --loadable"),
    (two_layers(input=Input(kind=InputKind.COUNTS, bits=3)), ALL, r"the network's input is Input"),
])
def test_what_does_not_fit_is_named(other, folding, match):
    with pytest.raises(ShapeError, match=match):
        training_image(SPEC, Folding(default=folding), other)


def test_a_layer_without_biases_has_no_place_for_them():
    spec = one_layer(4, 3)
    with pytest.raises(ShapeError, match=r"bias is one for each neuron, .* was built for none"):
        training_image(spec, Folding(default=ALL), changed(spec, bias=np.array([1, 0, 0])))


def test_a_decay_beyond_the_word_is_refused_and_a_threshold_beyond_all_membranes_is_not():
    spec, folding = one_layer(4, 3), Folding(default=ALL)
    with pytest.raises(ShapeError, match=r"layer fc: its (decay|(decayed )?membranes) may"):
        training_image(spec, folding, changed(spec, decay=31))
    assert training_image(spec, folding, changed(spec, threshold=1 << 20))


def test_a_name_is_no_shape_and_a_width_is():
    folding = Folding(default=ALL)
    assert shape_digest(replace(SPEC, name="other"), folding) == shape_digest(SPEC, folding)
    assert shape_digest(changed(SPEC, threshold=31), folding) == shape_digest(SPEC, folding)
    assert shape_digest(SPEC, Folding()) != shape_digest(SPEC, folding)
    wider = changed(SPEC, bias=100)
    assert shape_digest(wider, folding) != shape_digest(SPEC, folding)


def test_parameters_are_loaded_with_weights_or_not_at_all():
    with pytest.raises(FoldingError, match="loadable parameters with fixed weights"):
        LayerFolding(parameters=Storage.LOADABLE)
    with pytest.raises(FoldingError, match="parameters in spram storage"):
        LayerFolding(storage=Storage.SPRAM, parameters=Storage.SPRAM)
    assert Loadable.ALL.of(LayerFolding(storage=Storage.SPRAM)) == LayerFolding(
        storage=Storage.SPRAM, parameters=Storage.LOADABLE)
    conv = Layer(name="conv", synapse=Conv2d(weight=np.ones((1, 1, 2, 2), int), weight_bits=4,
                                             input_shape=(1, 3, 3)),
                 neuron=Neuron(decay=0, decay_fraction=0, threshold=1))
    spec = NetworkSpec(input_shape=(1, 3, 3), timesteps=1, layers=(conv,))
    with pytest.raises(FoldingError, match=r"spram weights of a convolution .* fixed or loadable"):
        layer_plans(spec, Folding(default=LayerFolding(storage=Storage.SPRAM)))
