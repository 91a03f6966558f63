"""The same flips in the memories of simulated hardware."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Value
from amaranth.lib.memory import Memory as HardwareMemory
from amaranth.sim import Simulator

from ..rtl.conv import Conv2dSynapses
from ..rtl.network import Network
from ..rtl.neurons import StateLayout
from .flips import Flips
from .memories import Kind, Memory, memories


def inject(simulator: Simulator, network: Network, flips: Flips) -> None:
    """Makes ``flips`` happen in ``network``, which ``simulator`` simulates sample after sample."""
    known = memories(network.plans)

    async def store(ctx):
        for number, word, bit in flips.stored.tolist():
            _flip(ctx, _hardware(network, known[number]), word, bit)
        for number in sorted({number for number, _, _ in flips.stored.tolist()}):
            if known[number].kind is Kind.PARAMETERS:
                _begin(ctx, network, known[number])

    simulator.add_testbench(store)
    rows = flips.passing.tolist()
    for layer in sorted({known[row[2]].layer for row in rows}):
        here = [row for row in rows if known[row[2]].layer == layer]
        simulator.add_testbench(_passing(network, known, layer, here), background=True)


def _hardware(network: Network, memory: Memory) -> HardwareMemory:
    layer = network.layers[memory.layer]
    array, synapses = layer.arrays[memory.slice], layer.synapses[memory.slice]
    match memory.kind:
        case Kind.MEMBRANES:
            return array.states.words
        case Kind.PARAMETERS:
            return array.neurons.parameters.rom
    if isinstance(synapses, Conv2dSynapses):
        return synapses.banks[memory.place].weights
    return synapses.stores[memory.place[0]].memory


def _flip(ctx, memory: HardwareMemory, word: int, bit: int) -> None:
    row = Value.cast(memory.data[word])
    ctx.set(row, ctx.get(row) ^ 1 << bit)


def _begin(ctx, network: Network, memory: Memory) -> None:
    """Membranes begin as an inference with the parameters in ``memory`` leaves them."""
    array = network.layers[memory.layer].arrays[memory.slice]
    part = array.plan
    rom, states = array.neurons.parameters.rom, array.states.words
    if "bias" not in rom.shape.members:
        return
    layout = StateLayout(part)
    name = "current" if "current" in layout.members else "word"
    mask = (1 << layout[name].width) - 1
    for step in range(part.steps):
        word = 0
        for unit in range(part.units):
            bias = ctx.get(rom.data[step].bias[unit])
            word |= (bias & mask) << unit * layout.size + layout[name].offset
        ctx.set(Value.cast(states.data[step]), word)


def _passing(network: Network, known: Iterable[Memory], layer: int, rows: list[list[int]]):
    """Flips states of ``layer`` in the cycle in which a sweep reads them, so that the sweep before
    has stored them for certain."""
    known = list(known)
    array = network.layers[layer].arrays[0]
    # From the beginning of a sweep to the cycle in which its first word is read.
    delay = array.plan.synapses.latency - 2
    waiting: dict[tuple[int, int], list[list[int]]] = {}
    for row in rows:
        waiting.setdefault((row[0], row[1]), []).append(row)

    async def strike(ctx):
        due: dict[int, list[list[int]]] = {}
        cycle = sample = timestep = 0
        while True:
            if ctx.get(array.begin):
                for row in waiting.get((sample, timestep), []):
                    due.setdefault(cycle + delay + row[3], []).append(row)
                timestep += 1
                if ctx.get(array.begin_last):
                    sample, timestep = sample + 1, 0
            for _, _, number, word, bit in due.pop(cycle, []):
                _flip(ctx, _hardware(network, known[number]), word, bit)
            await ctx.tick()
            cycle += 1

    return strike
