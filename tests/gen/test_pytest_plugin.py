"""The plugin as a user meets it: in another project's tests, found through its entry point."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

NET = """
import numpy as np
import pytest
from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron

rng = np.random.default_rng(1)

@pytest.fixture
def spec():
    return NetworkSpec(
        input_shape=(2, 3, 3), timesteps=4, name="tiny",
        layers=(Layer(name="only",
                      synapse=Linear(weight=rng.integers(-4, 8, (5, 18)), weight_bits=4),
                      neuron=Neuron(decay=3, decay_fraction=2, threshold=9)),))

spikes = rng.random((3, 4, 18)) < 0.5
"""


def test_five_lines_in_a_users_test(pytester):
    pytester.makepyfile(NET + """
def test_my_net(accelerator, spec):
    chip = accelerator(spec, folding=Folding.lanes(5, spec=spec))
    trace = chip.assert_equal(spikes)
    assert trace.engine == "amaranth"
    assert chip.cycles.shape == (3,) and chip.cycles.max() <= 100
    assert chip.counters["only"]["events_in"] == spikes.sum()
    assert chip.counters["only"]["queue_peak"] == trace.counters["queue_peak"].max()

def test_shapes(accelerator, spec):
    chip = accelerator(spec)
    one = chip.run(spikes[0])
    assert len(one) == 1
    assert (chip.run(spikes[:1].reshape(1, 4, 2, 3, 3)).scores == one.scores).all()
    assert (chip.run(spikes[0].reshape(4, 2, 3, 3)).scores == one.scores).all()

def test_too_early(accelerator, spec):
    with pytest.raises(RuntimeError, match="has not run yet"):
        accelerator(spec).cycles
""")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    assert not (pytester.path / "waves").exists()


def test_a_failing_test_leaves_a_waveform(pytester):
    pytester.makepyfile(test_mine=NET + """
@pytest.mark.parametrize("limit", [1, 10_000])
def test_latency(accelerator, spec, limit):
    chip = accelerator(spec)
    chip.run(spikes)
    assert chip.cycles.max() <= limit

def test_without_a_run(accelerator, spec):
    accelerator(spec)
    assert False
""")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2)
    waves = pytester.path / "waves"
    (wave,) = waves.glob("*.vcd")
    assert {path.suffix for path in waves.iterdir()} == {".vcd", ".gtkw", ".sucl"}
    assert wave.name == "test_mine.py-test_latency-1.vcd"
    result.stdout.fnmatch_lines(["*spikewright waveform*", f"*{wave.name}"])
    text = wave.read_text()
    assert "$enddefinitions" in text
    assert "in_valid" in text or "valid" in text
    changes = [line for line in text.partition("$enddefinitions")[2].splitlines()
               if line.startswith("#")]
    assert len(changes) > 8  # the clock ran


def test_assert_equal_says_where(pytester):
    pytester.makepyfile(NET + """
from spikewright.gen.engines import amaranth

def test_equal(accelerator, spec, monkeypatch):
    genuine = amaranth.run
    def faulty(spec, spikes, options):
        trace = genuine(spec, spikes, options)
        if len(trace) > 1:
            trace.spikes[0][2, 1, 3] ^= True
        return trace
    monkeypatch.setattr(amaranth, "run", faulty)
    accelerator(spec).assert_equal(spikes)
""")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "*AssertionError: spike at sample 2, layer only, timestep 1, neuron 3: golden has *",
        "*spikewright waveform*", "*.vcd",
    ])


def test_other_modules_need_the_torch_side(pytester):
    pytester.makepyfile("""
import pytest, sys
from spikewright.gen import SpikewrightError

def test_module(accelerator, monkeypatch):
    monkeypatch.setitem(sys.modules, "spikewright.model", None)
    with pytest.raises(SpikewrightError, match="spikewright.train"):
        accelerator(object(), input_shape=(4,), timesteps=3)
""")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_plugin_costs_nothing_to_those_who_do_not_use_it():
    code = ("import sys, spikewright.gen.pytest_plugin; "
            "sys.exit(any(m in sys.modules for m in ('torch', 'amaranth', 'snntorch')))")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("nodeid", "name"), [
    ("tests/a.py::test_x[1-2]", "tests-a.py-test_x-1-2.vcd"),
    ("a.py::Case::test_y", "a.py-Case-test_y.vcd"),
])
def test_waveform_names(nodeid, name):
    from spikewright.gen.pytest_plugin import _file_name

    assert f"{_file_name(nodeid)}.vcd" == name
