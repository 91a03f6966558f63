"""Scores and decisions of every kind, straight from sweeps."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import (
    Folding,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
)
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import LayerPlan, layer_plans
from spikewright.gen.rtl.readout import ScoreReadout, answer_latency

TIMESTEPS = 5


def readout_of(classes: int, units: int, readout: Readout) -> tuple[ScoreReadout, LayerPlan]:
    """Of neurons whose membranes are −8 to 7."""
    neurons = classes * readout.population
    layer = Layer(name="out", synapse=Linear(weight=[[7, -7]] * neurons, weight_bits=4),
                  neuron=Neuron(decay=1, decay_fraction=0, threshold=2, membrane_bits=4))
    spec = NetworkSpec(input_shape=(2,), layers=(layer,), timesteps=TIMESTEPS, readout=readout)
    plan = layer_plans(spec, Folding(default=LayerFolding(units=units)))[0]
    assert spec.bounds[0].membrane == (-8, 7)
    return ScoreReadout(plan, spec), plan


def run(dut: ScoreReadout, plan: LayerPlan, spikes, membranes, *, source=0.0, sink=0.0, seed=0):
    """Sweeps over (inferences, timesteps, neurons), each sweep begun when there is room; takes
    every result. Either pauses at random. Returns (index, score, winner, last) of each result
    beat, and the cycles of the inferences' last steps and of the beats."""
    chance = random.Random(seed)
    results, ends, taken = [], [], []
    cycle = 0

    async def clock(ctx):
        nonlocal cycle
        async for _ in ctx.tick():
            cycle += 1

    async def sweep(ctx):
        for sample, t in np.ndindex(spikes.shape[:2]):
            last = t == spikes.shape[1] - 1
            while not ctx.get(dut.room) or chance.random() < source:
                await ctx.tick()
            ctx.set(dut.begin, 1)
            ctx.set(dut.begin_last, last)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            for step, neurons in enumerate(plan.order):
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.end, step == plan.steps - 1)
                ctx.set(dut.i.last, last)
                for unit, neuron in enumerate(neurons.tolist()):
                    ctx.set(dut.i.spikes[unit], int(neuron >= 0 and spikes[sample, t, neuron]))
                    ctx.set(dut.i.membranes[unit], int(membranes[sample, t, neuron]))
                if last and step == plan.steps - 1:
                    ends.append(cycle)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)

    async def take(ctx):
        held = None
        while len(results) < len(spikes) * dut.classes:
            ready = chance.random() >= sink
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            assert held is None or (valid and payload.as_bits() == held), "changed its offer"
            held = payload.as_bits() if valid and not ready else None
            if valid and ready:
                assert ctx.get(dut.answering) or payload.last
                results.append((payload.index, payload.score, payload.winner, payload.last))
                taken.append(cycle - 1)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(sweep)
    simulator.add_testbench(take)
    simulator.run()
    return results, ends, taken


def random_activity(neurons: int, seed: int):
    rng = np.random.default_rng(seed)
    spikes = rng.random((6, TIMESTEPS, neurons)) < rng.choice([0.05, 0.5], (6, 1, 1))
    return spikes, rng.integers(-8, 8, spikes.shape)


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0.5), (0.1, 0.8)])
@pytest.mark.parametrize("population", [1, 3])
@pytest.mark.parametrize(("classes", "units"), [(1, 1), (2, 1), (4, 3), (10, 10)])
@pytest.mark.parametrize("kind", ReadoutKind)
def test_scores_and_decides(kind, classes, units, population, stalls):
    """The contract's scores, the first of the best, and nothing left over from before."""
    readout = Readout(kind=kind, population=population)
    dut, plan = readout_of(classes, units, readout)
    spikes, membranes = random_activity(classes * population, seed=classes)
    results, _, _ = run(dut, plan, spikes, membranes, source=stalls[0], sink=stalls[1])
    scores = readout.scores(spikes, membranes, TIMESTEPS)
    expected = [(index, score, row[: index + 1].argmax(), index == classes - 1)
                for row in scores for index, score in enumerate(row.tolist())]
    assert results == expected


@pytest.mark.parametrize("population", [1, 2, 5])
def test_latency(population):
    """The first class ``population + 1`` cycles after the last step, then one in ``population``
    cycles."""
    readout = Readout(population=population)
    dut, plan = readout_of(3, 2, readout)
    spikes, membranes = random_activity(3 * population, seed=0)
    _, ends, taken = run(dut, plan, spikes, membranes)
    assert taken == [end + 1 + population * (n + 1) for end in ends for n in range(3)]
    assert taken[2::3] == [end + answer_latency(plan.layer.neurons) for end in ends]
