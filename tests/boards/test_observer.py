# amaranth: UnusedElaboratable=no
"""Spikes and membranes, read from a board, are those of the golden model."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.boards import connect
from spikewright.boards.inside import inside
from spikewright.boards.link_simulated import SimulatedLink
from spikewright.boards.observer import Observer
from spikewright.boards.protocol import MEMBRANE_BITS, LinkError, WrongBitstreamError
from spikewright.gen import Folding, simulate
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans

from ..gen.examples import exiting, of_everything, two_layers

SPEC = two_layers(inputs=12, hidden=6, classes=3, timesteps=3)
SPIKES = np.random.default_rng(4).random((2, 3, 12)) < 0.4


@pytest.mark.parametrize(("spec", "folding"), [
    (SPEC, Folding.lanes(1, 3, spec=SPEC)),
    (SPEC, Folding.each(LayerFolding(lanes=6, units=3), LayerFolding(lanes=1), spec=SPEC)),
    (exiting(SPEC), Folding()),
    pytest.param(of_everything(timesteps=2), Folding(), marks=pytest.mark.slow),
], ids=["one unit and three", "three units and one", "early exit", "everything"])
def test_spikes_and_membranes_are_golden(spec, folding):
    sample = (np.random.default_rng(0).integers(0, 4, (1, spec.inputs)) if spec.input.bits > 1
              else SPIKES[0])
    golden = simulate(spec, sample[np.newaxis], engine="golden", membranes=True)
    hardware = simulate(spec, sample[np.newaxis], folding=folding)
    with connect(SimulatedLink(spec, folding, window=64, buffer=128, observe=True)) as board:
        spikes, membranes, steps = inside(board, spec, folding, sample)
        assert next(board.infer(spec, [sample])).scores == tuple(golden.scores[0].tolist())
    assert steps == (hardware.timesteps[0] if spec.readout.early_exit else spikes[0].shape[0])
    assert golden.membranes is not None
    for n in range(len(spec.layers)):
        np.testing.assert_array_equal(spikes[n][:steps], golden.spikes[n][0, :steps])
        np.testing.assert_array_equal(membranes[n][:steps], golden.membranes[n][0, :steps])
    assert any(each.any() for each in spikes)


def test_boards_that_cannot_be_observed_say_so():
    folding = Folding.lanes(2, 3, spec=SPEC)
    with connect(SimulatedLink(SPEC, folding, window=64, buffer=64)) as board:
        with pytest.raises(WrongBitstreamError, match="--observe"):
            inside(board, SPEC, folding, SPIKES[0])
        assert board.counters().cycles == 0


def test_another_folding_is_noticed():
    folding, other = (Folding.each(LayerFolding(lanes=6, units=units), LayerFolding(lanes=1),
                                   spec=SPEC) for units in (2, 3))
    with (connect(SimulatedLink(SPEC, folding, window=64, buffer=64, observe=True)) as board,
          pytest.raises(LinkError, match="give the folding that was built")):
        inside(board, SPEC, other, SPIKES[0])


def test_membranes_that_are_too_wide_are_refused():
    plans = layer_plans(SPEC, Folding())
    plans[0].widths = replace(plans[0].widths, membrane=32)
    with pytest.raises(LinkError, match="without --observe"):
        Observer(plans)
    plans[0].widths = replace(plans[0].widths, membrane=MEMBRANE_BITS)
    assert Observer(plans).bits == 32


@pytest.mark.parametrize(("layer", "timestep"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_word_is_a_membrane_above_a_spike(layer, timestep):
    """Of the layer and timestep that were chosen, in the first inference as in the second."""
    folding = Folding.each(LayerFolding(lanes=6, units=3), LayerFolding(lanes=1), spec=SPEC)
    plans = layer_plans(SPEC, folding)
    dut, rng = Observer(plans), np.random.default_rng(0)

    async def sweep(ctx, timesteps):
        """Of both layers, step by step; the words of the chosen one."""
        words = {}
        for n, plan in enumerate(plans):
            did, half = getattr(dut, f"layer_{n}"), 1 << (plan.membrane_bits - 1)
            for now, step in np.ndindex(timesteps, plan.steps):
                spikes = rng.integers(0, 2, plan.units).tolist()
                membranes = rng.integers(-half, half, plan.units).tolist()
                for name, value in (
                    ("valid", 1), ("step", step), ("end", step == plan.steps - 1),
                    ("last", now == timesteps - 1), ("membranes", membranes),
                    ("spikes", sum(spike << unit for unit, spike in enumerate(spikes))),
                ):
                    ctx.set(getattr(did, name), value)
                await ctx.tick()
                if (n, now) == (layer, timestep):
                    words |= {step * dut.units + unit: (membrane << 1 | spike) % (1 << 32)
                              for unit, (spike, membrane) in enumerate(
                                  zip(spikes, membranes, strict=True))}
            ctx.set(did.valid, 0)
        return words

    async def bench(ctx):
        ctx.set(dut.layer, layer)
        ctx.set(dut.timestep, timestep)
        for timesteps in (2, 3):
            ctx.set(dut.choose, 1)
            await ctx.tick()
            ctx.set(dut.choose, 0)
            assert not ctx.get(dut.seen)
            words = await sweep(ctx, timesteps)
            assert ctx.get(dut.seen)
            for address, word in words.items():
                ctx.set(dut.address, address)
                ctx.set(dut.read, 1)
                data, = await ctx.tick().sample(dut.data).until(dut.valid)
                ctx.set(dut.read, 0)
                assert data == word
                await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
