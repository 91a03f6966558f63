"""The command ``faults``, as its user meets it."""

import json

import numpy as np
import pytest

from spikewright.gen import Folding, Stimulus, cli
from spikewright.gen.errors import DataError
from spikewright.gen.faults import Kind
from spikewright.gen.faults.sweep import Sweep


@pytest.fixture
def faults(capsys):
    def run(*arguments: object) -> tuple[int, dict, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(["faults", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return int(exit.value.code or 0), json.loads(out) if out else {}, err

    return run


def test_accuracy_falls_with_flips(faults, make_run, tmp_path):
    run = make_run()
    picture = tmp_path / "picture.svg"
    code, result, _ = faults(run.path, "--flips", "0,5,200", "--seeds", 4, "--lanes", "4",
                             "--picture", picture)
    assert code == 0
    none, few, many = result["rows"]
    assert none["accuracy"] == [5 / 6] * 4
    assert none["agreement"] == [1.0] * 4
    assert none["spread"] == 0
    assert np.mean(many["agreement"]) < 1
    assert result["bits"] == 4 * (12 * 8 + 8 * 4)
    assert few["flips"] == [5] * 4
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    # Another choice of memories stands beside the first, and hardware says the same.
    given = (run.path, "--memory", "all", "--rate", "0,0.01", "--seeds", 1, "--samples", 2)
    _, by_model, _ = faults(*given)
    _, by_hardware, _ = faults(*given, "--engine", "amaranth")
    assert by_model["rows"] == by_hardware["rows"]
    assert set(type(run).open(run.path).read_json("results.json", "faults")["faults"]) == {
        "weights", "all"}


def test_a_code_keeps_accuracy(faults, make_run):
    """One flip in each of twelve words costs nothing with ECC."""
    _, result, _ = faults(make_run().path, "--flips", "3", "--seeds", 3, "--protect", "ecc,none")
    assert result["protect"] == {"hidden": "ecc", "output": "none"}
    assert result["bits"] == 12 * (32 + 7) + 8 * 4 * 4


@pytest.mark.parametrize(("arguments", "said"), [
    (("--memory", "queues"), "--memory has 'queues'; allowed are weights, parameters, membranes"),
    (("--flips", "1,x"), "is no list of numbers of at least 0; give for example 0,1,10,100"),
    (("--flips", "1", "--rate", "1e-3"), "both --flips and --rate are given"),
    (("--rate", "2"), "rate 2.0 is more than 1"),
    (("--engine", "torch"), "engine torch has no memories whose bits could flip"),
    (("--flips", "100000"), "the design has 512 such bits"),
    (("--protect", "tmr"), "protect is 'tmr'; allowed are none, parity, ecc"),
    (("--protect", "ecc,ecc,ecc"), "3 codes of weights for 2 layers"),
    (("--picture", "x.bmp"), "ends in '.bmp'; use .png or .svg"),
    (("--engine", "verilator", "--memory", "membranes", "--flips", "1"), "cannot reach into"),
])
def test_wrong_arguments_are_explained(faults, make_run, arguments, said):
    code, result, err = faults(make_run().path, *arguments)
    assert code == 2
    assert not result
    assert said in " ".join(err.split())


def test_samples_without_labels_are_refused(small_net, small_stimulus):
    unlabelled = Stimulus(small_stimulus.spikes, np.full(6, -1))
    with pytest.raises(DataError, match="no sample has a label"):
        Sweep(small_net, Folding(), unlabelled, [Kind.WEIGHTS])
