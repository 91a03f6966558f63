"""One trial of each kind of the study `surrogates`, the whole way; one epoch where it has more."""

import os

import pytest

from spikewright.model.study.job import Job, work
from spikewright.model.study.settings import Study
from spikewright.model.study.space import settings
from spikewright.model.study.store import Store

STUDY = Study.load("surrogates")
SPACE = {name: axis for name, axis in STUDY.space.items() if isinstance(axis, tuple)}

#: The data sets by number, each with another surrogate, neuron, decay and threshold.
KINDS = {"digits": (0, 12, 4), "nmnist": (1, 0, 0), "dvs_objects": (2, 4, 5)}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_trial_of_each_kind_goes_the_whole_way(name, tmp_path):
    if name != "digits" and "SPIKEWRIGHT_DATA" not in os.environ:
        pytest.skip("set SPIKEWRIGHT_DATA to a folder with nmnist and dvs_objects")
    data, surrogate, condition = KINDS[name]
    trials = [STUDY.trial(settings({
        "data": SPACE["data"][data], "surrogate": SPACE["surrogate"][surrogate],
        "condition": SPACE["condition"][condition], "seed": 0,
        "board": board, "lanes": lanes}) | {"epochs": 1, "quantisation.epochs": 1})
        for board in SPACE["board"] for lanes in SPACE["lanes"]]
    with Store(tmp_path / "study.db") as store:
        store.add(*trials)
        work(Job(str(tmp_path), tuple(trials)))
        rows = store.rows(0)
    assert [row.error for row in rows] == [None] * 4
    assert len({row.run for row in rows}) == 1
    found = [row.figures for row in rows]
    for row, trial in zip(found, trials, strict=True):
        recipe, hardware = trial.recipe, row["hardware"]
        assert hardware["samples"] == STUDY.samples
        assert len(row["training"]["spikes"]) == len(hardware["spikes_per_layer"])
        assert row["latency_us"] * row["resources"]["clock_mhz"] == pytest.approx(row["cycles"])
        assert min(row[figure] for figure in (
            "accuracy", "synops", "logic", "blocks", "weight_bits", "energy_pj")) > 0
        print(f"\n{recipe.name}, {recipe.net.neuron}, {recipe.surrogate.name}, "
              f"{trial.hardware['board']}, lanes {trial.hardware['lanes']}: "
              f"{row['accuracy']:.1%}, {row['cycles']:,.0f} cycles, {row['latency_us']:,.0f} µs, "
              f"{row['synops']:,.0f} synops, {row['logic']:,} logic, {row['blocks']} blocks, "
              f"{row['energy_pj'] / 1000:,.1f} nJ, "
              f"fits: {row['resources']['fits']}", end="")
    assert all(row["resources"]["fits"] for row in found)
    # One net, whose cycles the folding decides.
    assert len({row["spec"] for row in found}) == 1
    assert found[0]["cycles"] != found[1]["cycles"]
    assert found[2]["cycles"] != found[3]["cycles"]
