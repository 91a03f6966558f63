"""Drives a convolution's synapses with events and sweeps, and writes down what happens when."""

import random
from dataclasses import dataclass, field

import numpy as np
from amaranth.sim import Simulator

from spikewright.gen import Conv2d
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.rtl.conv import Conv2dSynapses


@dataclass
class Timestep:
    """Events (flat address, value) in order; ``sweeps`` is how often its sums are taken."""

    events: list[tuple[int, int]]
    last: bool = False
    sweeps: int = 1


@dataclass
class Log:
    """Cycles of everything that happened, and the sums of each sweep."""

    transfers: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    synops: int = 0
    sums: list[list[list[int]]] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)


def random_convolution(chance: random.Random) -> Conv2d:
    """A small Conv2d of any shape: kernels, strides, paddings and groups independent in y and x."""
    groups = chance.choice([1, 1, 2, 3])
    channels, outputs = (groups * chance.randint(1, 3), groups * chance.choice([1, 2, 4, 6]))
    kernel = [chance.randint(1, 4) for _ in range(2)]
    padding = tuple(chance.randint(0, side - 1) for side in kernel)
    sides = [chance.randint(max(1, side - 2 * pad), 8)
             for side, pad in zip(kernel, padding, strict=True)]
    bits = chance.randint(2, 8)
    weight = [chance.randint(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
              for _ in range(outputs * channels // groups * kernel[0] * kernel[1])]
    return Conv2d(
        weight=np.array(weight).reshape(outputs, channels // groups, *kernel), weight_bits=bits,
        weight_shift=chance.choice([0, 0, 3]), input_shape=(channels, *sides),
        stride=tuple(chance.randint(1, min(3, side)) for side in sides), padding=padding,
        groups=groups,
    )


def random_timesteps(chance: random.Random, inputs: int, count: int, value_bits: int):
    """Silent, sparse and dense timesteps; neighbours and repeated addresses are common."""
    steps = []
    for t in range(count):
        events = []
        address = chance.randrange(inputs)
        for _ in range(chance.choice([0, 1, 2, 5, 20])):
            address = chance.choice([
                address, (address + 1) % inputs, chance.randrange(inputs)])
            events.append((address, chance.randrange(1 << value_bits) if value_bits else 1))
        steps.append(Timestep(events, t == count - 1, chance.choice([1, 1, 2])))
    return steps


def run(plan: Conv2dPlan, timesteps: list[Timestep], *, source=0.0, stepper=0.0, seed=0) -> Log:
    """Sends the timesteps and sweeps each; ``source`` and ``stepper`` are the probabilities that
    either pauses in a cycle. Cycle 0 is the first after reset."""
    dut = Conv2dSynapses(plan)
    log = Log()
    chance = random.Random(seed)
    _, height, width = plan.signal_shape
    beats = []
    for timestep in timesteps:
        for n, (address, value) in enumerate(timestep.events or [(None, 0)]):
            slot = {"event": 0, "address": {"x": 0, "y": 0, "channel": 0}}
            if address is not None:
                channel, place = divmod(address, height * width)
                y, x = divmod(place, width)
                slot = {"event": 1, "address": {"x": x, "y": y, "channel": channel}}
            if plan.value_bits:
                slot["value"] = value
            tick = n == max(len(timestep.events), 1) - 1
            beats.append({"slots": [slot], "tick": int(tick),
                          "last": int(tick and timestep.last)})

    async def bench(ctx):
        sent = swept = done = cycle = 0
        asked = []
        current: list[list[int]] = []
        total = sum(timestep.sweeps for timestep in timesteps)
        owners = [t for t in timesteps for _ in range(t.sweeps)]
        left = [t.sweeps - 1 - n for t in timesteps for n in range(t.sweeps)]
        offered = False
        while done < total:
            offered = sent < len(beats) and (offered or chance.random() >= source)
            ctx.set(dut.i.valid, int(offered))
            if offered:
                ctx.set(dut.i.payload, beats[sent])
            available = ctx.get(dut.sums.available)
            step = bool(available) and chance.random() >= stepper
            if available:
                assert swept // plan.steps < total, "more timesteps than were sent"
                index = swept // plan.steps
                assert ctx.get(dut.sums.last) == owners[index].last
                ctx.set(dut.sums.keep, int(left[index] > 0))
            ctx.set(dut.sums.step, int(step))
            log.available.append(available)
            flags = [name for name in ("busy", "taking", "stalled", "starved")
                     if ctx.get(getattr(dut.activity, name))]
            assert len(flags) == 1, flags
            log.uses += flags
            log.synops += ctx.get(dut.activity.synops)
            if asked and asked[0] == cycle - plan.latency:
                asked.pop(0)
                current.append([ctx.get(value) for value in dut.sums.sums])
                if len(current) == plan.steps:
                    log.sums.append(current)
                    current = []
                    done += 1
            if step:
                log.steps.append(cycle)
                asked.append(cycle)
                swept += 1
            if offered and ctx.get(dut.i.ready):
                log.transfers.append(cycle)
                sent += 1
                offered = False
            await ctx.tick()
            cycle += 1
            assert cycle < 100_000

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return log


def expected_sums(plan: Conv2dPlan, pool, timesteps: list[Timestep]) -> list[np.ndarray]:
    """Flat sums of each sweep, from the contract's own convolution."""
    every = []
    for timestep in timesteps:
        signal = np.zeros(int(np.prod(plan.signal_shape)), np.int64)
        for address, value in timestep.events:
            signal[address] += value
        sums = plan.synapse.apply(signal if pool is None else pool.apply(signal))
        every += [sums] * timestep.sweeps
    return every


def flat(plan: Conv2dPlan, sweep: list[list[int]]) -> np.ndarray:
    """A sweep's sums in the order of the neurons."""
    sums = np.full(plan.synapse.neurons, np.iinfo(np.int64).min)
    for row, values in zip(plan.neurons(), sweep, strict=True):
        for neuron, value in zip(row, values, strict=True):
            if neuron >= 0:
                sums[neuron] = value
    return sums
