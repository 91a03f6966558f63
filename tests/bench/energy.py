"""When spiking pays, measured: the model's speed and its published numbers, and the twins of nets
that were trained on real data."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.gen import Folding
from spikewright.gen.console import say
from spikewright.gen.runfolder import RunFolder
from spikewright.gen.spec import NetworkSpec
from spikewright.gen.stimulus import Stimulus
from spikewright.model import runs
from spikewright.model.energy.costs import (
    activation_bits,
    qnn_energy,
    qnn_work,
    snn_energy,
    snn_work,
)
from spikewright.model.energy.counted import count
from spikewright.model.energy.exactness import measure as exactness
from spikewright.model.energy.hardware import Hardware
from spikewright.model.energy.published import table
from spikewright.model.energy.verdict import judge
from spikewright.model.recipe import Recipe

from . import converted

#: Nets trained once stay here, and serve as long as their recipes are these.
RUNS = Path("runs/energy")
#: Training by a recipe takes minutes, as a QNN seconds.
RECIPE_SEEDS, QNN_SEEDS = (0,), range(3)
CONFIGURATIONS = 1_000_000

_SUMS = {"kind": "membrane", "beta": 0.0}

#: Name → bundled recipe, and what differs: both of a kind with a readout whose sums a QNN has too.
RECIPES: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "mnist_rate": ("mnist", {
        "encoding": {"kind": "rate", "spacing": "even", "timesteps": 4}, "readout": _SUMS,
        "training": {"epochs": 30}, "quantisation": {"decay_fraction": 3, "epochs": 8}}),
    "conv": ("nmnist_conv_fast", {
        "data": {"source": "events:nmnist/train.npz"}, "net": {"beta": 1.0}, "readout": _SUMS}),
}
RECIPES |= {
    "mnist_rate_leaky": ("mnist", {**RECIPES["mnist_rate"][1], "net": {"beta": 0.75}}),
    "conv_leaky": ("nmnist_conv_fast", {**RECIPES["conv"][1], "net": {"beta": 0.75}}),
}


def measure() -> list[dict]:
    """Rows of the model, then one for each net: seed by seed."""
    rows = [_speed(), _published()]
    for name in RECIPES:
        rows += [_row(f"{name}, seed {seed}", *_trained(name, seed)) for seed in RECIPE_SEEDS]
    for name, make in converted.NETS.items():
        rows += [_row(f"{name}, trained as a QNN, seed {seed}", *make(seed)) for seed in QNN_SEEDS]
    return rows


def recipe(name: str, seed: int) -> Recipe:
    """The recipe of net ``name``."""
    base, changes = RECIPES[name]
    fields = Recipe.load(base).model_dump(mode="json")
    for part, values in changes.items():
        fields[part].update(values)
    fields["training"]["seed"] = seed
    return Recipe.check({**fields, "name": name}, name)


def _trained(name: str, seed: int) -> tuple[NetworkSpec, Stimulus]:
    chosen = recipe(name, seed)
    run = RunFolder.create(RUNS / f"{name}-{seed}")
    fields = chosen.model_dump(mode="json")
    if "spec.json" not in run or run.read_json("recipe.json", "train") != fields:
        runs.train(run, chosen, None, resume=False, overwrite=bool(run.names()))
        runs.compile(run, chosen, None)
    return run.spec(), run.stimulus()


def _speed() -> dict:
    rng = np.random.default_rng(0)
    t, n = rng.integers(1, 33, CONFIGURATIONS), rng.integers(1, 10_000, CONFIGURATIONS)
    s, d, h = rng.random((3, CONFIGURATIONS))
    hardware = Hardware.load("typical")
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        snn = snn_energy(snn_work(t, s, n, hops=h), hardware).total_pj
        qnn = qnn_energy(qnn_work(d, n, activation_bits(t), hops=h), hardware).total_pj
        wins = float((snn < qnn).mean())
        took.append(time.perf_counter() - begun)
    return {"what": f"{CONFIGURATIONS:,} pairs of twins", "seconds, best of 5": round(min(took), 3),
            "promised": "less than 1", "share in which the SNN costs less": round(wins, 4)}


def _published() -> dict:
    entries = [entry for entry in table() if entry.within is not None]
    apart = [abs(float(entry.figures()["difference"])) for entry in entries if entry.unit == "pJ"]
    return {"what": "published numbers", "compared": len(entries),
            "within their tolerance": sum(bool(entry.within) for entry in entries),
            "largest difference of an energy, pJ": round(max(apart), 4)}


def _row(what: str, spec: NetworkSpec, stimulus: Stimulus) -> dict:
    say(f"comparing the twins of {what}")
    counts, found = count(spec, stimulus, Folding()), exactness(spec, stimulus)
    assert found.violations == 0
    row = {
        "what": what, "samples": counts.samples, "T, bits": f"{counts.timesteps}, "
        f"{counts.twin.bits}", "accuracy, SNN": _percent(found.snn_accuracy),
        "accuracy, QNN": _percent(found.qnn_accuracy),
        "same prediction": _percent(found.agreement),
        "accuracy, SNN made of the QNN": _percent(found.back_accuracy),
        "Lemma 2 speaks for": ", ".join(f"{layer.lawful:.1%}" for layer in found.layers),
        "equal to the twin, same input": ", ".join(f"{layer.equal:.1%}" for layer in found.layers),
    }
    for how, unicast in (("as built", False), ("a hop for each neuron", True)):
        verdict = judge(counts, Hardware.load("typical"), unicast=unicast)
        flip = verdict.flip_factor
        row[f"SNN ÷ QNN, {how}"] = (
            f"{verdict.snn_pj / verdict.qnn_pj:.2f} ("
            + ", ".join(f"{layer.counts.layer.name} {layer.ratio:.2f}" for layer in verdict.layers)
            + f"); even at {'no rate' if flip is None else f'{flip:.2f} of the spikes'}")
    return row


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"
