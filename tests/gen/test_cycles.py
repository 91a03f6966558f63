"""The cycle model against simulated hardware: not one cycle of difference, in anything."""

import numpy as np
import pytest

from spikewright.gen import simulate
from spikewright.gen.cycles import timeline
from spikewright.gen.plan import layer_plans
from spikewright.gen.traffic import traffic

from .timing import MOMENTS, observe, random_design


def assert_exact(seed: int) -> int:
    """Every moment and counter of ``random_design(seed)``; returns how many cycles it took."""
    design = random_design(seed)
    spec, folding = design.spec, design.folding
    hardware = observe(design)
    trace = simulate(spec, design.signals, engine="cycles", folding=folding)
    plans = layer_plans(spec, folding)
    times = timeline(plans, traffic(plans, design.signals, trace.spikes))
    for n, (layer, seen) in enumerate(zip(times.layers, hardware.moments, strict=True)):
        for name in MOMENTS:
            np.testing.assert_array_equal(
                getattr(layer, name), seen[name], f"{name} of layer {n}\n{design}")
    reported = dict(trace.counters, cycles=trace.cycles, first_spike=trace.first_spike,
                    decision=trace.decision)
    assert reported.keys() == hardware.counters.keys()
    for name, values in hardware.counters.items():
        np.testing.assert_array_equal(reported[name], values, f"{name}\n{design}")
    return int(trace.cycles.sum())


@pytest.mark.parametrize("seed", range(60))
def test_equals_hardware(seed):
    assert_exact(seed)
