"""What sparse-gradient training does to robustness, throughput and hardware: plain surrogate
gradients, gradients inside a band only, and the gradient-sparsity penalty, side by side, on events
and on a table of features. Mean and standard deviation over seeds; docs/robustness.md reads it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from spikewright.gen.folding_options import folding_of
from spikewright.gen.runfolder import RunFolder
from spikewright.model import runs
from spikewright.model.recipe import Recipe
from spikewright.model.robustness import table
from spikewright.model.surrogates import sweep

SEEDS = (0, 1, 2)

#: Data sets by their recipe; nets wide enough that there is work to skip, rounded after training.
SETS: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {"net": {"hidden": [128]}, "training": {"epochs": 20},
               "quantisation": {"method": "ptq"}},
    "breast_cancer": {"net": {"hidden": [256]}, "quantisation": {"method": "ptq"}},
}

#: Gradients of events are larger than those of features, and fewer membranes are near a threshold;
#: with the table's band and penalties the net of events does not learn.
METHODS: dict[str, dict[str, dict[str, float]]] = {
    "digits": {
        "plain": {},
        "band 0.5": {"gradient_band": 0.5},
        "penalty 0.001": {"gradient_sparsity": 0.001},
    },
    "breast_cancer": {
        "plain": {},
        "band 0.1": {"gradient_band": 0.1},
        "penalty 0.01": {"gradient_sparsity": 0.01},
        "penalty 0.1": {"gradient_sparsity": 0.1},
    },
}

#: Largest change of a feature: two of 16 levels. Share of a recording's events.
EPSILON, EVENTS = 2 / 15, 0.02

SAMPLES, QUERIES = 100, 150


def measure() -> list[dict]:
    return [row for name in SETS for row in compared(name)]


def compared(name: str, seeds: tuple[int, ...] = SEEDS) -> Iterator[dict]:
    """A row for each method on data set ``name``."""
    for method, settings in METHODS[name].items():
        results = [_run(name, settings, seed) for seed in seeds]
        figures = {key: [result[key] for result in results] for key in results[0]}
        yield {"what": f"{name}, {method}: mean ± standard deviation over seeds "
                       f"{', '.join(map(str, seeds))}",
               **{key: _spread(values) for key, values in figures.items()}}


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4g} ± {stdev(values) if len(values) > 1 else 0:.2g}"


def _run(name: str, settings: dict[str, float], seed: int) -> dict[str, float]:
    recipe = Recipe.load(name)
    for part, fields in SETS[name].items():
        recipe = recipe.override(part, **fields)
    recipe = recipe.override("training", seed=seed, device="cpu", **settings)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run")
        runs.train(run, recipe, None, resume=False, overwrite=False)
        runs.compile(run, recipe, None)
        graded = recipe.encoding.bits > 1
        result = table.measure(
            run, recipe, None, attacks=table.ATTACKS, changes=("flip",),
            surrogates=sweep(["fast_sigmoid"], [1, 25]), samples=SAMPLES,
            epsilon=EPSILON if graded else None, events=EVENTS, queries=QUERIES,
            folding=folding_of(None, run.spec()),
        )
    return {
        **{f"clean_{net}_%": 100 * accuracy for net, accuracy in result["accuracy"].items()},
        **{f"{row['attack']}_{row['net']}_%": 100 * row["accuracy"] for row in result["rows"]},
        **{f"{row['attack']}_{row['net']}_weakest_surrogate_%":
           100 * max(row["by_surrogate"].values()) for row in result["rows"]
           if row["attack"] == "pgd"},
        **{f"worst_{net}_%": 100 * accuracy for net, accuracy in result["robust"].items()},
        "gradient_density_%": 100 * result["gradient_density"][0],
        "input_gradient_norm": result["input_gradient_norm"],
        "training_samples_per_second": result["training_samples_per_second"],
        "hidden_spikes": next(iter(result["spikes"].values())),
        "synaptic_operations": result["synops"],
        "cycles": result["cycles"],
    }
