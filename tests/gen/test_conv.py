"""Convolution in hardware: its sums are the contract's, and its cycles those it documents."""

import random

import numpy as np
import pytest

from spikewright.gen import Conv2d, SumPool2d
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.errors import FoldingError

from .convolutions import expected_sums, flat, random_convolution, random_timesteps, run
from .memories import poison


def seeds(few: int) -> list:
    """So many in every run of the tests, a hundred in the long one."""
    return [*range(few), *(pytest.param(n, marks=pytest.mark.slow) for n in range(few, 100))]


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    poison(monkeypatch)


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
                      units=units, overlap=chance.random() < 0.5, value_bits=value_bits,
                      pool=pool)


@pytest.mark.parametrize("value_bits", [0, 3])
@pytest.mark.parametrize("seed", seeds(8))
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
@pytest.mark.parametrize("seed", seeds(6))
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
    takes = set() if plan.overlap else set(log.steps[:: plan.row_steps])
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
                uses[now] = "busy"
                final = now
                now += 1
        ready = final
        for _ in range(plan.front):
            ready += 1
            while ready in takes:
                ready += 1
        ready += plan.available_cycles - plan.front
        if t:
            ready = max(ready, ends[t - 1] + 1)
        available[ready : ends[t] + 1] = [1] * (ends[t] + 1 - ready)
    return uses, available


@pytest.mark.parametrize("seed", seeds(5))
def test_sum_pooling(seed):
    """Windows of any size before the convolution, gaps between them and a rest at the border."""
    chance = random.Random(f"pool {seed}")
    synapse = random_convolution(chance)
    channels, height, width = synapse.input_shape
    kernel = (chance.randint(1, 3), chance.randint(1, 3))
    stride = tuple(side + chance.choice([0, 0, 1]) for side in kernel)
    shape = (channels, *((side - 1) * step + window + chance.randrange(step) for
                         side, step, window in zip((height, width), stride, kernel, strict=True)))
    stride = tuple(min(step, side) for step, side in zip(stride, shape[1:], strict=True))
    pool = SumPool2d(input_shape=shape, kernel=kernel, stride=stride)
    plan = random_plan(chance, 0, pool, synapse)
    timesteps = random_timesteps(chance, int(np.prod(shape)), 5, 0)
    log = run(plan, timesteps, seed=seed)
    for sums, expected in zip(log.sums, expected_sums(plan, pool, timesteps), strict=True):
        np.testing.assert_array_equal(flat(plan, sums), expected)
    assert (log.uses, log.available) == predicted(plan, timesteps, log)


def plan_of(**folding):
    """3 × 3 kernel at stride 2, padding 1, 4 channels in 2 groups of 6 outputs, on 6 × 5."""
    synapse = Conv2d(weight=np.ones((12, 2, 3, 3)), weight_bits=2, input_shape=(4, 6, 5),
                     stride=2, padding=1, groups=2)
    return Conv2dPlan("c1", synapse, sum_bits=8, **folding)


@pytest.mark.parametrize(("folding", "message"), [
    ({"lanes": 4}, "4 lanes; a divisor of the 6 output channels of a group is needed, such as 3"),
    ({"lanes": 0}, "0 lanes; a divisor of the 6 output channels of a group is needed, such as 1"),
    ({"banks": (3, 2)}, "3 × 2 banks; .* at most 2 × 2 .*; use 2 × 2"),
    ({"banks": (2, 0)}, "2 × 0 banks; .* use 2 × 1"),
    ({"lanes": 2, "units": 3}, "3 units; 2 lanes, 2 banks in x allow 1, 2, 4; use 2"),
    ({"lanes": 6, "banks": (2, 1), "units": 12}, "12 units; .* allow 1, 2, 3, 6; use 6"),
    ({"pool": SumPool2d(input_shape=(4, 13, 11), kernel=3, stride=2)}, "overlap .* such as"),
])
def test_refusals(folding, message):
    with pytest.raises(FoldingError, match=f"layer c1: .*{message}"):
        plan_of(**folding)


def test_cycles_of_an_event():
    """Passes over fewer banks, and blocks of channels, multiply; where an event lies does not
    matter."""
    assert plan_of().event_cycles == 1
    assert plan_of(lanes=2).event_cycles == 3
    assert plan_of(lanes=2, banks=(1, 2)).event_cycles == 6
    assert plan_of(lanes=1, banks=(1, 1)).event_cycles == 24
    assert (plan_of(lanes=3, units=6).steps, plan_of(lanes=3, units=1).steps) == (24, 108)
