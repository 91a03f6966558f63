import json

import numpy as np
import pytest

from spikewright.gen import Readout, ReadoutKind, simulate
from spikewright.gen.folding import Folding
from spikewright.gen.runfolder import RunFolder
from spikewright.gen.stimulus import Stimulus
from spikewright.model.commands import compile, train
from spikewright.model.metrics.command import measure, metrics

from ...gen.examples import exiting, two_layers


@pytest.fixture
def run(tmp_path, recipe_file):
    train(str(recipe_file), output=tmp_path / "run", epochs=1)
    compile(tmp_path / "run")
    return tmp_path / "run"


def test_metrics_of_a_run_are_recorded(run, capsys):
    capsys.readouterr()
    metrics(run, lanes="4", json=True)
    (line,) = capsys.readouterr().out.splitlines()
    figures = json.loads(line)
    folder = RunFolder.open(run)
    assert folder.read_json("results.json", "metrics")["metrics"] == {
        key: value for key, value in figures.items() if key != "run"}
    spec, stimulus = folder.spec(), folder.stimulus()
    golden = simulate(spec, stimulus.spikes, engine="golden")
    bench = figures["neurobench"]
    assert bench["classification_accuracy"] == golden.accuracy(stimulus.labels)
    # 60 → 8 → 2 with biases; thresholds, decays and the like are four buffers a neuron layer.
    assert bench["parameter_count"] == 60 * 8 + 8 + 8 * 2 + 2
    assert bench["footprint_bytes"] > 4 * bench["parameter_count"]
    assert bench["synaptic_operations"]["Dense"] == 3 * (60 * 8 + 8 * 2)
    assert bench["synaptic_operations"]["Effective_ACs"] <= figures["synops"]
    assert figures["synops"] == golden.synops / len(golden)
    assert figures["cycles"]["min"] > 0
    first = figures["layers"][0]
    assert first["stored_weight_bits"] == 60 * 8 * 4
    assert first["rate"] == golden.spikes[0].mean()
    assert figures["stored_bytes"] == -(-sum(
        layer["stored_weight_bits"] + layer["stored_state_bits"]
        for layer in figures["layers"]) // 8)


def test_metrics_are_tables_for_people(run, capsys):
    capsys.readouterr()
    metrics(run, samples=3)
    shown = capsys.readouterr().out
    for what in ("membrane updates a sample", "cycles, mean", "synops", "packed"):
        assert what in shown


def test_an_early_exit_has_no_cycle_model():
    spec = exiting(two_layers())
    assert spec.readout == Readout(kind=ReadoutKind.FIRST_SPIKE, early_exit=True)
    spikes = np.random.default_rng(0).random((5, spec.timesteps, spec.inputs)) < 0.3
    figures = measure(spec, Stimulus(spikes, np.full(5, -1)), Folding())
    assert figures["cycles"] is None
    assert figures["neurobench"]["classification_accuracy"] is None
    assert figures["neurobench"]["membrane_updates"] > 0
