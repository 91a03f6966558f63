"""The cycle model against simulated hardware: not one cycle of difference, in anything."""

import numpy as np
import pytest

from spikewright.gen import Folding, first_difference, simulate
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.cycles import timeline
from spikewright.gen.errors import SpikewrightError
from spikewright.gen.folding import LayerFolding
from spikewright.gen.linear import LinearPlan
from spikewright.gen.plan import layer_plans
from spikewright.gen.traffic import LayerTraffic, traffic

from .timing import MOMENTS, observe, random_design

#: Designs of one test of the long run.
BLOCK = 20


def assert_exact(seed: int):
    """Every moment and counter of ``random_design(seed)``, whose name is in every message."""
    design = random_design(seed)
    spec, folding = design.spec, design.folding
    hardware = observe(design)
    trace = simulate(spec, design.signals, engine="cycles", folding=folding)
    plans = layer_plans(spec, folding)
    times = timeline(plans, traffic(plans, design.signals, simulate(
        spec, design.signals, engine="golden").spikes))
    processed = trace.timesteps
    if processed is None:
        processed = np.full(len(design.signals), spec.steps(design.signals))
    for n, (layer, seen) in enumerate(zip(times.layers, hardware.moments, strict=True)):
        for name in MOMENTS:
            for sample, count in enumerate(processed):
                np.testing.assert_array_equal(
                    getattr(layer, name)[:count, sample], seen[name][sample],
                    f"{name} of layer {n}, sample {sample}\n{design}")
    reported = dict(trace.counters, cycles=trace.cycles, first_spike=trace.first_spike,
                    decision=trace.decision)
    assert reported.keys() == hardware.counters.keys()
    for name, values in hardware.counters.items():
        np.testing.assert_array_equal(reported[name], values, f"{name}\n{design}")


@pytest.mark.parametrize("seed", range(64))
def test_equals_hardware(seed):
    assert_exact(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(1000 // BLOCK))
def test_equals_hardware_long(block):
    for seed in range(1000 + block * BLOCK, 1000 + (block + 1) * BLOCK):
        assert_exact(seed)


def _processed(design):
    trace = simulate(design.spec, design.signals, engine="cycles", folding=design.folding)
    assert trace.timesteps is not None
    return trace.timesteps


def test_random_designs_have_everything():
    """What is compared with hardware above is not by chance always the same."""
    designs = [random_design(seed) for seed in range(64)]
    plans = [plan for design in designs for plan in layer_plans(design.spec, design.folding)]
    synapses = [plan.synapses for plan in plans]
    for of, seen in {
        "sums in registers": [synapse.takes == 0 for synapse in synapses],
        "sums in memory": [synapse.takes > 0 for synapse in synapses],
        "every cycle of a sweep taken": [0 < plan.synapses.takes == plan.steps for plan in plans],
        "convolutions": [synapse.front > 0 for synapse in synapses],
        "recurrence": [plan.layer.recurrent is not None for plan in plans],
        "slices": [len(plan.slices) > 1 for plan in plans
                   if isinstance(plan.synapses, LinearPlan)],
        "slices of convolutions": [len(plan.slices) > 1 for plan in plans
                                   if isinstance(plan.synapses, Conv2dPlan)],
        "ways": [plan.ways_out > 1 for plan in plans],
        "max pooling": [plan.pooling is not None for plan in plans],
        "held inputs": [plan.sweeps > 1 for plan in plans],
        "early exits": [_processed(design).min() < design.spec.steps(design.signals)
                        for design in designs if design.spec.readout.early_exit],
        "a sweep of one step": [plan.steps == 1 for plan in plans],
        "a sweep longer than its latency": [plan.sweep_cycles == plan.steps for plan in plans],
    }.items():
        assert sum(seen) >= 3, of


def test_engine_reports_what_hardware_does(small_net, small_stimulus):
    """The two engines as users call them: equal in all that both report, the cycles included."""
    folding = Folding(default=LayerFolding(lanes=4, ways=2))
    model, hardware = (
        simulate(small_net, small_stimulus.spikes[:2], engine=engine, folding=folding,
                 membranes=True) for engine in ("cycles", "amaranth"))
    assert first_difference(model, hardware) is None
    assert model.counters.keys() == hardware.counters.keys()
    assert model.cycles is not None
    assert model.first_spike is not None


def test_samples_beyond_a_chunk_and_large_numbers(small_net, monkeypatch):
    """Samples are computed in chunks, and in wider numbers if cycles ask for them."""
    plans = layer_plans(small_net, Folding(default=LayerFolding(lanes=2)))
    rng = np.random.default_rng(0)
    beats = [LayerTraffic(rng.integers(0, 9, (5, 100))) for _ in plans]
    whole = timeline(plans, beats).cycles
    processed = rng.integers(1, 6, 100)
    some = timeline(plans, beats, processed)
    assert whole.dtype == np.int32
    for module in ("cycles", "layer_cycles"):
        monkeypatch.setattr(f"spikewright.gen.{module}.CHUNK", 7)
    np.testing.assert_array_equal(timeline(plans, beats).cycles, whole)
    for one, other in zip(some.layers, timeline(plans, beats, processed).layers, strict=True):
        np.testing.assert_array_equal(one.stalled, other.stalled)
        np.testing.assert_array_equal(one.starved, other.starved)
    huge = np.full((5, 1), 1 << 30)
    cycles = timeline(plans, [LayerTraffic(huge), LayerTraffic(beats[1].below[:, :1])]).cycles
    rows = plans[0].synapses.event_cycles
    assert cycles[0] // (5 * rows << 30) == 1


def test_a_waveform_is_refused(small_net, small_stimulus, tmp_path):
    with pytest.raises(SpikewrightError, match="use engine amaranth"):
        simulate(small_net, small_stimulus.spikes, engine="cycles", waveform=tmp_path / "w.vcd")
