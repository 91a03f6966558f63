"""The accelerator behind AXI, driven by cocotbext-axi in Icarus Verilog."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikewright.gen import Folding, Input, InputKind, axi, simulate
from spikewright.gen.axi_map import IDENTITY, MAP_VERSION, Fault, Status
from spikewright.gen.counters import COUNTERS, NETWORK_COUNTERS
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.rtl.axi import AxiNetwork
from spikewright.gen.rtl.image import network_image

from .examples import exiting, of_everything, two_layers

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None,
                                reason="Icarus Verilog is not installed")

ROOT = Path(__file__).resolve().parents[2]


def run_cocotb(spec, folding, samples, folder, seed=1):
    """What came out of the simulated module, see :mod:`tests.gen.axi_cocotb`."""
    inner = AxiNetwork(spec, folding)
    packets = [axi.packet(inner.network, sample) for sample in samples]
    np.savez(
        folder / "job.npz", words=np.concatenate(packets), seed=seed,
        begins=np.cumsum([0, *map(len, packets)]), counters=inner.network.counter_count,
        answer=inner.results.word_bytes, timesteps=inner.events.timesteps,
        image=np.frombuffer(network_image(inner.network.plans), np.uint8),
    )
    (folder / "top.v").write_text(axi.convert(inner))
    program = (
        "from cocotb_tools.runner import get_runner; r = get_runner('icarus'); "
        f"r.build(sources=['top.v'], hdl_toplevel='{spec.name}_axi', build_dir='build', "
        "build_args=['-g2005'], timescale=('1ns', '1ps')); "
        f"r.test(hdl_toplevel='{spec.name}_axi', test_module='tests.gen.axi_cocotb', "
        "build_dir='build', test_dir='.')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COCOTB_ANSI_OUTPUT": "0",
                   "COCOTB_LOG_LEVEL": "WARNING"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert (folder / "done.json").exists(), ran.stdout[-4000:]
    return inner, json.loads((folder / "done.json").read_text())


def counter_words(trace, sample):
    words = [int(trace.counters[counter.name][sample, layer])
             for layer in range(len(trace.spikes)) for counter in COUNTERS]
    return words + [int(getattr(trace, counter.name)[sample]) for counter in NETWORK_COUNTERS]


def assert_golden(spec, folding, samples, folder):
    inner, done = run_cocotb(spec, folding, samples, folder)
    trace = simulate(spec, samples, engine="cycles", folding=folding)
    expected = [[*scores, winner] for scores, winner in zip(
        trace.scores.tolist(), trace.prediction.tolist(), strict=True)]
    assert done["broken"] == []
    for part in ("exact", "stalled", "overlapped"):
        assert done[part]["results"] == expected, part
    assert [one["results"] for one in done["restarted"]] == [[each] for each in expected]
    counted = [counter_words(trace, sample) for sample in range(len(samples))]
    assert done["exact"]["counters"] == counted
    assert [one["counters"] for one in done["restarted"]] == [[each] for each in counted]
    if not spec.readout.early_exit:
        kept = [layer * len(COUNTERS) + n for layer in range(len(spec.layers))
                for n, counter in enumerate(COUNTERS) if counter.functional]
        assert np.array_equal(np.array(done["stalled"]["counters"])[:, kept],
                              np.array(counted)[:, kept])

    registers = done["registers"]
    assert registers["IDENTITY"] == IDENTITY
    assert registers["VERSION"] == MAP_VERSION
    assert done["digest"] == spec.digest
    assert [registers[name] for name in ("INPUTS", "CLASSES", "LAYERS", "LOAD_BYTES")] == [
        spec.inputs, spec.classes, len(spec.layers), len(network_image(inner.network.plans))]
    assert registers["STATUS"] & ~Status.LOADED in (0, Status.READY)
    assert done["errors"] == [2, 2, 2, 0]
    assert done["long"] == Fault.TIMESTEPS
    assert done["address"] == Fault.ADDRESS
    assert done["wrong"] == expected[0]
    return done


def test_two_layers_of_several_ways(tmp_path):
    spec = two_layers(timesteps=6)
    folding = Folding.each(LayerFolding(lanes=4, ways=3), LayerFolding(lanes=5, ways=2, units=3),
                           spec=spec)
    samples = np.random.default_rng(0).random((3, spec.timesteps, spec.inputs)) < 0.3
    assert_golden(spec, folding, samples, tmp_path)


def test_values_and_weights_that_are_loaded(tmp_path):
    spec = two_layers(input=Input(kind=InputKind.COUNTS, bits=3))
    folding = Folding.each(LayerFolding(lanes=6, ways=2, storage=Storage.LOADABLE),
                           LayerFolding(lanes=5, storage=Storage.SPRAM), spec=spec)
    samples = np.random.default_rng(1).integers(0, 8, (3, spec.timesteps, spec.inputs))
    done = assert_golden(spec, folding, samples, tmp_path)
    assert not done["registers"]["STATUS"] & Status.LOADED
    assert done["loaded"]


@pytest.mark.slow
def test_maps_of_a_held_image(tmp_path):
    spec = of_everything()
    samples = np.random.default_rng(1).integers(0, 4, (2, 1, spec.inputs))
    assert_golden(spec, Folding(), samples, tmp_path)


@pytest.mark.slow
def test_an_early_exit(tmp_path):
    spec = exiting(two_layers(hidden=40))
    samples = np.random.default_rng(2).random((4, spec.timesteps, spec.inputs)) < 0.3
    assert_golden(spec, Folding(), samples, tmp_path)
