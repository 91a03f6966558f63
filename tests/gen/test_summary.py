"""Figures of traces: sums over batches, and utilisation from cycles."""

from dataclasses import replace

import numpy as np
import pytest

from spikewright.gen import Stimulus, simulate
from spikewright.gen.folding_options import folding_of
from spikewright.gen.summary import summary

from .examples import of_everything


def test_batches_do_not_change_the_figures_of_a_clocked_engine():
    spec = of_everything()
    images = np.random.default_rng(1).integers(0, 4, (6, 1, spec.inputs))
    stimulus = Stimulus(images, np.array([0, 1, 2, 0, 1, -1]))
    folding = folding_of("2", spec)
    cycles = np.array([500, 600, 700, 800, 900, 1000])

    def traces(size):
        for start in range(0, 6, size):
            some = slice(start, start + size)
            golden = simulate(spec, images[some], engine="golden", membranes=True)
            yield replace(golden, cycles=cycles[some])

    figures = summary(spec, folding, stimulus, traces(6))
    assert summary(spec, folding, stimulus, traces(4)) == figures
    (trace,) = traces(6)
    assert figures["accuracy"] == np.mean(trace.prediction[:5] == [0, 1, 2, 0, 1])
    assert figures["labelled"] == 5
    assert figures["cycles"] == {"mean": 750, "min": 500, "max": 1000}
    assert figures["adders"] == {"conv1": 2 * 9, "conv2": 4, "hidden": 2, "output": 2}
    for index, layer in enumerate(spec.layers):
        synops = trace.counters["synops"][:, index].sum()
        assert figures["spikes_per_layer"][layer.name] == trace.spikes[index].sum()
        assert figures["utilisation"][layer.name] == pytest.approx(
            synops / (figures["adders"][layer.name] * cycles.sum()))
        assert figures["membranes"][layer.name]["low"] == trace.membranes[index].min()
        assert figures["membranes"][layer.name]["high"] == trace.membranes[index].max()
