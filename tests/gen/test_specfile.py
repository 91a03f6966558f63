import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from spikewright.gen import Readout, ReadoutKind, SpikewrightError, specfile

from .examples import two_layers
from .strategies import FEATURES, networks


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(features=FEATURES))
def test_round_trip(tmp_path, spec):
    path = tmp_path / "net.json"
    specfile.save(spec, path)
    loaded = specfile.load(path)
    assert loaded == spec
    assert loaded.bounds == spec.bounds


def test_early_exit_is_kept(tmp_path):
    readout = Readout(kind=ReadoutKind.FIRST_SPIKE, early_exit=True)
    spec = replace(two_layers(), readout=readout)
    specfile.save(spec, tmp_path / "net.json")
    assert specfile.load(tmp_path / "net.json").readout == readout


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.json"
    specfile.save(two_layers(), path)
    return path


def edit(path, change):
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d.update(version=1), "has version 1; this spikewright reads 2; compile again"),
    (lambda d: d.update(format="other"), "is not a spikewright-network file"),
    (lambda d: d.update(timesteps=9), "was changed after it was written"),
    (lambda d: d.pop("timesteps"), "lacks or mistypes a field"),
    (lambda d: d["layers"][0]["neuron"].update(threshold=0), "every threshold must be at least 1"),
    (lambda d: d["layers"][0]["neuron"].update(reset="sideways"), "lacks or mistypes"),
    (lambda d: d["layers"][0]["neuron"].update(extra=1), "lacks or mistypes"),
    (lambda d: d["layers"][0]["synapse"].update(type="Conv9d"), r"KeyError\('Conv9d'\)"),
    (lambda d: d["layers"][0]["synapse"].update(weight={"array": "nowhere"}), "lacks or mistypes"),
    (lambda d: d["layers"][0]["synapse"].update(weight="nowhere"), "an integer is needed"),
    (lambda d: d["layers"][0].update(pool=3), "pool is a int; allowed are SumPool2d"),
    (lambda d: d["layers"][0].pop("type"), "lacks or mistypes"),
    (lambda d: d.update(type="Layer"), "lacks or mistypes"),
    (lambda d: d.update(input={"type": "Input", "kind": "smell"}), "'smell' is not a valid"),
    (lambda d: d.update(layers=7), "lacks or mistypes"),
])
def test_an_edited_description_is_refused(saved, change, message):
    edit(saved, change)
    with pytest.raises(SpikewrightError, match=message):
        specfile.load(saved)


def test_edited_weights_are_refused(saved):
    arrays = dict(np.load(saved.with_suffix(".npz")))
    arrays["fc1.synapse.weight"][0, 0] ^= 1
    np.savez(saved.with_suffix(".npz"), **arrays)
    with pytest.raises(SpikewrightError, match="was changed after it was written"):
        specfile.load(saved)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("keep", [0, 1, 100])
def test_truncated_files_are_refused(saved, suffix, keep):
    path = saved.with_suffix(suffix)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SpikewrightError, match="damaged"):
        specfile.load(saved)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_missing_files_are_named(saved, suffix):
    saved.with_suffix(suffix).unlink()
    with pytest.raises(SpikewrightError, match=rf"net{suffix} cannot be read"):
        specfile.load(saved)


def test_pickles_are_never_read(saved):
    np.savez(saved.with_suffix(".npz"), **{"fc1.synapse.weight": np.array([{"a": 1}], object)})
    with pytest.raises(SpikewrightError, match="damaged"):
        specfile.load(saved)
