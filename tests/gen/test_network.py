"""The generated hardware against the golden model: equality on everything both report."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import Folding, Reset, first_difference, simulate
from spikewright.gen.beats import beats
from spikewright.gen.counters import COUNTERS, CYCLE_COUNTERS
from spikewright.gen.rtl.array import NeuronArray
from spikewright.gen.rtl.network import Network

from .examples import one_layer, two_layers
from .strategies import foldings, networks, spike_trains


def assert_equal(spec, spikes, folding=None):
    golden = simulate(spec, spikes, engine="golden", membranes=True)
    hardware = simulate(spec, spikes, engine="amaranth", membranes=True, folding=folding)
    difference = first_difference(golden, hardware, [layer.name for layer in spec.layers])
    assert difference is None, str(difference)
    return hardware


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_equals_golden_on_any_network(data):
    spec = data.draw(networks())
    assert_equal(spec, data.draw(spike_trains(spec, 3)), data.draw(foldings(spec)))


@pytest.mark.slow
@settings(deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_equals_golden_on_any_network_long(data):
    spec = data.draw(networks(max_layers=4, max_size=24))
    assert_equal(spec, data.draw(spike_trains(spec, 3)), data.draw(foldings(spec)))


@pytest.mark.parametrize("lanes", [1, 4, 6, 12])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_equals_golden_for_every_reset_timing_and_number_of_rows(reset, delay, lanes):
    spec = two_layers(reset=reset, reset_delay=delay)
    spikes = np.random.default_rng(lanes).random((2, 8, 20)) < 0.3
    assert_equal(spec, spikes, Folding.lanes(lanes, min(lanes, 5), spec=spec))


def test_a_single_wrong_weight_is_found(monkeypatch):
    """The comparison can fail: one weight memory word is wrong by one."""
    right = NeuronArray.weight_words

    def wrong(self):
        words = right(self)
        words[3][0] = 6 if words[3][0] == 7 else words[3][0] + 1
        return words

    spec = two_layers()
    spikes = np.random.default_rng(0).random((2, 8, 20)) < 0.5
    golden = simulate(spec, spikes, engine="golden", membranes=True)
    monkeypatch.setattr(NeuronArray, "weight_words", wrong)
    hardware = simulate(spec, spikes, engine="amaranth", membranes=True)
    difference = first_difference(golden, hardware, ["fc1", "fc2"])
    assert difference is not None
    assert (difference.what, difference.layer, difference.neuron) == ("membrane", "fc1", 0)
    assert difference.timestep == int(np.flatnonzero(spikes[0, :, 3])[0])


@pytest.mark.parametrize(("neurons", "lanes"), [(24, 24), (24, 8), (24, 4), (24, 2), (25, 4)])
def test_cycles_follow_the_spikes(neurons, lanes):
    """An inference of one layer takes ``rows`` cycles for each input spike, plus a constant: the
    slope and intercept that Network's docstring states. Five spikes or more in each timestep, so
    that no sweep waits for the one before."""
    # Nobody fires, so the router's work is the tick alone.
    spec = one_layer(inputs=60, neurons=neurons, threshold=10**6)
    rows = -(-neurons // lanes)
    rng = np.random.default_rng(0)
    events = np.array([20, 40, 80, 120, 160, 200, 240])
    spikes = np.zeros((len(events), 4, 60), bool)
    for sample, total in enumerate(events):
        for t in range(4):
            spikes[sample, t, rng.choice(60, total // 4, replace=False)] = True
    trace = simulate(spec, spikes, engine="amaranth", folding=Folding.lanes(lanes, spec=spec))
    wide = lanes > 16
    intercept = 2 + (1 + NeuronArray.LATENCY) + (2 + 1 + wide) + neurons
    assert trace.cycles.tolist() == (rows * events + intercept).tolist()
    assert (trace.counters["busy"][:, 0] == rows * events).all()
    assert (trace.counters["synops"][:, 0] == neurons * events).all()
    assert (trace.counters["sweeping"] == 0).all()


def test_silent_timesteps_cost_one_sweep():
    """A timestep without input costs ``rows`` cycles, or TICK_DISTANCE if that is more."""
    for lanes, per_step in ((4, 6), (24, 5), (12, 5)):
        spec = one_layer(inputs=8, neurons=24, timesteps=40)
        silent = np.zeros((1, 40, 8), bool)
        trace = simulate(spec, silent, engine="amaranth", folding=Folding.lanes(lanes, spec=spec))
        short = simulate(spec, silent[:, :10], engine="amaranth",
                         folding=Folding.lanes(lanes, spec=spec))
        assert trace.cycles[0] - short.cycles[0] == 30 * per_step


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_stalls_change_nothing_but_time(data):
    """Random pauses of source and sink, inferences back to back: same results, no event lost."""
    spec = data.draw(networks(max_size=10))
    spikes = data.draw(spike_trains(spec, 4))
    golden = simulate(spec, spikes, engine="golden")
    network = Network(spec, data.draw(foldings(spec)))
    chance = np.random.default_rng(data.draw(st.integers(0, 1 << 16)))
    pause = chance.choice([0.0, 0.3, 0.9], 2)
    counts = np.zeros_like(golden.scores)
    words = []

    async def drive(ctx):
        for sample in spikes:
            for beat in beats(sample):
                while chance.random() < pause[0]:
                    await ctx.tick()
                ctx.set(network.i.payload, beat._asdict())
                ctx.set(network.i.valid, 1)
                await ctx.tick().until(network.i.ready)
                ctx.set(network.i.valid, 0)

    async def take(ctx):
        for sample in range(len(spikes)):
            for index in range(spec.classes):
                while chance.random() < pause[1]:
                    await ctx.tick()
                ctx.set(network.o.ready, 1)
                payload, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
                ctx.set(network.o.ready, 0)
                assert payload.index == index
                assert payload.last == (index == spec.classes - 1)
                counts[sample, index] = payload.count
            assert payload.winner == golden.prediction[sample]
        for word in range(network.counter_count):
            ctx.set(network.counter_address, word)
            await ctx.tick()
            words.append(ctx.get(network.counter_data))

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(take)
    simulator.run()
    assert (counts == golden.scores).all()

    table = np.array(words[:-1]).reshape(len(spec.layers), -1)
    read = {counter.name: table[:, n] for n, counter in enumerate(COUNTERS)}
    for name, total in golden.counters.items():
        assert read[name].tolist() == total.sum(axis=0).tolist(), name
    assert (sum(read[name] for name in CYCLE_COUNTERS) == words[-1]).all()
    plans = network.plans
    assert all(peak <= plan.queue for peak, plan in zip(read["queue_peak"], plans, strict=True))


def test_counters_can_be_left_out():
    spec = two_layers()
    network = Network(spec, Folding(), counters=False)
    assert network.counter_count == 1


def test_clear_zeroes_every_counter():
    spec = two_layers()
    network = Network(spec, Folding())
    words = []

    async def bench(ctx):
        ctx.set(network.i.valid, 1)
        ctx.set(network.o.ready, 1)
        for beat in beats(np.ones((4, 20), bool)):
            ctx.set(network.i.payload, beat._asdict())
            await ctx.tick().until(network.i.ready)
        ctx.set(network.i.valid, 0)
        for _ in range(300):
            await ctx.tick()
        for _ in range(2):
            for word in range(network.counter_count):
                ctx.set(network.counter_address, word)
                await ctx.tick()
                words.append(ctx.get(network.counter_data))
            ctx.set(network.clear, 1)
            await ctx.tick()
            ctx.set(network.clear, 0)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert sum(words[: network.counter_count]) > 0
    assert sum(words[network.counter_count :]) == 0
