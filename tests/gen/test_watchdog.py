"""A network that has come to a standstill is noticed, and one that has not is left alone."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import Folding, simulate
from spikewright.gen.engines.amaranth import send
from spikewright.gen.errors import WedgedError
from spikewright.gen.rtl.network import Network
from spikewright.gen.rtl.router import SpikeQueue
from spikewright.gen.rtl.watchdog import Watchdog

from .examples import two_layers
from .timing import random_design


def test_it_counts_silent_cycles_of_work():
    """``wedged`` from the cycle after ``limit`` + 1 silent ones, until something moves."""
    rng = np.random.default_rng(0)
    waiting, progress = rng.random((2, 3000)) < [[0.95], [0.1]]
    dut, seen = Watchdog(9), []

    async def bench(ctx):
        for works, moves in zip(waiting.tolist(), progress.tolist(), strict=True):
            ctx.set(dut.waiting, works)
            ctx.set(dut.progress, moves)
            seen.append(bool(ctx.get(dut.wedged)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    silent, expected = 0, []
    for works, moves in zip(waiting.tolist(), progress.tolist(), strict=True):
        expected.append(silent > 9)
        silent = silent + 1 if works and not moves else 0
    assert seen == expected
    assert 20 < sum(seen) < 2000


def longest_silent(seed: int) -> tuple[int, int]:
    """Most cycles in which nothing moved in a network that works, and the bound."""
    design = random_design(seed, samples=2)
    network = Network(design.spec, design.folding, watchdog=True)
    dog, most = network.watchdog, 0

    async def drive(ctx):
        for sample in design.signals:
            await send(ctx, network, sample)

    async def receive(ctx):
        for _ in design.signals:
            ctx.set(network.o.ready, 1)
            await ctx.tick().until(network.o.valid & network.o.payload.last)

    async def watch(ctx):
        nonlocal most
        silent = 0
        async for _clk, _rst, works, moves, wedged in ctx.tick().sample(
                dog.waiting, dog.progress, network.wedged):
            silent = silent + 1 if works and not moves else 0
            most = max(most, silent)
            assert not wedged, design

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    for bench in (drive, receive):
        simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return most, dog.limit


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_silence_stays_within_its_bound(seed):
    most, limit = longest_silent(seed)
    assert 0 < most <= limit


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 300))
def test_silence_stays_within_its_bound_long(seed):
    most, limit = longest_silent(seed)
    assert most <= limit


@pytest.fixture
def forgetful(monkeypatch):
    """A queue that forgets a tick stops everything."""
    genuine = SpikeQueue.elaborate

    def forget(self, platform):
        self.valid = self.valid & ~self.row.tick
        return genuine(self, platform)

    monkeypatch.setattr(SpikeQueue, "elaborate", forget)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("ready", [0, 1])
def test_a_network_that_took_everything_and_does_not_answer_is_wedged(ready):
    """Though it would take more, and whether or not somebody would take a result; and not while
    nobody asked for anything."""
    network = Network(two_layers(timesteps=1), Folding(), watchdog=True)
    limit = network.watchdog.limit

    async def bench(ctx):
        ctx.set(network.o.ready, ready)
        await ctx.tick().repeat(limit + 2)
        assert not ctx.get(network.wedged)
        await send(ctx, network, np.ones((1, 20), bool))
        assert ctx.get(network.i.ready)
        await ctx.tick().repeat(2 * limit)
        assert ctx.get(network.i.ready)
        assert ctx.get(network.wedged)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.usefixtures("forgetful")
def test_a_simulation_ends_with_an_error():
    spec = two_layers(timesteps=3)
    with pytest.raises(WedgedError, match="sample 0: the network did not answer within"):
        simulate(spec, np.ones((1, 3, 20), bool), engine="amaranth", folding=Folding())
