"""The promised accuracies, from recordings to integers, through the commands."""

import json
import os
from pathlib import Path

import pytest

from spikewright.model.commands import compile, train


def _judge(recipe, output, capsys, data_root=None, **options):
    train(recipe, output=output, data_root=data_root, **options)
    capsys.readouterr()
    compile(output, data_root=data_root, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_digits_in_four_bits(tmp_path, capsys):
    result = _judge("digits", tmp_path / "run", capsys)
    assert result["options"]["bits"] == 4
    assert result["samples"] == 360
    assert result["accuracy"] >= 0.95
    assert result["float_accuracy"] - result["accuracy"] <= 0.01
    assert result["warnings"] == []
    # What an iCE40 UP5K holds beside the rest of the design.
    assert 4 * result["weights"] <= 65536


@pytest.mark.slow
def test_mnist_in_four_bits(tmp_path, capsys):
    folder = Path(os.environ.get("SPIKEWRIGHT_DATA", "")) / "mnist"
    if not folder.is_dir():
        pytest.skip("set SPIKEWRIGHT_DATA to a folder with mnist/train-images-idx3-ubyte.gz")
    result = _judge("mnist", tmp_path / "run", capsys, data_root=folder.parent)
    assert result["samples"] == 10_000
    assert result["accuracy"] >= 0.975
    assert result["input_spikes_per_sample"] < 110
    assert result["layers"][0]["spikes"] < 30


@pytest.mark.slow
def test_nmnist_in_four_bits(tmp_path, capsys):
    path = Path(os.environ.get("SPIKEWRIGHT_DATA", "")) / "nmnist" / "train.npz"
    if not path.is_file():
        pytest.skip("set SPIKEWRIGHT_DATA to a folder with nmnist/train.npz")
    result = _judge("nmnist", tmp_path / "run", capsys, data=f"events:{path}")
    assert result["samples"] == 200
    assert result["accuracy"] >= 0.90
