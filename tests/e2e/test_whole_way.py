"""The demo as users run it: everything from training to the bitstream, and what it promises."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikewright.gen import cli
from spikewright.gen.runfolder import RunFolder

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    run = tmp_path_factory.mktemp("demo") / "run"
    done = subprocess.run(
        [Path(sys.executable).with_name("spikewright"), "demo", "-o", run, "--samples", "3",
         "--json"],
        capture_output=True, text=True, timeout=600,
        env={**os.environ, "SPIKEWRIGHT_CACHE": str(run.parent / "cache"), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return run, json.loads(done.stdout), done.stderr


def test_promises(demo):
    _, result, _ = demo
    assert result["accuracy"] >= 0.95
    assert result["accuracy"] >= result["float_accuracy"] - 0.01
    assert (result["mismatches"], result["samples"]) == (0, 3)
    assert set(result["engines"]) == {"torch", "golden", "amaranth"}
    assert result["failed"] == []
    assert result["fmax_mhz"] >= result["clock_mhz"]
    assert all(row["used"] <= row["available"] for row in result["resources"].values())


def test_every_step_is_shown(demo):
    _, result, progress = demo
    for command in ("train", "compile", "build", "check", "simulate", "generate", "report"):
        assert f"$ spikewright {command} " in progress
        assert command == "report" or command in result["seconds_per_command"]


def test_what_lies_in_the_folder(demo):
    path, result, _ = demo
    run = RunFolder.open(path)
    for name in ("report.html", "results.json", "spec.json", "spec.npz", "stimulus.npz",
                 "verilog/digits.v", result["bitstream"]):
        assert run.file(name, "demo").stat().st_size > 0
    recorded = run.read_json("results.json", "demo")["demo"]
    assert recorded.items() <= result.items()
    page = (path / "report.html").read_text()
    assert re.findall(r"Nothing here yet. Run: <code>(.*?) \S+</code>", page) == [
        "spikewright energy run"]


def test_cycles_are_those_of_the_bitstream(demo):
    path, result, _ = demo
    results = RunFolder.open(path).read_json("results.json", "demo")
    assert list(results["simulate"]["amaranth"]["lanes"].values()) == result["lanes"]
    assert results["build"]["icebreaker"]["network"] == RunFolder.open(path).spec().digest


def test_torch_and_golden_agree_on_every_held_back_sample(demo):
    path, result, _ = demo
    checked = cli.run("check", run=path, engines="torch,golden")
    assert checked["samples"] == result["held_back_samples"]
    assert checked["mismatches"] == 0
    simulated = cli.run("simulate", run=path)
    assert simulated["accuracy"] == result["accuracy"]
