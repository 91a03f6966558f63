"""From rows of spikes to beats: every spike once, in order, in the documented cycle."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import Conv2d, Folding, Layer, MaxPool2d, NetworkSpec, Neuron
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import SpikeRows, layer_plans
from spikewright.gen.rtl.router import TIMESTEPS, SpikeRouter, SpikeSplitter, queue_latency
from spikewright.gen.rtl.streams import SpatialLayout

from .streams import check_stream


def rows(lanes: int, count: int, density: float, seed: int) -> list[dict[str, int]]:
    chance = random.Random(seed)
    result = []
    for n in range(count):
        spikes = sum((chance.random() < density) << lane for lane in range(lanes))
        tick = int(chance.random() < 0.4)
        if spikes or tick:
            result.append({"spikes": spikes, "base": lanes * (n % 5), "tick": tick,
                           "last": tick & int(chance.random() < 0.3)})
    return result


def pieces(row: dict[str, int], lanes: int, width: int) -> list[dict[str, int]]:
    """What the splitter must send for ``row``."""
    found = [
        {"spikes": spikes, "base": row["base"] + first, "tick": 0, "last": 0}
        for first in range(0, lanes, width)
        if (spikes := (row["spikes"] >> first) & ((1 << width) - 1))
    ] or [{"spikes": 0, "base": row["base"], "tick": 0, "last": 0}]
    found[-1].update(tick=row["tick"], last=row["last"])
    return found


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3), (0.8, 0.1)])
@pytest.mark.parametrize(("lanes", "width"), [(1, 1), (5, 1), (16, 1), (40, 16), (33, 8)])
def test_sends_every_spike_once_and_in_order(lanes, width, stalls):
    sent = rows(lanes, 60, 0.2, seed=lanes)
    expected = [piece for row in sent for piece in pieces(row, lanes, width)]
    dut = SpikeSplitter(lanes, width, addresses=lanes * 5)
    check_stream(dut, sent, expected, stalls=stalls)


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_one_piece_per_cycle_without_a_bubble(density):
    sent = rows(16, 80, density, seed=1)
    expected = [piece for row in sent for piece in pieces(row, 16, 1)]
    cycles = check_stream(SpikeSplitter(16, 1, addresses=80), sent, expected)
    assert cycles == len(expected) + 1  # one cycle of latency


def test_width_must_be_a_power_of_two():
    with pytest.raises(ValueError, match="width is 3"):
        SpikeSplitter(16, 3, addresses=16)


def numbered(count: int, units: int) -> SpikeRows:
    return SpikeRows(np.arange(count * units).reshape(count, units), count - 1)


def of_map(lanes: int, units: int, pool: bool) -> SpikeRows:
    """Rows of 4 channels of 5 × 7 neurons, as one convolution sends them to another."""
    def conv(outputs, inputs, shape):
        return Conv2d(weight=np.ones((outputs, inputs, 2, 2)), weight_bits=2, input_shape=shape)

    neuron = Neuron(decay=1, decay_fraction=1, threshold=1)
    behind = MaxPool2d(input_shape=(4, 5, 7), kernel=2) if pool else None
    shape = behind.output_shape if behind is not None else (4, 5, 7)
    spec = NetworkSpec(input_shape=(1, 6, 8), timesteps=2, layers=(
        Layer(name="below", synapse=conv(4, 1, (1, 6, 8)), neuron=neuron),
        Layer(name="above", synapse=conv(2, 4, shape), neuron=neuron, pool=behind),
    ))
    folding = Folding(layers=(("below", LayerFolding(lanes=lanes, units=units)),))
    return layer_plans(spec, folding)[0].rows


def run_router(dut: SpikeRouter, timesteps, *, source=0.0, sink=0.0, seed=0):
    """Sends the rows of each timestep, bool (rows, units), and takes beats; either may pause. Two
    timesteps are one inference. Returns the beats, and cycles: of the last row of each timestep,
    and of each beat."""
    chance = random.Random(seed)
    ends, received, taken = [], [], []
    cycle = 0
    ticks = 0

    async def clock(ctx):
        nonlocal cycle
        async for _ in ctx.tick():
            cycle += 1

    async def send(ctx):
        for t, spikes in enumerate(timesteps):
            while not ctx.get(dut.room) or chance.random() < source:
                await ctx.tick()
            ctx.set(dut.begin, 1)
            for n, row in enumerate(spikes.tolist()):
                while n and chance.random() < source:
                    await ctx.tick()
                    ctx.set(dut.begin, 0)
                ctx.set(dut.valid, 1)
                ctx.set(dut.spikes, sum(spike << unit for unit, spike in enumerate(row)))
                ctx.set(dut.end, n == len(spikes) - 1)
                ctx.set(dut.last, t % 2)
                if n == len(spikes) - 1:
                    ends.append(cycle)
                await ctx.tick()
                ctx.set(dut.begin, 0)
                ctx.set(dut.valid, 0)
            if len(spikes) == 1:
                await ctx.tick()  # no sweep is that short

    async def take(ctx):
        nonlocal ticks
        held = None
        for _ in range(10_000):
            ready = chance.random() >= sink
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload, waiting = await ctx.tick().sample(
                dut.o.valid, dut.o.payload, dut.waiting)
            assert held is None or (valid and payload.as_bits() == held), "changed its offer"
            assert waiting <= TIMESTEPS
            held = payload.as_bits() if valid and not ready else None
            if valid and ready:
                assert waiting, "a timestep leaves before it is whole"
                taken.append(cycle - 1)
                received.append((
                    [_number(slot.address) if slot.event else None for slot in payload.slots],
                    bool(payload.tick), bool(payload.last)))
                ticks += payload.tick
            if ticks == len(timesteps):
                return
        raise AssertionError("stuck")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(send)
    simulator.add_testbench(take)
    simulator.run()
    return received, ends, taken


def _number(address) -> int:
    return address if isinstance(address, int) else address.as_bits()


def expected_beats(rows: SpikeRows, ways: int, spatial: bool, timesteps):
    """The beats of each timestep."""
    shape = rows.shape or (1, 1, 1)
    for t, spikes in enumerate(timesteps):
        queues = [[] for _ in range(ways)]
        for number in np.flatnonzero(spikes.reshape(-1)).tolist():
            address = number // ways
            if spatial:
                place = np.unravel_index(rows.order.reshape(-1)[number], shape)
                fields = dict(zip(("channel", "y", "x"), map(int, place), strict=True))
                address = SpatialLayout(*shape).const(fields).as_bits()
            queues[number % ways].append(address)
        count = max(1, *map(len, queues))
        yield [([queue[n] if n < len(queue) else None for queue in queues],
                n == count - 1, n == count - 1 and t % 2 == 1) for n in range(count)]


def random_rows(rows: SpikeRows, count: int, seed: int):
    rng = np.random.default_rng(seed)
    density = rng.choice([0.0, 0.02, 0.2, 1.0], (count, 1, 1))
    return (rng.random((count, rows.rows, rows.units)) < density) & (rows.order >= 0)


ROUTERS = [(numbered(5, 4), 1, False), (numbered(1, 1), 1, False), (numbered(3, 40), 1, False),
           (numbered(4, 6), 3, False), (numbered(3, 72), 4, False), (of_map(4, 4, False), 1, True),
           (of_map(2, 1, False), 1, True), (of_map(2, 4, False), 1, True),
           (of_map(4, 8, True), 1, True), (of_map(1, 2, True), 1, True),
           (of_map(2, 4, True), 2, False)]


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3)])
@pytest.mark.parametrize(("rows", "ways", "spatial"), ROUTERS)
def test_every_spike_is_one_event_of_its_timestep(rows, ways, spatial, stalls):
    timesteps = random_rows(rows, 6, seed=rows.units)
    dut = SpikeRouter(rows, ways, spatial)
    received, _, _ = run_router(dut, timesteps, source=stalls[0], sink=stalls[1])
    assert received == [beat for beats in expected_beats(rows, ways, spatial, timesteps)
                        for beat in beats]


@pytest.mark.parametrize(("rows", "ways", "spatial"), ROUTERS)
def test_a_timestep_leaves_at_once_and_without_a_bubble(rows, ways, spatial):
    """The documented latency from its last row to its first beat, or right behind the timestep
    before; then a beat a cycle."""
    timesteps = random_rows(rows, 8, seed=rows.rows)
    _, ends, taken = run_router(SpikeRouter(rows, ways, spatial), timesteps)
    cycles, free = [], 0
    for end, beats in zip(ends, expected_beats(rows, ways, spatial, timesteps), strict=True):
        first = max(free, end + queue_latency(rows.units // ways))
        free = first + len(beats)
        cycles += range(first, free)
    assert taken == cycles


def test_room_is_for_two_timesteps():
    """Nothing is taken: a third timestep must wait, whatever spikes."""
    rows = numbered(2, 3)
    dut = SpikeRouter(rows, 1)
    seen = []

    async def bench(ctx):
        for _ in range(TIMESTEPS):
            seen.append(ctx.get(dut.room))
            ctx.set(dut.begin, 1)
            ctx.set(dut.valid, 1)
            ctx.set(dut.spikes, 0b111)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            ctx.set(dut.end, 1)
            await ctx.tick()
            ctx.set(dut.end, 0)
            ctx.set(dut.valid, 0)
        seen.append(ctx.get(dut.room))
        seen.append(ctx.get(dut.waiting))
        ctx.set(dut.o.ready, 1)
        await ctx.tick().until(dut.o.valid & dut.o.payload.tick)
        seen.append(ctx.get(dut.room))
        seen.append(ctx.get(dut.waiting))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [1, 1, 0, 2, 1, 1]
