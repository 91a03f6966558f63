"""Max pooling of spikes: every pooled row is the contract's, in the order its plan tells."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import Conv2d, MaxPool2d
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.errors import FoldingError
from spikewright.gen.rtl.pooling import SpikePooling
from spikewright.gen.spike_pooling import SpikePoolingPlan

from .memories import poison


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    poison(monkeypatch)


def plan_of(chance: random.Random) -> tuple[Conv2dPlan, SpikePoolingPlan]:
    """A convolution whose spikes have any shape, swept in any way, and windows of any size."""
    channels, height, width = chance.choice([1, 2, 4]), chance.randint(1, 9), chance.randint(1, 9)
    taps = chance.randint(1, 5)
    synapse = Conv2d(weight=np.ones((channels, 1, 1, taps)), weight_bits=2,
                     input_shape=(1, height, width + taps - 1))
    lanes = chance.choice([n for n in (1, 2, 4) if channels % n == 0])
    banks = chance.randint(1, min(taps, width))
    units = chance.choice([n for n in range(1, lanes) if lanes % n == 0]
                          + [lanes * n for n in range(1, banks + 1) if banks % n == 0])
    source = Conv2dPlan("conv", synapse, sum_bits=8, lanes=lanes, banks=(1, banks), units=units)
    kernel = (chance.randint(1, min(3, height)), chance.randint(1, min(4, width)))
    stride = tuple(min(side + chance.choice([0, 0, 1]), limit)
                   for side, limit in zip(kernel, (height, width), strict=True))
    pool = MaxPool2d(input_shape=source.output_shape, kernel=kernel, stride=stride)
    return source, SpikePoolingPlan(source, pool)


@pytest.mark.parametrize("seed", range(40))
def test_pooling(seed):
    chance = random.Random(seed)
    source, plan = plan_of(chance)
    dut = SpikePooling(plan)
    timesteps, pauses = 3, chance.choice([0, 0.5])
    rng = np.random.default_rng(seed)
    spikes = rng.random((timesteps, source.synapse.neurons)) < chance.choice([0.05, 0.3])
    expected = plan.pool.apply(spikes)
    rows = list(source.neurons())
    received = []

    async def send(ctx):
        for t in range(timesteps):
            for row in rows:
                while chance.random() < pauses:
                    await ctx.tick()
                bits = sum(1 << n for n, neuron in enumerate(row)
                           if neuron >= 0 and spikes[t, neuron])
                ctx.set(dut.i_valid, 1)
                ctx.set(dut.i_spikes.as_value(), bits)
                ctx.set(dut.i_last, t == timesteps - 1)
                await ctx.tick()
                ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(2)

    async def take(ctx):
        async for _, _, valid, bits, tick, last in ctx.tick().sample(
                dut.o_valid, dut.o_spikes.as_value(), dut.o_tick, dut.o_last):
            if valid:
                received.append((bits, tick, last))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(take, background=True)
    simulator.run()

    assert len(received) == timesteps * plan.rows
    for index, (bits, tick, last) in enumerate(received):
        t, row = divmod(index, plan.rows)
        end = row == plan.rows - 1
        assert (tick, last) == (end, end and t == timesteps - 1)
        order = plan.order[row]
        wanted = sum(1 << unit for unit, neuron in enumerate(order)
                     if neuron >= 0 and expected[t, neuron])
        assert bits == wanted, (t, row)


@pytest.mark.parametrize("seed", range(40))
def test_order(seed):
    """Every pooled signal has one place in the rows."""
    _, plan = plan_of(random.Random(seed))
    order = plan.order[plan.order >= 0]
    assert sorted(order) == list(range(plan.pool.outputs))


def test_refusals():
    synapse = Conv2d(weight=np.ones((1, 1, 1, 1)), weight_bits=2, input_shape=(1, 6, 6))
    source = Conv2dPlan("c1", synapse, sum_bits=8)
    with pytest.raises(FoldingError, match=r"behind layer c1: .*overlap .* such as \(3, 3\)"):
        SpikePoolingPlan(source, MaxPool2d(input_shape=(1, 6, 6), kernel=3, stride=2))
    with pytest.raises(FoldingError, match=r"takes \(1, 5, 6\), but the layer gives \(1, 6, 6\)"):
        SpikePoolingPlan(source, MaxPool2d(input_shape=(1, 5, 6), kernel=2))
