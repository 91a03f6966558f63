"""Trained nets on real samples through virtual boards."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from spikewright.boards import connect
from spikewright.boards.answers import trace
from spikewright.boards.fit import Candidate
from spikewright.boards.loads import board_image
from spikewright.boards.registry import find_board
from spikewright.boards.virtual import VirtualBoard
from spikewright.gen import Folding, simulate
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.plan import layer_plans
from spikewright.gen.trace import mismatched_samples

from ..bench import recordings
from .test_virtual import CLIENT

pytestmark = pytest.mark.slow
with_data = pytest.mark.skipif("SPIKEWRIGHT_DATA" not in os.environ,
                               reason="set SPIKEWRIGHT_DATA to a folder with mnist and nmnist")

SAMPLES = 100

LARGE = (LayerFolding(ways=4, units=16), LayerFolding(ways=4, units=5))
SPRAM = (LayerFolding(lanes=16, units=2, storage=Storage.SPRAM), LayerFolding(lanes=2, units=1))

#: (board, net) → hardware that is said to fit, and cycles per bit: the board's, or, where a sample
#: is thousands of bytes, few.
CASES = {
    ("icebreaker", "mnist"): (SPRAM, None),
    ("icebreaker", "nmnist_small"): (SPRAM, None),
    ("ulx3s-85f", "mnist"): (LARGE, None),
    ("ulx3s-85f", "nmnist_small"): (LARGE, 4),
}


def samples_of(net: str):
    if net == "mnist":
        return recordings.mnist()[:SAMPLES]
    return recordings.nmnist_windows(SAMPLES)


@with_data
@pytest.mark.parametrize(("board", "net"), CASES)
def test_trained_nets_equal_golden(board, net, capsys, tmp_path):
    """Scores, predictions and all counters of every sample; for ten of them, as a client sees them
    that knows nothing but the page."""
    spec, stimulus = recordings.spec(net), samples_of(net)
    layers, divisor = CASES[board, net]
    folding = Folding.each(*layers, spec=spec)
    assert Candidate(spec, find_board(board), folding).fits
    plans = layer_plans(spec, folding)
    image = board_image(spec, folding, spec)
    begun = time.monotonic()
    with VirtualBoard(spec, find_board(board), folding, divisor=divisor) as virtual:
        with connect(virtual.device, timeout=60) as line:
            if image:
                line.load(image)
            said = trace("virtual", plans, list(line.observe(spec, stimulus.spikes)))
        ten = [[[[int(i), int(step[i])] for i in np.flatnonzero(step)] for step in sample]
               for sample in stimulus.spikes[:10]]
        (tmp_path / "samples.json").write_text(json.dumps(ten))
        (tmp_path / "weights").write_bytes(image)
        client = subprocess.run(
            [sys.executable, "-I", CLIENT, virtual.device, tmp_path / "samples.json",
             *([tmp_path / "weights"] if image else [])],
            capture_output=True, text=True, timeout=600)
        served = virtual.close()
    assert not client.stderr
    told = [json.loads(each) for each in client.stdout.splitlines()]
    reference = simulate(spec, stimulus.spikes, engine="cycles", folding=folding)
    wrong = int(mismatched_samples(reference, said).sum())
    with capsys.disabled():
        print(f"\n{net} on virtual {board}: {len(said)} samples, {wrong} mismatches, "
              f"{int(said.spilled.sum())} longer than the buffer, accuracy "
              f"{said.accuracy(stimulus.labels):.2f}; client of the page: {len(told)} samples; "
              f"{served.cycles:,} cycles, {served.received:,} bytes to the board, "
              f"{time.monotonic() - begun:.0f} s")
    assert len(said) == SAMPLES
    assert wrong == 0
    assert set(said.counters) == set(reference.counters)
    assert [each["scores"] for each in told] == reference.scores[:10].tolist()
    assert [each["winner"] for each in told] == reference.prediction[:10].tolist()
