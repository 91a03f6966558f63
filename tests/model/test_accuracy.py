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


def test_a_table_in_four_bits(tmp_path, capsys):
    result = _judge("breast_cancer", tmp_path / "run", capsys)
    assert result["samples"] == 114
    assert result["accuracy"] >= 0.93


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


def _event_file(folder: str) -> str:
    path = Path(os.environ.get("SPIKEWRIGHT_DATA", "")) / folder / "train.npz"
    if not path.is_file():
        pytest.skip(f"set SPIKEWRIGHT_DATA to a folder with {folder}/train.npz")
    return f"events:{path}"


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "folder", "samples", "least"), [
    ("nmnist", "nmnist", 200, 0.90),
    ("nmnist_conv_fast", "nmnist", 200, 0.95),
    ("dvs_objects", "dvs_objects", 565, 0.95),
])
def test_recordings_in_four_bits(tmp_path, capsys, recipe, folder, samples, least):
    result = _judge(recipe, tmp_path / "run", capsys, data=_event_file(folder))
    assert result["samples"] == samples
    assert result["accuracy"] >= least
