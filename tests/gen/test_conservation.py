"""Events are neither lost nor made on their way through a network, whoever pauses: what one layer
sends is what the next receives, counted by the hardware itself."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import simulate
from spikewright.gen.beats import beats
from spikewright.gen.counters import COUNTERS, CYCLE_COUNTERS, FUNCTIONAL_COUNTERS
from spikewright.gen.rtl.network import Network

from .strategies import FEATURES, foldings, networks, spike_trains


def run(network: Network, signals: np.ndarray, pauses: tuple[float, float], seed: int):
    """Scores (samples, classes), and counter → values by layer, of samples sent back to back.

    ``pauses`` are the probabilities that the source, and the sink, pause in a cycle.
    """
    chance = np.random.default_rng(seed)
    scores = np.zeros((len(signals), network.spec.classes), np.int64)
    words = np.zeros(network.counter_count, np.int64)

    async def send(ctx):
        for sample in signals:
            for beat in beats(network.plans[0], sample):
                while chance.random() < pauses[0]:
                    await ctx.tick()
                ctx.set(network.i.payload, beat)
                ctx.set(network.i.valid, 1)
                await ctx.tick().until(network.i.ready)
                ctx.set(network.i.valid, 0)

    async def take(ctx):
        for sample in scores:
            for index in range(len(sample)):
                while chance.random() < pauses[1]:
                    await ctx.tick()
                ctx.set(network.o.ready, 1)
                result, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
                ctx.set(network.o.ready, 0)
                assert (result.index, result.last) == (index, index == len(sample) - 1)
                sample[index] = result.score
        for address in range(len(words)):
            ctx.set(network.counter_address, address)
            ctx.set(network.counter_read, 1)
            words[address], = await ctx.tick().sample(network.counter_data).until(
                network.counter_valid)
            ctx.set(network.counter_read, 0)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(take)
    simulator.run()
    layers = len(network.spec.layers)
    table = words[: layers * len(COUNTERS)].reshape(layers, len(COUNTERS))
    return scores, {counter.name: table[:, n] for n, counter in enumerate(COUNTERS)}, \
        words[layers * len(COUNTERS)]


def check(data, features, max_size: int):
    spec = data.draw(networks(max_size=max_size, features=features))
    signals = data.draw(spike_trains(spec, 3))
    pauses = data.draw(st.tuples(*[st.sampled_from([0.0, 0.3, 0.9])] * 2))
    network = Network(spec, data.draw(foldings(spec)))
    scores, counted, cycles = run(network, signals, pauses, data.draw(st.integers(0, 1 << 16)))

    sent = np.count_nonzero(signals) if spec.layers[0].pool is None else counted["events_in"][0]
    assert counted["events_in"].tolist() == [sent, *counted["events_out"][:-1]]
    golden = simulate(spec, signals, engine="golden")
    np.testing.assert_array_equal(scores, golden.scores)
    for name in FUNCTIONAL_COUNTERS:
        np.testing.assert_array_equal(counted[name], golden.counters[name].sum(axis=0), name)
    assert (sum(counted[name] for name in CYCLE_COUNTERS) == cycles).all()
    assert (counted["queue_peak"] <= 2).all()


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_event_is_lost_or_made(data):
    check(data, frozenset(), max_size=10)


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_event_is_lost_or_made_in_any_kind_of_network(data):
    check(data, FEATURES, max_size=14)
