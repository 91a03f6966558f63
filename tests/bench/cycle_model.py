"""How fast the cycle model is beside Amaranth's simulator.

Both run on one core and are measured in its seconds, so that other work on the machine does not
count.
"""

import time

import numpy as np
from amaranth.sim import Simulator

from spikewright.gen import Folding, simulate
from spikewright.gen.cycles import timeline
from spikewright.gen.engines.amaranth import send
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import LayerPlan, layer_plans
from spikewright.gen.rtl.network import Network
from spikewright.gen.traffic import LayerTraffic, traffic

from .designs import rivals_job


def model_rate(folding: Folding, samples: int = 1 << 17) -> float:
    """Cycles per second of the cycle model, given numbers of events: the best of five runs.

    The numbers are those of 256 random samples, drawn in any order, timestep by timestep.
    """
    spec, signals = rivals_job(256)
    plans = layer_plans(spec, folding)
    spikes = simulate(spec, signals, engine="golden").spikes
    rng = np.random.default_rng(1)
    many = [LayerTraffic(np.take(given.below, rng.integers(0, 256, samples), axis=1))
            for given in traffic(plans, signals, spikes)]
    return max(_rate(plans, many) for _ in range(5))


def _rate(plans: tuple[LayerPlan, ...], given: list[LayerTraffic]) -> float:
    start = time.process_time()
    times = timeline(plans, given)
    seconds = time.process_time() - start
    return int(times.cycles.sum(dtype=np.int64)) / seconds


def simulator_rate(folding: Folding) -> float:
    """Cycles per second of Amaranth's simulator on the same hardware and one such sample, without
    the time it takes to build it."""
    spec, (sample,) = rivals_job(1)
    dut = Network(spec, folding)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    cycles = 0

    async def drive(ctx):
        ctx.set(dut.o.ready, 1)
        await send(ctx, dut, sample)
        await ctx.tick().until(dut.o.valid & dut.o.payload.last)

    async def count(ctx):
        nonlocal cycles
        async for _ in ctx.tick():
            cycles += 1

    simulator.add_testbench(drive)
    simulator.add_testbench(count, background=True)
    start = time.process_time()
    simulator.run()
    return cycles / (time.process_time() - start)


def measure() -> list[dict]:
    """Cycles per second of both, on hardware with a lane per neuron and with fewer."""
    spec, _ = rivals_job(0)
    rows = []
    for lanes in ((128, 10), (32, 5)):
        folding = Folding.each(*(LayerFolding(lanes=n) for n in lanes), spec=spec)
        model, simulator = model_rate(folding), simulator_rate(folding)
        rows.append({
            "what": f"784 → 128 → 10, lanes {lanes[0]} and {lanes[1]}, T = {spec.timesteps}: "
                    "cycles per second of processor time",
            "cycle_model": f"{model:.1e}", "amaranth_simulator": f"{simulator:.1e}",
            "times_as_fast": f"{model / simulator:.1e}", "promised": "≥ 1e+06",
        })
    return rows
