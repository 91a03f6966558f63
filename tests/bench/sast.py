"""Sharpness-aware surrogate training on N-MNIST beside the same training without it: recipe
``sast_nmnist``, three seeds each, and the transfer gap of all."""

import tempfile
from pathlib import Path

import numpy as np

from spikewright.gen.runfolder import RunFolder
from spikewright.model import runs, transfer
from spikewright.model.recipe import Recipe

from .recordings import nmnist_source

SEEDS = (0, 1, 2)

#: arXiv 2604.09696, on all of N-MNIST and a net that it does not describe.
PAPER = {
    "plain": "hard 65.7 (30.3 points lost), INT8 47.6, INT4 43.2",
    "sharpness-aware": "hard 94.7 (2.5 points lost), INT8 96.9, INT4 81.0",
}


def measure() -> list[dict]:
    """Accuracy of each row, mean ± half the range of the seeds, in percent."""
    recipe = Recipe.load("sast_nmnist").from_source(nmnist_source())
    rows = []
    for name, rho in (("plain", 0.0), ("sharpness-aware", recipe.training.sharpness)):
        found = [run(recipe.override("training", sharpness=rho, seed=seed)) for seed in SEEDS]
        rows.append(summary(name, found))
    return rows


def summary(name: str, found: list[dict]) -> dict:
    """Of what :func:`run` found for each seed."""
    by_row = {row["row"]: [one for each in found for one in each["rows"]
                           if one["row"] == row["row"]] for row in found[0]["rows"]}
    return {
        "what": f"N-MNIST, {name} (ρ = {found[0]['sharpness']:g}), {found[0]['samples']} held "
                f"back, seeds {', '.join(str(each['seed']) for each in found)}: accuracy in %",
        **{row: _spread([100 * one["accuracy"] for one in each]) for row, each in by_row.items()},
        "smooth − hard, points": _spread([100 * one["gap"] for one in by_row["hard"]]),
        "SynOps a sample, INT8": _spread([one["synops"] for one in by_row["INT8"]]),
        "cycles a sample, INT8": _spread([one["cycles"] for one in by_row["hardware INT8"]]),
        "paper": PAPER[name],
    }


def run(recipe: Recipe) -> dict:
    """Training and transfer gap of one seed."""
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder.create(Path(place) / "run")
        runs.train(folder, recipe, None, resume=False, overwrite=False)
        # One simulation of the hardware proves the model of the others.
        first = recipe.training.seed == SEEDS[0]
        return transfer.measure(folder, recipe, None, simulated=int(first))


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.1f} ± {np.ptp(values) / 2:.1f}"
