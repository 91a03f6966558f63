"""train → compile → robustness on event files of a few hundred events, as a user runs them."""

import json

import pytest

from spikewright.gen.errors import RecipeError, SpikewrightError
from spikewright.gen.runfolder import RunFolder
from spikewright.model.commands import compile, train
from spikewright.model.robustness.command import robustness


@pytest.fixture
def run(tmp_path, recipe_file):
    train(str(recipe_file), output=tmp_path / "run")
    compile(tmp_path / "run")
    return tmp_path / "run"


def _few(run, **options):
    robustness(run, **{"attack": "fgsm,pgd,search", "change": "flip,shift", "events": 0.1,
                       "surrogates": "atan", "slopes": "1,5", "samples": 8, "queries": 5,
                       **options})


def test_table_of_events(run, capsys):
    capsys.readouterr()
    _few(run, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert len(result["rows"]) == 2 * 3 * 2
    assert result["surrogates"] == ["own", "atan alpha=1", "atan alpha=5"]
    for row in result["rows"]:
        assert row["accuracy"] <= result["accuracy"][row["net"]]
        assert row["accuracy"] <= min(row["by_surrogate"].values())
        assert row["net"] == "float" or row["accuracy"] == row["integer_accuracy"]
    assert result["robust"]["float"] == min(
        row["accuracy"] for row in result["rows"] if row["net"] == "float")
    assert result["gradient_density"] == [1.0]
    assert result["cycles"] > 0
    assert result["training_samples_per_second"] > 0
    folder = RunFolder.open(run)
    kept = folder.read_json("robustness.json", "robustness")
    assert kept["rows"] == result["rows"]
    assert folder.read_json("results.json", "train")["robustness"]["rows"] == result["rows"]
    _few(run)
    assert "own surrogate" in capsys.readouterr().out


def test_table_of_graded_inputs(tmp_path, recipe_file, capsys):
    text = recipe_file.read_text().replace("time_window = 10000", 'kind = "current"\nbits = 3')
    recipe_file.write_text(text.replace("dropout = 0.1", "gradient_sparsity = 0.01"))
    train(str(recipe_file), output=tmp_path / "run")
    compile(tmp_path / "run")
    capsys.readouterr()
    _few(tmp_path / "run", as_json=True)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    # 8/255 is less than a level of three bits.
    assert result["epsilon"] == pytest.approx(1 / 7)
    assert {row["change"] for row in result["rows"]} == {"level"}
    with pytest.raises(SpikewrightError, match=r"at least 0\.1429"):
        _few(tmp_path / "run", epsilon=0.01)


@pytest.mark.parametrize(("options", "message"), [
    ({"attack": "fgsm,bim"}, "bim"), ({"change": "swap"}, "swap"), ({"slopes": "1;2"}, "slopes"),
    ({"epsilon": 0.1}, "--events"), ({"surrogates": "step"}, "step"),
])
def test_wrong_options(run, options, message):
    with pytest.raises(RecipeError, match=message):
        _few(run, **options)
