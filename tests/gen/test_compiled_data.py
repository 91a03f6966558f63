"""Whole data sets, on the golden model, the cycle model and the hardware compiled by Verilator."""

import os
import shutil
import time

import pytest

from spikewright.gen import simulate
from spikewright.gen.folding import Folding, LayerFolding
from spikewright.gen.trace import mismatched_samples

from ..bench import recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("verilator") is None, reason="Verilator is not installed"),
    pytest.mark.skipif("SPIKEWRIGHT_DATA" not in os.environ,
                       reason="set SPIKEWRIGHT_DATA to a folder with mnist and nmnist"),
]


def assert_all_equal(what, spec, folding, batches, count, capsys):
    """Every spike of every layer, readout and counter of ``count`` samples, as all three have
    them."""
    began, samples, wrong, spikes, cycles = time.perf_counter(), 0, 0, 0, 0
    hardware_s = 0.0
    for these in batches:
        samples += len(these)
        begun = time.perf_counter()
        hardware = simulate(spec, these, engine="verilator", folding=folding)
        hardware_s += time.perf_counter() - begun
        for engine in ("golden", "cycles"):
            wrong += int(mismatched_samples(
                simulate(spec, these, engine=engine, folding=folding), hardware).sum())
        spikes += sum(int(layer.sum()) for layer in hardware.spikes)
        cycles += int(hardware.cycles.sum())
    with capsys.disabled():
        print(f"\n{what}: {samples} samples, {wrong} mismatches between golden, cycles and "
              f"verilator; {spikes:,} spikes, {cycles:,} cycles; "
              f"{time.perf_counter() - began:.0f} s, verilator {hardware_s:.0f} s of them")
    assert samples == count
    assert wrong == 0
    assert spikes > 0


def test_ten_thousand_digits(capsys):
    spec, digits = recordings.spec("mnist"), recordings.mnist()
    folding = Folding.each(LayerFolding(ways=4, units=16), LayerFolding(ways=4, units=5),
                           spec=spec)
    assert_all_equal("MNIST, 784-128-10, INT4", spec, folding,
                     (digits.spikes[start : start + 1000] for start in range(0, len(digits), 1000)),
                     10_000, capsys)


def test_every_recording(capsys):
    spec = recordings.spec("nmnist_conv")
    folding = Folding.each(*recordings.CONVOLUTIONAL, spec=spec)
    assert_all_equal("N-MNIST, convolutional, INT4, 300 timesteps", spec, folding,
                     (batch.spikes for batch in recordings.nmnist_batches(25)), 1000, capsys)
