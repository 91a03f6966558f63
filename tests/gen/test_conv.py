"""Convolution in hardware: its sums are the contract's, and its cycles those it documents."""

import random

import numpy as np
import pytest

from spikewright.gen import Conv2d
from spikewright.gen.convolution import Conv2dPlan

from .convolutions import expected_sums, flat, random_convolution, random_timesteps, run


def random_plan(chance, value_bits=0, pool=None, synapse=None):
    synapse = synapse or random_convolution(chance)
    most = Conv2dPlan("conv", synapse, sum_bits=32)
    channels = most.lanes
    lanes = chance.choice([n for n in range(1, channels + 1) if channels % n == 0])
    banks = tuple(chance.choice([axis.most_banks, chance.randint(1, axis.most_banks)])
                  for axis in (most.rows, most.columns))
    units = chance.choice(
        [n for n in range(1, lanes) if lanes % n == 0]
        + [lanes * n for n in range(1, banks[1] + 1) if banks[1] % n == 0])
    return Conv2dPlan("conv", synapse, sum_bits=24 + value_bits, lanes=lanes, banks=banks,
                      units=units, value_bits=value_bits, pool=pool)


@pytest.mark.parametrize("value_bits", [0, 3])
@pytest.mark.parametrize("seed", range(12))
def test_sums(seed, value_bits):
    """Any convolution and folding, events and sweeps with random pauses: every sum is exact."""
    chance = random.Random(f"{seed} {value_bits}")
    plan = random_plan(chance, value_bits)
    timesteps = random_timesteps(chance, int(np.prod(plan.signal_shape)), 6, value_bits)
    log = run(plan, timesteps, source=chance.choice([0, 0.5]), stepper=chance.choice([0, 0.5]),
              seed=seed)
    for sums, expected in zip(log.sums, expected_sums(plan, None, timesteps), strict=True):
        np.testing.assert_array_equal(flat(plan, sums), expected)
    reached = expected_synops(plan, timesteps)
    assert log.synops == reached


def expected_synops(plan, timesteps):
    ones = Conv2d(weight=np.ones_like(plan.synapse.weight), weight_bits=2,
                  input_shape=plan.synapse.input_shape, stride=plan.synapse.stride,
                  padding=plan.synapse.padding, groups=plan.synapse.groups)
    return sum(
        int(ones.apply(np.eye(1, ones.inputs, address, dtype=np.int64)).sum())
        for timestep in timesteps for address, _ in timestep.events
    )


@pytest.mark.parametrize("value_bits", [0, 2])
@pytest.mark.parametrize("seed", range(8))
def test_cycles(seed, value_bits):
    """The documented timing, cycle by cycle, whatever pauses there are: when beats are taken,
    what each cycle is used for, and when a timestep's sums are available."""
    chance = random.Random(f"cycles {seed} {value_bits}")
    plan = random_plan(chance, value_bits)
    timesteps = random_timesteps(chance, int(np.prod(plan.signal_shape)), 8, value_bits)
    log = run(plan, timesteps, source=chance.choice([0, 0.3]), stepper=chance.choice([0, 0.3]),
              seed=seed)
    assert (log.uses, log.available) == predicted(plan, timesteps, log)


def predicted(plan, timesteps, log):
    """Uses of the cycles, and `available`, from the cycles of transfers and steps alone."""
    cycles = len(log.uses)
    takes = set(log.steps[:: plan.row_steps])
    ends = []
    sweeps = 0
    for timestep in timesteps:
        sweeps += timestep.sweeps
        ends.append(log.steps[sweeps * plan.steps - 1])
    uses = ["taking" if cycle in takes else "starved" for cycle in range(cycles)]
    available = [0] * cycles
    transfers = iter(log.transfers)
    for t, timestep in enumerate(timesteps):
        for _ in range(max(1, len(timestep.events))):
            now = next(transfers) + 1
            while now in takes or (t >= 2 and now <= ends[t - 2]):
                if now not in takes:
                    uses[now] = "stalled"
                now += 1
            for _ in range(plan.event_cycles if timestep.events else 1):
                while now in takes:
                    now += 1
                uses[now] = "busy" if timestep.events else "starved"
                final = now
                now += 1
        ready = final
        for _ in range(plan.front):
            ready += 1
            while ready in takes:
                ready += 1
        ready += 3
        if t:
            ready = max(ready, ends[t - 1] + 1)
        available[ready : ends[t] + 1] = [1] * (ends[t] + 1 - ready)
    return uses, available
