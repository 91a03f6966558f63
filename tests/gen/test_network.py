"""The generated hardware against the golden model: equality on everything both report."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Folding,
    Layer,
    NetworkSpec,
    Neuron,
    Reset,
    first_difference,
    simulate,
)
from spikewright.gen.counters import CYCLE_COUNTERS, decode
from spikewright.gen.engines.amaranth import read_counters, send
from spikewright.gen.folding import LayerFolding
from spikewright.gen.linear import LinearPlan
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.router import TIMESTEPS

from .examples import of_everything, one_layer, two_layers
from .memories import poison
from .stalls import run_stalled
from .strategies import BUILT, foldings, networks, spike_trains


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    poison(monkeypatch)


def assert_equal(spec, spikes, folding=None):
    golden = simulate(spec, spikes, engine="golden", membranes=True)
    hardware = simulate(spec, spikes, engine="amaranth", membranes=True, folding=folding)
    difference = first_difference(golden, hardware, [layer.name for layer in spec.layers])
    assert difference is None, str(difference)
    return hardware


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_equals_golden_on_any_network(data):
    spec = data.draw(networks(features=BUILT))
    assert_equal(spec, data.draw(spike_trains(spec, 2)), data.draw(foldings(spec)))


@pytest.mark.slow
@settings(deadline=None, max_examples=600, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_equals_golden_on_any_network_long(data):
    spec = data.draw(networks(max_layers=4, max_size=24, features=BUILT))
    assert_equal(spec, data.draw(spike_trains(spec, 3)), data.draw(foldings(spec, max_ways=6)))


@pytest.mark.parametrize("lanes", [4, 12])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_equals_golden_for_every_reset_timing_and_number_of_rows(reset, delay, lanes):
    spec = two_layers(reset=reset, reset_delay=delay)
    spikes = np.random.default_rng(lanes).random((1, 8, 20)) < 0.3
    assert_equal(spec, spikes, Folding.lanes(lanes, min(lanes, 5), spec=spec))


def test_equals_golden_on_a_net_of_everything():
    spec = of_everything()
    images = np.random.default_rng(0).integers(0, 4, (2, 1, spec.inputs))
    assert_equal(spec, images, Folding(layers=(("hidden", LayerFolding(ways=3)),)))


def test_equals_golden_where_no_event_reaches_a_weight_but_zero():
    """All others lie beyond the border, so that every sum is 0."""
    synapse = Conv2d(weight=np.array([[[[1], [0], [2]]]]), weight_bits=3, weight_shift=3,
                     input_shape=(1, 1, 1), padding=(1, 0))
    layer = Layer(name="conv", synapse=synapse,
                  neuron=Neuron(decay=1, decay_fraction=1, threshold=2, bias=1))
    spec = NetworkSpec(input_shape=(1, 1, 1), layers=(layer,), timesteps=4)
    hardware = assert_equal(spec, np.ones((1, 4, 1), bool))
    assert hardware.counters["synops"].tolist() == [[4]]


def test_a_single_wrong_weight_is_found(monkeypatch):
    """The comparison can fail: one weight memory word is wrong by one."""
    right = LinearPlan.weight_words

    def wrong(self, way):
        words = right(self, way)
        words[3][0] = 6 if words[3][0] == 7 else words[3][0] + 1
        return words

    spec = two_layers()
    spikes = np.random.default_rng(0).random((2, 8, 20)) < 0.5
    golden = simulate(spec, spikes, engine="golden", membranes=True)
    monkeypatch.setattr(LinearPlan, "weight_words", wrong)
    hardware = simulate(spec, spikes, engine="amaranth", membranes=True)
    difference = first_difference(golden, hardware, ["fc1", "fc2"])
    assert difference is not None
    assert (difference.what, difference.layer, difference.neuron) == ("membrane", "fc1", 0)
    assert difference.timestep == int(np.flatnonzero(spikes[0, :, 3])[0])


def assert_stalls_change_nothing(spec, samples, folding, pauses, seed):
    golden = simulate(spec, samples, engine="golden")
    network = Network(spec, folding)
    scores, winners, words = run_stalled(network, samples, pauses, seed)
    assert scores.tolist() == golden.scores.tolist()
    assert winners.tolist() == golden.prediction.tolist()
    counted, of_network = decode(words)
    for name, total in golden.counters.items():
        assert counted[name].tolist() == total.sum(axis=0).tolist(), name
    assert counted["events_out"][:-1].tolist() == counted["events_in"][1:].tolist()
    assert (counted["queue_peak"] <= TIMESTEPS).all()
    assert (sum(counted[name] for name in CYCLE_COUNTERS) == of_network["cycles"]).all()


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_stalls_change_nothing_but_time(data):
    """Random pauses of source and sink, inferences back to back: same results, no event lost."""
    spec = data.draw(networks(max_size=10, features=BUILT))
    assert_stalls_change_nothing(
        spec, data.draw(spike_trains(spec, 4)), data.draw(foldings(spec)),
        [data.draw(st.sampled_from([0.0, 0.3, 0.9])) for _ in range(2)],
        data.draw(st.integers(0, 1 << 16)))


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_stalls_change_nothing_but_time_long(data):
    spec = data.draw(networks(max_layers=4, features=BUILT))
    assert_stalls_change_nothing(
        spec, data.draw(spike_trains(spec, 6)), data.draw(foldings(spec)),
        [data.draw(st.sampled_from([0.0, 0.3, 0.9])) for _ in range(2)],
        data.draw(st.integers(0, 1 << 16)))


def test_inferences_follow_one_another_without_a_pause():
    """Membranes, currents, scores and recurrence begin anew."""
    spec = of_everything(timesteps=2)
    images = np.random.default_rng(1).integers(0, 4, (3, 1, spec.inputs))
    folding = Folding(layers=(("hidden", LayerFolding(ways=3)),))
    assert_stalls_change_nothing(spec, images, folding, (0, 0), 0)


def test_counters_can_be_left_out():
    """A read then finds 0 at once."""
    network = Network(two_layers(), Folding(), counters=False)
    spikes = np.random.default_rng(0).random((2, 8, 20)) < 0.3
    scores, _, words = run_stalled(network, spikes, (0, 0), 0)
    golden = simulate(network.spec, spikes, engine="golden")
    assert scores.tolist() == golden.scores.tolist()
    assert words.tolist() == [0]


def test_a_read_of_counters_that_are_left_out_is_answered_at_once():
    network = Network(one_layer(2, 2), Folding(), counters=False)

    async def bench(ctx):
        for read in (0, 1, 1, 0):
            ctx.set(network.counter_read, read)
            assert (ctx.get(network.counter_valid), ctx.get(network.counter_data)) == (read, 0)
            await ctx.tick()

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_an_inference_may_be_shorter_than_the_longest():
    spec = two_layers(timesteps=8)
    spikes = np.random.default_rng(0).random((3, 8, 20)) < 0.3
    network = Network(spec, Folding())
    scores, winners, _ = run_stalled(network, [sample[:n] for sample, n in zip(
        spikes, (8, 1, 5), strict=True)], (0, 0), 0)
    for sample, n in enumerate((8, 1, 5)):
        golden = simulate(spec, spikes[sample : sample + 1, :n], engine="golden")
        assert scores[sample].tolist() == golden.scores[0].tolist()
        assert winners[sample] == golden.prediction[0]


def test_clear_zeroes_every_counter():
    network = Network(two_layers(), Folding())
    words = []

    async def bench(ctx):
        ctx.set(network.o.ready, 1)
        await send(ctx, network, np.ones((4, 20), bool))
        await ctx.tick().until(network.o.valid & network.o.payload.last)
        words.append(await read_counters(ctx, network))
        ctx.set(network.clear, 1)
        await ctx.tick()
        ctx.set(network.clear, 0)
        words.append(await read_counters(ctx, network))

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    counted, cleared = words
    assert counted.sum() > 0
    assert cleared.sum() == 0


def test_inferences_that_wait_for_their_results_are_all_under_way():
    """As many as there is room for, behind a result that is not taken: no cycle goes uncounted."""
    layer = one_layer(2, 2).layers[0]
    layers = tuple(replace(layer, name=f"fc{n}") for n in range(7))
    spec = NetworkSpec(input_shape=(2,), timesteps=1, layers=layers)
    network = Network(spec, Folding(default=LayerFolding(lanes=1)))

    async def bench(ctx):
        ctx.set(network.i.payload, {"tick": 1, "last": 1})
        ctx.set(network.i.valid, 1)
        under_way = 0
        for _ in range(260):
            *_, taken, active = await ctx.tick().sample(network.i.ready, network.counters.active)
            assert active
            under_way += taken
        assert under_way > 32

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
