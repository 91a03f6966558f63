"""A trained net on real samples, through netlists of both families."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("netlist_slow")]

SAMPLES = 100


def spikewright(*arguments, check: bool = True) -> dict:
    done = subprocess.run(
        [Path(sys.executable).with_name("spikewright"), *map(str, arguments), "--json"],
        capture_output=True, text=True, timeout=7200, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0 or not check, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Handwritten digits, trained, and built for an iCE40."""
    path = tmp_path_factory.mktemp("netlist") / "run"
    spikewright("demo", "-o", path, "--samples", 3)
    return path


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s-12f"])
def test_placed_netlist_equals_golden(run, board, capsys):
    if board != "icebreaker":
        spikewright("build", run, "--board", board, "--lanes", "8,1", check=False)
    result = spikewright("check", run, "--engines", "netlist", "--board", board,
                         "--samples", SAMPLES)
    assert (result["samples"], result["mismatches"]) == (SAMPLES, 0)
    assert result["spilled_per_engine"] == {}
    assert result["compared_per_engine"]["netlist"] == ["scores", "counters", "cycles"]
    with capsys.disabled():
        print(f"\n{board}: {SAMPLES} samples through the placed netlist, "
              f"{result['mismatches']} mismatches, {result['seconds_per_engine']['netlist']:.0f} s")


def test_synthesised_netlist_equals_golden(run, capsys):
    result = spikewright("check", run, "--engines", "synthesis", "--board", "icebreaker",
                         "--samples", 10)
    assert (result["samples"], result["mismatches"]) == (10, 0)
    with capsys.disabled():
        print(f"\nicebreaker: 10 samples through the synthesised netlist, "
              f"{result['mismatches']} mismatches")
