"""What the model says of flipped bits is what hardware with these bits does, spike for spike."""

import re
import shutil

import numpy as np
import pytest

from spikewright.gen import Folding, Reset, first_difference, simulate
from spikewright.gen.compiled.observed import observed_network
from spikewright.gen.engines import checked
from spikewright.gen.errors import DataError, FaultError
from spikewright.gen.faults import FaultyNetwork, Flips, Kind, draw, memories
from spikewright.gen.faults.images import path
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans

from ..examples import of_everything, two_layers
from ..timing import Design, random_design


def assert_equal(design: Design, flips: Flips):
    """Spikes, membranes, readout, counters and cycles of hardware and of the models."""
    hardware, model = (
        simulate(design.spec, design.signals, engine=engine, folding=design.folding, flips=flips,
                 membranes=True) for engine in ("amaranth", "cycles"))
    difference = first_difference(hardware, model, [layer.name for layer in design.spec.layers])
    assert difference is None, f"{difference}\n{flips}\n{design}"


def random_flips(design: Design, kinds, count: int | None, seed: int) -> Flips:
    """``count`` flips; a third of all bits if it is None."""
    found = memories(layer_plans(design.spec, design.folding))
    total = sum(memory.bits for memory in found if memory.kind in kinds)
    return draw(found, kinds, min(total, total // 3 if count is None else count),
                samples=len(design.signals), timesteps=design.spec.steps(design.signals),
                rng=np.random.default_rng(seed))


@pytest.mark.parametrize("seed", [3, 8])
def test_equals_hardware(seed):
    design = random_design(seed, samples=1)
    assert_equal(design, random_flips(design, list(Kind), None, seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_equals_hardware_long(seed):
    design = random_design(seed)
    for kinds in ([Kind.WEIGHTS], [Kind.PARAMETERS], [Kind.MEMBRANES], list(Kind)):
        count = [None, 1, 10][seed % 3]
        assert_equal(design, random_flips(design, kinds, count, seed))


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", list(Reset))
def test_equals_hardware_with_every_reset(reset, delay):
    """Of narrow membranes that clamp, thresholds and decays of each neuron, and all their bits."""
    rng = np.random.default_rng(5)
    spec = two_layers(inputs=9, hidden=6, classes=6, timesteps=4, reset=reset, reset_delay=delay,
                      threshold=rng.integers(8, 30, 6), decay=rng.integers(-60, 250, 6),
                      membrane_bits=7, synapse_decay=100 if reset is Reset.SUBTRACT else None,
                      synapse_decay_fraction=7 if reset is Reset.SUBTRACT else 0)
    design = Design(0, spec, Folding(default=LayerFolding(lanes=4, units=2, ways=2)),
                    rng.random((2, 4, 9)) < 0.5)
    assert_equal(design, random_flips(design, [Kind.PARAMETERS, Kind.MEMBRANES], 24, 1))


@pytest.mark.slow
def test_equals_hardware_of_everything():
    spec = of_everything(3)
    signals = np.random.default_rng(1).integers(0, 4, (1, 1, spec.inputs), np.uint8)
    design = Design(0, spec, Folding(), signals)
    assert_equal(design, random_flips(design, list(Kind), 200, 1))


@pytest.mark.parametrize("seed", range(20))
def test_without_flips_it_is_the_golden_model(seed):
    design = random_design(seed, samples=5)
    golden = simulate(design.spec, design.signals, engine="golden", membranes=True)
    model = FaultyNetwork(design.spec, design.folding).run(
        checked(design.spec, design.signals), membranes=True)
    assert first_difference(golden, model) is None


@pytest.mark.parametrize("seed", [1, 4, 5, 8])
def test_memories_are_those_of_the_design(seed):
    """Of all memories that are generated, none is forgotten, none invented, none of another size.
    """
    design = random_design(seed)
    observed = observed_network(design.spec, design.folding)
    built = {memory.path.partition("network.")[2]: (memory.depth, memory.width)
             for memory in observed.memories
             if not re.search(r"\b(sums\w*|lines|rows|counters)\.", memory.path)}
    assert built == {path(observed.plans, memory): (memory.depth, memory.width)
                     for memory in memories(observed.plans)}


@pytest.mark.skipif(shutil.which("verilator") is None, reason="needs Verilator on PATH")
def test_equals_compiled_hardware():
    """Weights and parameters in the memories of the compiled design, for more samples."""
    design = random_design(1, samples=40)
    flips = random_flips(design, [Kind.WEIGHTS, Kind.PARAMETERS], 300, 1)
    hardware, model = (
        simulate(design.spec, design.signals, engine=engine, folding=design.folding, flips=flips,
                 membranes=True) for engine in ("verilator", "cycles"))
    assert first_difference(hardware, model) is None
    moving = random_flips(design, [Kind.MEMBRANES], 3, 1)
    with pytest.raises(FaultError, match="cannot reach into membranes while they run"):
        simulate(design.spec, design.signals, engine="verilator", folding=design.folding,
                 flips=moving)


def test_batches_do_not_show(small_net, small_stimulus, monkeypatch):
    found = memories(layer_plans(small_net, Folding()))
    flips = draw(found, list(Kind), 40, samples=6, timesteps=5, rng=np.random.default_rng(0))
    network = FaultyNetwork(small_net, Folding(), flips)
    whole = network.run(small_stimulus.spikes, membranes=True)
    monkeypatch.setattr("spikewright.gen.faults.model.BATCH_BYTES", 1)
    done = []
    parts = network.run(small_stimulus.spikes, membranes=True, progress=done.append)
    assert first_difference(whole, parts) is None
    assert done == [1] * 6


def test_every_bit_is_as_likely(small_net):
    found = memories(layer_plans(small_net, Folding(default=LayerFolding(lanes=3))))
    total = sum(memory.bits for memory in found)
    rng = np.random.default_rng(0)
    flips = draw(found, list(Kind), total, samples=2, timesteps=5, rng=rng)
    of_membranes = sum(memory.bits for memory in found if memory.kind is Kind.MEMBRANES)
    assert len(flips.stored) == total - of_membranes
    assert len(flips.passing) == 2 * of_membranes
    for rows in (flips.stored, flips.passing[:of_membranes, 2:]):
        assert len(np.unique(rows, axis=0)) == len(rows)
        for memory, word, bit in rows.tolist():
            assert 0 <= word < found[memory].depth
            assert 0 <= bit < found[memory].width
    hits = np.zeros(len(found))
    for _ in range(400):
        some = draw(found, [Kind.WEIGHTS], 7, samples=1, timesteps=1, rng=rng).stored
        np.add.at(hits, some[:, 0], 1)
    weights = np.array([memory.bits if memory.kind is Kind.WEIGHTS else 0 for memory in found])
    expected = 2800 * weights / weights.sum()
    assert (abs(hits - expected) <= 4 * np.sqrt(expected)).all()


def test_what_cannot_flip_is_refused(small_net, small_stimulus):
    found = memories(layer_plans(small_net, Folding()))
    with pytest.raises(FaultError, match=r"the design has \d+ such bits, so 0 to"):
        draw(found, [Kind.WEIGHTS], 10**9, samples=1, timesteps=1, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="engine torch has no memories whose bits could flip"):
        simulate(small_net, small_stimulus.spikes, engine="torch", flips=Flips())
