"""Random designs, and what their simulated hardware does in which cycle."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat
from amaranth.sim import Simulator

from spikewright.gen import (
    Conv2d,
    Folding,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    SumPool2d,
)
from spikewright.gen.counters import decode
from spikewright.gen.engines.amaranth import read_counters, send
from spikewright.gen.errors import FoldingError
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.network import Network

#: Members of a LayerTimeline that :func:`observe` finds in the hardware.
MOMENTS = ("first", "finish", "begin", "end")


@dataclass
class Design:
    """A network, its folding and what to send it; ``seed`` makes it again."""

    seed: int
    spec: NetworkSpec
    folding: Folding
    signals: np.ndarray

    def __str__(self) -> str:
        layers = [f"{layer.name}: {type(layer.synapse).__name__} {layer.input_shape} → "
                  f"{layer.output_shape}, pool {layer.pool}, recurrent "
                  f"{type(layer.recurrent).__name__}, {chosen}"
                  for layer, chosen in zip(self.spec.layers, self.folding.of(self.spec),
                                           strict=True)]
        return "\n".join([
            f"random_design({self.seed}): {self.spec.input}, {self.spec.readout}, signals "
            f"{self.signals.shape}", *layers])


def random_design(seed: int, samples: int = 3) -> Design:
    """One to three small layers of any kind, folded and driven anyhow."""
    rng = np.random.default_rng(seed)
    spec = _network(rng)
    while True:
        folding = Folding.each(*(_folding(rng, layer) for layer in spec.layers), spec=spec)
        try:
            layer_plans(spec, folding)
        except FoldingError:
            continue  # such as a convolution's units that the ways behind it do not divide
        return Design(seed, spec, folding, _signals(rng, spec, samples))


def _network(rng: np.random.Generator) -> NetworkSpec:
    maps = rng.random() < 0.45
    shape = tuple(rng.integers(1, [4, 7, 7]).tolist()) if maps else (int(rng.integers(1, 30)),)
    kinds = [*[InputKind.EVENTS] * 4, InputKind.COUNTS, InputKind.CURRENT]
    kind = kinds[rng.integers(len(kinds))]
    arriving = Input(kind=kind, bits=1 if kind is InputKind.EVENTS else int(rng.integers(1, 4)))
    layers, reaching = [], shape
    for n in range(rng.integers(1, 4)):
        layer = _layer(rng, f"fc{n}", reaching, first=n == 0,
                       held=n == 0 and kind is InputKind.CURRENT)
        layers.append(layer)
        reaching = layer.output_shape
    neurons = layers[-1].neurons
    readout = list(ReadoutKind)[rng.integers(len(ReadoutKind))]
    early = readout is ReadoutKind.FIRST_SPIKE and bool(rng.random() < 0.7)
    # An exit saves timesteps if more are left than the layers work on.
    timesteps = int(rng.integers(1, 25 if early else 9))
    return NetworkSpec(
        input_shape=shape, layers=tuple(layers), timesteps=timesteps, input=arriving,
        readout=Readout(
            kind=readout,
            population=int(rng.choice([n for n in range(1, neurons + 1) if neurons % n == 0])),
            early_exit=early,
        ),
    )


def _layer(rng: np.random.Generator, name: str, shape: tuple[int, ...], *, first: bool,
           held: bool) -> Layer:
    pool = recurrent = None
    if len(shape) == 3 and rng.random() < 0.5:
        kind = SumPool2d if first or rng.random() < 0.3 else MaxPool2d
        kernel = tuple(int(rng.integers(1, min(3, side) + 1)) for side in shape[1:])
        stride = tuple(int(rng.integers(extent, max(extent, min(3, side)) + 1))
                       for extent, side in zip(kernel, shape[1:], strict=True))
        pool = kind(input_shape=shape, kernel=kernel, stride=stride)
    reaching = shape if pool is None else pool.output_shape
    if len(shape) == 3 and rng.random() < 0.7:
        kernel = rng.integers(1, 4, 2).tolist()
        padding = [max(extent // 2, -(-(extent - side) // 2))
                   for extent, side in zip(kernel, reaching[1:], strict=True)]
        channels = int(rng.integers(1, 5))
        synapse = Conv2d(
            weight=rng.integers(-4, 8, (channels, reaching[0], *kernel)), weight_bits=4,
            input_shape=reaching, padding=tuple(padding),
            stride=tuple(int(rng.integers(1, min(3, side) + 1)) for side in reaching[1:]),
        )
    else:
        synapse = Linear(weight=rng.integers(-4, 8, (rng.integers(1, 25), np.prod(reaching))),
                         weight_bits=4)
        if rng.random() < 0.3 and not held:
            recurrent = Linear(weight=rng.integers(-8, 8, (synapse.neurons,) * 2), weight_bits=4)
    if recurrent is None and rng.random() < 0.1:
        recurrent = OneToOne(weight=3)
    # From neurons that always fire to such that never do.
    neuron = Neuron(decay=13, decay_fraction=4, threshold=int(rng.choice([1, 4, 12, 30, 1000])),
                    bias=rng.integers(-2, 4, synapse.neurons))
    if rng.random() < 0.2:
        neuron = Neuron(decay=13, decay_fraction=4, threshold=8, synapse_decay=3,
                        synapse_decay_fraction=2)
    return Layer(name=name, synapse=synapse, neuron=neuron, pool=pool, recurrent=recurrent)


def _folding(rng: np.random.Generator, layer: Layer) -> LayerFolding:
    if isinstance(layer.synapse, Conv2d):
        channels = layer.output_shape[0]
        lanes = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
        units = int(rng.choice([1, lanes, 2 * lanes]))
        return LayerFolding(
            lanes=lanes, units=units,
            slices=int(rng.choice([n for n in range(1, lanes + 1) if lanes % n == units % n == 0])),
            banks=None if rng.random() < 0.5 else tuple(rng.integers(1, 3, 2).tolist()),
            overlap=bool(rng.random() < 0.5),
        )
    lanes = layer.neurons if rng.random() < 0.5 else int(rng.integers(1, layer.neurons + 1))
    units = [None, 1, lanes, int(rng.integers(1, lanes + 1))][rng.integers(4)]
    return LayerFolding(lanes=lanes, ways=int(rng.choice([1, 1, 2, 3, 4])), units=units,
                        slices=int(rng.choice([1, 1, 2, 3, 5])))


def _signals(rng: np.random.Generator, spec: NetworkSpec, samples: int) -> np.ndarray:
    """From silent to full, each timestep of its own density."""
    timesteps = 1
    if spec.input.kind is not InputKind.CURRENT:
        timesteps = int(rng.integers(1, spec.timesteps + 1))
    density = rng.choice([0.0, 0.1, 0.3, 1.0], (samples, timesteps, 1))
    spikes = rng.random((samples, timesteps, spec.inputs)) < density
    if spec.input.kind is InputKind.EVENTS:
        return spikes
    return spikes * rng.integers(1, spec.input.most, spikes.shape, np.uint8, endpoint=True)


@dataclass
class Observation:
    """What the hardware did: ``moments`` of every layer, of each sample a list of those of the
    timesteps that it processed, and all ``counters``, (samples, layers) or (samples,)."""

    moments: list[dict[str, list[list[int]]]]
    counters: dict[str, np.ndarray]


def observe(design: Design) -> Observation:
    """Simulates the hardware of ``design`` sample by sample, each on its own."""
    network = Network(design.spec, design.folding)
    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    samples = len(design.signals)
    words = np.zeros((samples, network.counter_count), np.int64)
    found = [[{name: [] for name in MOMENTS} for _ in network.layers] for _ in range(samples)]

    finished = 0

    async def drive(ctx):
        for sample, steps in enumerate(design.signals):
            while finished < sample:
                await ctx.tick()
            ctx.set(network.clear, 1)
            await ctx.tick()
            ctx.set(network.clear, 0)
            await send(ctx, network, steps)

    async def receive(ctx):
        nonlocal finished
        for sample in range(samples):
            ctx.set(network.o.ready, 1)
            await ctx.tick().until(network.o.valid & network.o.payload.last)
            ctx.set(network.o.ready, 0)
            words[sample] = await read_counters(ctx, network)
            finished += 1

    async def compare_slices(ctx):
        slices = [[Cat(synapses.i.ready, synapses._finish, synapses.sums.available, array.begin,
                       array.begin_last, array.o.valid, array.o.step, array.o.last)
                   for synapses, array in zip(layer.synapses, layer.arrays, strict=True)]
                  for layer in network.layers if len(layer.arrays) > 1]
        async for _clk, _rst, *same in ctx.tick().sample(*(
                each == layer[0] for layer in slices for each in layer[1:])):
            assert all(same), "slices do not run in lock step"

    async def watch(ctx):
        flags = Cat(Cat(
            layer.i.valid & layer.i.ready, layer.i.payload.tick,
            layer.synapses[0]._finish, layer.begin, layer.o.valid & layer.o.end,
        ) for layer in network.layers)
        sample, cycle = -1, 0
        awaited = []
        async for _clk, _rst, clear, bits in ctx.tick().sample(network.clear, flags):
            if clear:
                sample, cycle = sample + 1, 0
                awaited = [True] * len(network.layers)
                continue
            for n, moments in enumerate(found[sample]):
                moved, tick, *happened = (bits >> (5 * n + bit) & 1 for bit in range(5))
                if moved:
                    happened = [awaited[n], *happened]
                    awaited[n] = bool(tick)
                else:
                    happened = [0, *happened]
                for name, now in zip(MOMENTS, happened, strict=True):
                    if now:
                        moments[name].append(cycle)
            cycle += 1

    simulator.add_testbench(drive)
    simulator.add_testbench(receive)
    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(compare_slices, background=True)
    simulator.run()
    moments = [{name: [sample[n][name] for sample in found] for name in MOMENTS}
               for n in range(len(network.layers))]
    of_layers, of_network = decode(words)
    return Observation(moments, of_layers | of_network)
