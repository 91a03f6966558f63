"""The rows between smooth spikes and hardware, on a net of a few neurons."""

import json

import pytest

from spikewright.gen.runfolder import RunFolder
from spikewright.model.commands import train, transfer


def _measured(recipe_file, tmp_path, capsys, *changes):
    text = recipe_file.read_text()
    for plain, changed in changes:
        assert plain in text
        text = text.replace(plain, changed)
    recipe_file.write_text(text)
    train(str(recipe_file), output=tmp_path / "run")
    capsys.readouterr()
    transfer(tmp_path / "run", simulate=2, as_json=True)
    result = json.loads(capsys.readouterr().out)
    recorded = RunFolder.open(tmp_path / "run").read_json("transfer.json", "transfer")
    assert recorded["rows"] == result["rows"]
    return result, {row["row"]: row for row in result["rows"]}


@pytest.mark.parametrize("merge", [1, 3])
def test_rows_of_a_sharpness_aware_run(recipe_file, tmp_path, capsys, merge):
    result, rows = _measured(
        recipe_file, tmp_path, capsys,
        ("epochs = 4", f"epochs = 15\nsharpness = 0.1\nmerge = {merge}"),
        ("[training]", '[surrogate]\nname = "atan"\nforward = "smooth"\n[training]'),
    )
    assert list(rows) == ["smooth", "hard", "INT8", "INT4", "hardware INT8", "hardware INT4"]
    assert (result["simulated"], result["samples"], result["sharpness"]) == (2, 10, 0.1)
    assert rows["smooth"]["synops"] is None
    if merge == 1:
        log = RunFolder.open(tmp_path / "run").read_json("training.json", "train")
        assert log["history"][-1]["held_back_accuracy"] == rows["smooth"]["accuracy"]
    for bits in (8, 4):
        integers, hardware = rows[f"INT{bits}"], rows[f"hardware INT{bits}"]
        assert hardware["cycles"] > 0
        assert (integers["accuracy"], integers["synops"]) == (
            hardware["accuracy"], hardware["synops"])
        assert integers["gap"] == rows["smooth"]["accuracy"] - integers["accuracy"]
    # A hidden spike reaches 2 outputs, a pixel's 8 hidden neurons.
    assert rows["hard"]["synops"] > 0


def test_surrogates_without_a_smooth_form(recipe_file, tmp_path, capsys):
    _, rows = _measured(recipe_file, tmp_path, capsys,
                        ("[training]", '[surrogate]\nname = "LSO"\n[training]'))
    assert next(iter(rows)) == "hard"
    assert rows["hard"]["gap"] == 0


def test_people_see_a_table(recipe_file, tmp_path, capsys):
    train(str(recipe_file), output=tmp_path / "run")
    transfer(tmp_path / "run")
    out = " ".join(capsys.readouterr().out.split())
    assert "hardware INT4" in out
    assert "10 held-back samples" in out
