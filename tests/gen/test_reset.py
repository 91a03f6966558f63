"""What a reset leaves behind: registers of data that nobody looks at before they are written, and
memories; between inferences nothing that shows, in the middle of one what two empty inferences
clear away."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from spikewright.gen import Folding, Input, InputKind, simulate
from spikewright.gen.beats import beats
from spikewright.gen.counters import decode
from spikewright.gen.engines.amaranth import read_counters, send
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.weights import SPRAM_DEPTH, WeightStore

from ..mutation.designs import accelerators
from .examples import exiting, of_everything, two_layers
from .resets import kept

#: Data on its way, which a register beside it calls valid; numbers in names are N.
KEPT = {
    "BlockMemory": {"data"},
    "Counters": {"complement", "owned"},
    "LinearSynapses": {"fetched_N", "product_N_N", "increment_N", "snapshot", "taken"},
    "NeuronArray": {"state"},
    "SpikeQueue": {"row_came", "held"},
    "SumBank": {"stored", "stored_N", "arrived", "operand", "last", "before_last", "earlier"},
    "SumSweep": {"sums"},
    "WeightDecoder": {"word"},
    "_Unit": {"word", "flag", "current", "u", "flag_fire", "reset_due", "bias_N_N", "arriving",
              "lowered", "current_N", "decay_leaked", "decay_round_up", "synapse_decay_leaked",
              "synapse_decay_round_up"},
}


def test_a_reset_gives_all_other_registers_their_first_value():
    found: dict[str, set[str]] = {}
    for design, _ in accelerators():
        for component, names in kept(design).items():
            found.setdefault(component, set()).update(names)
    assert found == KEPT


def test_a_reset_does_so_in_front_of_large_memories():
    class UltraPlus:
        device = "iCE40UP5K"

    words = [[1]] * (SPRAM_DEPTH + 1)
    assert not kept(WeightStore(words, 1, 4, Storage.SPRAM), UltraPlus())


async def begin(ctx, network, sample, cycles):
    """Sends ``sample`` for so many cycles only, and takes what comes."""
    waiting = beats(network.plans[0], sample)
    beat = next(waiting, None)
    ctx.set(network.o.ready, 1)
    for _ in range(cycles):
        ctx.set(network.i.valid, beat is not None)
        if beat is not None:
            ctx.set(network.i.payload, beat)
        *_, taken = await ctx.tick().sample(network.i.ready)
        if taken:
            beat = next(waiting, None)
    ctx.set(network.i.valid, 0)


async def result(ctx, network):
    ctx.set(network.o.ready, 1)
    scores, last = [], False
    while not last:
        payload, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
        scores.append(payload.score)
        last = payload.last
    ctx.set(network.o.ready, 0)
    return scores, payload.winner


async def clear_memories(ctx, network):
    """Two inferences of nothing but their last tick, as the network asks for."""
    for _ in range(2):
        ctx.set(network.i.payload, {"tick": 1, "last": 1})
        ctx.set(network.i.valid, 1)
        await ctx.tick().until(network.i.ready)
        ctx.set(network.i.valid, 0)
        await result(ctx, network)


def assert_forgotten(spec, folding, samples, moments):
    """After a reset at any of ``moments`` within sample 0, and after one between inferences,
    sample 1 is as if it came first: the scores, the prediction and all counters."""
    expected = simulate(spec, samples[1:2], engine="amaranth", folding=folding)
    network, reset = Network(spec, folding), Signal()

    async def pulse(ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def bench(ctx):
        assert not (await read_counters(ctx, network)).any()
        for moment in moments:
            await begin(ctx, network, samples[0], moment)
            await pulse(ctx, reset)
            assert not (await read_counters(ctx, network)).any(), moment
            await clear_memories(ctx, network)
            await pulse(ctx, network.clear)
            await compare(ctx)
            await pulse(ctx, reset)
            await compare(ctx)

    async def compare(ctx):
        await send(ctx, network, samples[1])
        scores, winner = await result(ctx, network)
        assert (scores, winner) == (expected.scores[0].tolist(), expected.prediction[0])
        counters, of_network = decode((await read_counters(ctx, network))[np.newaxis])
        for name, counted in (expected.counters or {}).items():
            assert counters[name].tolist() == counted.tolist(), name
        for name, counted in of_network.items():
            assert counted[0] == getattr(expected, name)[0], name

    simulator = Simulator(ResetInserter(reset)(network))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def moments_of(most, count=4):
    return sorted(np.random.default_rng(most).integers(1, most, count).tolist())


@pytest.mark.parametrize("folding", [
    LayerFolding(), LayerFolding(lanes=4, ways=2, units=2), LayerFolding(slices=2, units=4)])
def test_layers_of_numbers(folding):
    spec = two_layers(timesteps=5)
    samples = np.random.default_rng(0).random((2, 5, 20)) < 0.4
    assert_forgotten(spec, Folding(default=folding), samples, moments_of(60))


def test_an_early_exit():
    spec = exiting(two_layers(timesteps=5, input=Input(kind=InputKind.COUNTS, bits=2)))
    samples = np.random.default_rng(0).integers(0, 4, (2, 5, 20))
    assert_forgotten(spec, Folding(), samples, moments_of(60))


@pytest.mark.parametrize("overlap", [False, True])
def test_maps_poolings_and_a_held_image(overlap):
    spec = of_everything(timesteps=2)
    images = np.random.default_rng(1).integers(0, 4, (2, 1, spec.inputs))
    folding = Folding(layers=(("conv1", LayerFolding(overlap=overlap)),))
    assert_forgotten(spec, folding, images, moments_of(500, 1))
