"""All-to-all synapses: their sums are the contract's, and their cycles those they document."""

import random
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from spikewright.gen import Layer, Linear, Neuron
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.linear import LinearPlan, Source
from spikewright.gen.rtl.linear import LinearSynapses
from spikewright.gen.rtl.weights import load_image

from .memories import poison

NEURON = Neuron(decay=1, decay_fraction=1, threshold=9)


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch):
    poison(monkeypatch)


@dataclass
class Timestep:
    """Beats, each with the event of some ways: way -> (address in its bank, value); ``sweeps`` is
    how often the sums are taken."""

    beats: list[dict[int, tuple[int, int]]]
    last: bool
    sweeps: int


@dataclass
class Log:
    """Cycles of everything that happened, and the sums of each sweep."""

    offers: list[int] = field(default_factory=list)
    transfers: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    synops: int = 0
    sums: list[list[int]] = field(default_factory=list)


def random_plan(chance: random.Random, rows: int | None = None) -> tuple[LinearPlan, np.ndarray]:
    """Any layer and folding, with or without recurrence; ``rows`` of sums if given. And which
    input each address means."""
    inputs, neurons = chance.randint(1, 20), chance.randint(1, 20)
    rng = np.random.default_rng(chance.randrange(1 << 32))

    def weights(columns):
        bits = chance.randint(2, 6)
        return Linear(weight=rng.integers(-(1 << bits - 1), 1 << bits - 1, (neurons, columns)),
                      weight_bits=bits, weight_shift=chance.randint(0, 2))

    lanes = chance.randint(1, neurons) if rows is None else -(-neurons // rows)
    layer = Layer(name="fc", synapse=weights(inputs), neuron=NEURON,
                  recurrent=chance.choice([None, weights(neurons)]))
    order = rng.permutation(inputs)
    for place in range(chance.choice([0, 3])):
        order = np.insert(order, chance.randint(0, inputs + place), -1)
    folding = LayerFolding(lanes=lanes, ways=chance.randint(1, 5),
                           storage=chance.choice([Storage.FIXED, Storage.LOADABLE]))
    plan = LinearPlan(layer, folding, Source(order, chance.choice([0, 0, 3])),
                      units=chance.randint(1, lanes), sum_bits=20)
    return plan, order


def matrix_of(plan: LinearPlan, source: np.ndarray) -> np.ndarray:
    """(neurons, ways, addresses of a bank): what an event adds to each neuron, in units of
    ``2**sum_shift``."""
    synapse, recurrent = plan.layer.synapse, plan.layer.recurrent
    assert recurrent is None or isinstance(recurrent, Linear)
    matrix = np.zeros((plan.layer.neurons, plan.ways, plan.bank_inputs), np.int64)
    for address, signal in enumerate(source.tolist()):
        if signal >= 0:
            matrix[:, address % plan.ways, address // plan.ways] = (
                synapse.weight[:, signal] << synapse.weight_shift)
    if recurrent is not None:
        for own in range(plan.layer.neurons):
            matrix[:, own % plan.ways, plan.own_base + own // plan.ways] = (
                recurrent.weight[:, own] << recurrent.weight_shift)
    assert not (matrix & ((1 << plan.sum_shift) - 1)).any()
    return matrix >> plan.sum_shift


def random_timesteps(chance: random.Random, plan: LinearPlan, count: int) -> list[Timestep]:
    """Silent, sparse and dense timesteps; repeated addresses and beats without events are common,
    as a recurrence makes them."""
    timesteps = []
    for t in range(count):
        beats = []
        for _ in range(chance.choice([1, 1, 2, 3, 12])):
            density = chance.choice([0, 0.5, 1, 1])
            beats.append({way: (chance.choice([0, chance.randrange(plan.bank_inputs)]),
                                chance.randrange(1 << max(1, plan.value_bits)))
                          for way in range(plan.ways) if chance.random() < density})
        timesteps.append(Timestep(beats, t == count - 1, chance.choice([1, 1, 1, 2])))
    return timesteps


def run(plan: LinearPlan, timesteps: list[Timestep], *, source=0.0, stepper=0.0, seed=0) -> Log:
    """Sends the timesteps and sweeps each; ``source`` and ``stepper`` are the probabilities that
    either pauses in a cycle. Cycle 0 is the first after reset."""
    dut, log, chance = LinearSynapses(plan), Log(), random.Random(seed)
    payloads = []
    for timestep in timesteps:
        for n, beat in enumerate(timestep.beats):
            slots = []
            for way in range(plan.ways):
                address, value = beat.get(way, (0, 0))
                slots.append({"event": int(way in beat), "address": address}
                             | ({"value": value} if plan.value_bits else {}))
            tick = n == len(timestep.beats) - 1
            payloads.append({"slots": slots, "tick": tick, "last": tick and timestep.last})
    sweeps = [(timestep, n) for timestep in timesteps for n in range(timestep.sweeps)]

    async def bench(ctx):
        cycle, offered, asked, current = 0, False, [], []
        while len(log.sums) < len(sweeps):
            if not offered and len(log.transfers) < len(payloads) and chance.random() >= source:
                offered = True
                log.offers.append(cycle)
                ctx.set(dut.i.payload, payloads[len(log.transfers)])
            ctx.set(dut.i.valid, offered)
            available = ctx.get(dut.sums.available)
            step = bool(available) and chance.random() >= stepper
            if available:
                timestep, n = sweeps[len(log.steps) // plan.steps]
                assert ctx.get(dut.sums.last) == timestep.last
                ctx.set(dut.sums.keep, n < timestep.sweeps - 1)
            ctx.set(dut.sums.step, step)
            log.available.append(available)
            log.uses += [name for name in ("busy", "taking", "stalled", "starved")
                         if ctx.get(getattr(dut.activity, name))]
            assert len(log.uses) == cycle + 1
            log.synops += ctx.get(dut.activity.synops)
            if asked and asked[0] == cycle - plan.latency:
                asked.pop(0)
                current += [ctx.get(value) for value in dut.sums.sums]
                if len(current) == plan.steps * plan.units:
                    log.sums.append(current[: plan.layer.neurons])
                    current = []
            if step:
                log.steps.append(cycle)
                asked.append(cycle)
            if offered and ctx.get(dut.i.ready):
                log.transfers.append(cycle)
                offered = False
            await ctx.tick()
            cycle += 1
            assert cycle < 20_000, "stuck"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return log


def expected_sums(plan: LinearPlan, source: np.ndarray, timesteps: list[Timestep]):
    matrix = matrix_of(plan, source)
    for timestep in timesteps:
        sums = np.zeros(plan.layer.neurons, np.int64)
        for beat in timestep.beats:
            for way, (address, value) in beat.items():
                sums += matrix[:, way, address] * (value if plan.value_bits else 1)
        yield from [sums.tolist()] * timestep.sweeps


def predicted(plan: LinearPlan, timesteps: list[Timestep], log: Log):
    """Transfers, uses of the cycles, and `available`, from when beats are offered and sums are
    fetched."""
    cycles = len(log.uses)
    takes = set()
    if plan.rows > 1:
        takes = {cycle for n, cycle in enumerate(log.steps) if n % plan.steps % plan.groups == 0}
    uses = ["taking" if cycle in takes else "starved" for cycle in range(cycles)]
    available, transfers, ends = [0] * cycles, [], []
    sweeps, free, offers = 0, 0, iter(log.offers)
    for t, timestep in enumerate(timesteps):
        sweeps += timestep.sweeps
        ends.append(log.steps[sweeps * plan.steps - 1])
        for n, beat in enumerate(timestep.beats):
            transfers.append(max(free, next(offers)))
            now = transfers[-1] + 1
            if plan.rows > 1:
                freed = ends[t - 2] if t >= 2 else -1
            else:
                freed = ends[t - 1] if t >= 1 and n == len(timestep.beats) - 1 else -1
            while now <= freed or now in takes:
                if now not in takes:
                    uses[now] = "stalled"
                now += 1
            for _ in range(plan.rows if beat else 1):
                while now in takes:
                    now += 1
                uses[now] = "busy"
                free = now
                now += 1
        ready = free + (1 if plan.rows > 1 else plan.add_stage - 1)
        if t:
            ready = max(ready, ends[t - 1] + 1)
        available[ready : ends[t] + 1] = [1] * (ends[t] + 1 - ready)
    return transfers, uses, available


@pytest.mark.parametrize("rows", [None, 1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_sums_and_cycles(seed, rows):
    """Any synapses and folding, events and sweeps with random pauses: every sum is exact, and
    every cycle is used as documented: no bubble, and one cycle for each row of a sweep."""
    chance = random.Random(f"{seed} {rows}")
    plan, source = random_plan(chance, rows)
    timesteps = random_timesteps(chance, plan, 6)
    log = run(plan, timesteps, source=chance.choice([0, 0.5]), stepper=chance.choice([0, 0.5]),
              seed=seed)
    assert log.sums == list(expected_sums(plan, source, timesteps))
    assert (log.transfers, log.uses, log.available) == predicted(plan, timesteps, log)
    taken = sum(timestep.sweeps for timestep in timesteps) * plan.rows
    assert log.uses.count("taking") == (taken if plan.rows > 1 else 0)
    events = sum(len(beat) for timestep in timesteps for beat in timestep.beats)
    assert log.synops == events * plan.layer.neurons


@pytest.mark.parametrize("lanes", [12, 6, 4])
def test_a_beat_a_cycle(lanes):
    """While nobody sweeps: one cycle a row, whatever the ways, and not one lost between beats."""
    layer = Layer(name="fc", synapse=Linear(weight=np.ones((12, 8)), weight_bits=2),
                  neuron=NEURON)
    plan = LinearPlan(layer, LayerFolding(lanes=lanes, ways=4), Source(np.arange(8)), units=4,
                      sum_bits=12)
    full = dict.fromkeys(range(4), (1, 1))
    log = run(plan, [Timestep([full] * 25, True, 1)])
    rows = 12 // lanes
    assert log.transfers == [0, *range(rows, 25 * rows, rows)]
    assert log.uses[1 : 25 * rows + 1] == ["busy"] * (25 * rows)
    assert log.sums == [[100] * 12]


def test_weight_words_are_those_of_the_loaded_image():
    """Word after word of each way, lane 0 in the lowest bits, lanes without a neuron zero."""
    layer = Layer(name="fc", synapse=Linear(weight=np.arange(15).reshape(5, 3), weight_bits=5),
                  neuron=NEURON)
    plan = LinearPlan(layer, LayerFolding(lanes=3, ways=2, storage=Storage.LOADABLE),
                      Source(np.array([2, 0, 1])), units=3, sum_bits=8)
    assert plan.weight_words(0) == [[2, 5, 8], [1, 4, 7], [11, 14, 0], [10, 13, 0]]
    assert plan.weight_words(1) == [[0, 3, 6], [0, 0, 0], [9, 12, 0], [0, 0, 0]]
    words = np.frombuffer(load_image(plan.weight_words(0), 5), "<u2")
    assert words.tolist() == [2 | 5 << 5 | 8 << 10, 1 | 4 << 5 | 7 << 10, 11 | 14 << 5,
                              10 | 13 << 5]


@pytest.mark.parametrize(("lanes", "words"), [(6, 4), (4, 8), (3, 8), (1, 32)])
def test_sums_take_two_halves_of_the_next_power_of_two(lanes, words):
    """And each of a word for every lane; weights are in the other memory."""
    layer = Layer(name="fc", synapse=Linear(weight=np.ones((12, 8)), weight_bits=2), neuron=NEURON)
    plan = LinearPlan(layer, LayerFolding(lanes=lanes), Source(np.arange(8)), units=1, sum_bits=11)
    text = rtlil.convert(LinearSynapses(plan), emit_src=False)
    memories = re.findall(r"memory width (\d+) size (\d+)", text)
    assert (str(11 * lanes), str(words)) in memories
    assert len(memories) == 2
