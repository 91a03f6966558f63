"""The generated hardware, cycle by cycle, in Amaranth's own simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from ..beats import beats
from ..counters import CYCLE_COUNTERS, decode
from ..cycles import cycle_limit
from ..errors import SpikewrightError, WedgedError
from ..faults.injection import inject
from ..rtl.network import Network
from ..spec import NetworkSpec
from ..trace import Trace
from ..waveforms import layout_files, traces, waveform_kind, write_sucl
from . import Options

if TYPE_CHECKING:
    from ..rtl.layer import SpikingLayer

#: Seconds of a cycle.
CLOCK = 1e-6


def run(spec: NetworkSpec, spikes: npt.NDArray[np.bool_], options: Options) -> Trace:
    """The ``amaranth`` engine; see :func:`spikewright.gen.simulate`.

    Samples run one after another on one instance of the hardware, each alone: the next begins when
    the result of the one before is out and its counters are read.
    """
    network = Network(spec, options.folding)
    shape = (len(spikes), spec.steps(spikes))
    out = tuple(np.zeros((*shape, layer.neurons), np.bool_) for layer in spec.layers)
    membranes = tuple(np.zeros((*shape, layer.neurons), np.int64) for layer in spec.layers)
    scores = np.zeros((len(spikes), spec.classes), np.int64)
    prediction = np.zeros(len(spikes), np.int64)
    words = np.zeros((len(spikes), network.counter_count), np.int64)
    timesteps = np.zeros(len(spikes), np.int64)
    finished = 0

    async def drive(ctx):
        for sample, steps in enumerate(spikes):
            while finished < sample:
                await ctx.tick()
            ctx.set(network.clear, 1)
            await ctx.tick()
            ctx.set(network.clear, 0)
            await send(ctx, network, steps)

    async def receive(ctx):
        nonlocal finished
        for sample in range(len(spikes)):
            ctx.set(network.o.ready, 1)
            done = False
            while not done:
                payload, = await ctx.tick().sample(network.o.payload).until(network.o.valid)
                scores[sample, payload.index] = payload.score
                done = payload.last
            prediction[sample] = payload.winner
            ctx.set(network.o.ready, 0)
            words[sample] = await read_counters(ctx, network)
            finished += 1
            options.progress(1)

    limit = cycle_limit(spec, network.plans, spikes.shape[1])

    async def watch(ctx):
        while True:
            before = finished
            await ctx.delay(limit * CLOCK)
            if finished == before:
                raise WedgedError(
                    f"sample {finished}: the network did not answer within {limit} cycles, twice "
                    f"what the busiest sample takes; its hardware has come to a standstill"
                )

    simulator = Simulator(network)
    simulator.add_clock(CLOCK)
    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(drive)
    simulator.add_testbench(receive)
    for index, layer in enumerate(network.layers):
        simulator.add_testbench(
            _observer(layer, out[index], membranes[index], timesteps, options.membranes),
            background=True,
        )
    if options.flips is not None:
        inject(simulator, network, options.flips)
    if options.waveform is None:
        simulator.run()
    else:
        waveform_kind(options.waveform, ("vcd",))
        gtkw, _ = layout_files(options.waveform)
        try:
            options.waveform.parent.mkdir(parents=True, exist_ok=True)
            file = options.waveform.open("w", encoding="utf-8")
            layout = gtkw.open("w", encoding="utf-8")
        except OSError as error:
            raise SpikewrightError(
                f"waveform {options.waveform} cannot be written ({error.strerror})"
            ) from error
        with file, layout, simulator.write_vcd(file, layout, traces=traces(network)):
            simulator.run()
        write_sucl(options.waveform)

    counters, of_network = decode(words, network.layer_counters)
    accounted = sum(counters[name] for name in CYCLE_COUNTERS)
    assert (accounted == of_network["cycles"][:, np.newaxis]).all(), "cycle counters do not add up"
    return Trace(
        engine="amaranth",
        spikes=out,
        membranes=membranes if options.membranes else None,
        scores=scores,
        prediction=prediction,
        counters=counters,
        timesteps=timesteps if spec.readout.early_exit else None,
        cycles=of_network["cycles"],
        first_spike=of_network["first_spike"],
        decision=of_network["decision"],
    )


async def send(ctx, network: Network, sample: npt.NDArray,
               pause: Callable[[], bool] = lambda: False) -> None:
    """Sends ``sample``, (timesteps, inputs), to ``network``; returns when its last beat is taken.

    Beats follow one another as fast as they are taken, or a cycle later for each time that
    ``pause()`` is true.
    """
    for beat in beats(network.plans[0], sample):
        while pause():
            ctx.set(network.i.valid, 0)
            await ctx.tick()
        ctx.set(network.i.payload, beat)
        ctx.set(network.i.valid, 1)
        await ctx.tick().until(network.i.ready)
    ctx.set(network.i.valid, 0)


async def read_counters(ctx, network: Network) -> npt.NDArray[np.int64]:
    """All counter words of ``network``, for :func:`~..counters.decode`."""
    count = network.counter_count
    words = np.zeros(count, np.int64)
    # Words have their turns one a cycle and a read takes two, so every other one is next.
    for word in [*range(0, count, 2), *range(1, count, 2)]:
        ctx.set(network.counter_address, word)
        ctx.set(network.counter_read, 1)
        words[word], = await ctx.tick().sample(network.counter_data).until(network.counter_valid)
        ctx.set(network.counter_read, 0)
    return words


def _observer(
    layer: SpikingLayer,
    spikes: npt.NDArray[np.bool_],
    membranes: npt.NDArray[np.int64],
    timesteps: npt.NDArray[np.int64],
    want_membranes: bool,
):
    """Writes what every neuron of ``layer`` does at each of its sweeps, and how many sweeps it
    makes of each sample, into the arrays."""
    did, plan = layer.o, layer.plan
    tapped = [did.step, did.end, did.last, did.spikes]
    if want_membranes:
        tapped.append(did.membranes)

    async def observe(ctx):
        sample = timestep = 0
        async for _clk, _rst, valid, *values in ctx.tick().sample(did.valid, *tapped):
            if not valid:
                continue
            step, end, last, fired, *values = values
            neurons = plan.order[step]
            units = np.flatnonzero(neurons >= 0)
            here = neurons[units]
            spikes[sample, timestep, here] = [(fired >> unit) & 1 for unit in units.tolist()]
            if want_membranes:
                membranes[sample, timestep, here] = [values[0][unit] for unit in units.tolist()]
            if end:
                timestep += 1
                if last:
                    timesteps[sample] = timestep
                    sample, timestep = sample + 1, 0

    return observe
