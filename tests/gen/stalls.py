"""Inferences back to back, with random pauses on both sides."""

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from spikewright.gen.engines.amaranth import read_counters, send
from spikewright.gen.rtl.network import Network


def run_stalled(network: Network, samples, pauses, seed: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Scores and winners of ``samples``, sent one right after another, and the counter words read
    afterwards.

    ``pauses`` are the probabilities that the source, and the sink, pause in a cycle.
    """
    chance = np.random.default_rng(seed)
    scores = np.zeros((len(samples), network.spec.classes), np.int64)
    winners = np.zeros(len(samples), np.int64)
    words = []

    async def drive(ctx):
        for sample in samples:
            await send(ctx, network, sample, lambda: chance.random() < pauses[0])

    async def take(ctx):
        for sample, index in np.ndindex(scores.shape):
            while chance.random() < pauses[1]:
                await ctx.tick()
            ctx.set(network.o.ready, 1)
            payload, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
            ctx.set(network.o.ready, 0)
            assert payload.index == index
            assert payload.last == (index == network.spec.classes - 1)
            scores[sample, index], winners[sample] = payload.score, payload.winner
        words.append(await read_counters(ctx, network))

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(take)
    simulator.run()
    return scores, winners, words[0]
