"""The command ``robustness``. Nothing heavy is imported before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...gen.console import Json, finish, table
from ...gen.errors import RecipeError
from ...gen.folding_options import Lanes, Ways, folding_of
from ...gen.runfolder import RunFolder


def robustness(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, compiled.",
                                        show_default=False)],
    attack: Annotated[str, typer.Option(
        help="Which of fgsm, pgd, apgd (along gradients) and search (the control without)."
    )] = "fgsm,pgd,apgd,search",
    change: Annotated[str, typer.Option(
        help="What to do to events: flip (add or remove), add, remove, shift (in time)."
    )] = "flip,shift",
    epsilon: Annotated[float | None, typer.Option(
        help="Of graded inputs: largest change, as a share of their range. [default: 8/255, or "
             "one level if that is more]", show_default=False)] = None,
    events: Annotated[float, typer.Option(
        help="Of binary inputs: how many may change, as a share of a sample's events.")] = 0.05,
    surrogates: Annotated[str, typer.Option(
        help="Surrogates to attack through, beside the net's own.")] = "fast_sigmoid,atan",
    slopes: Annotated[str, typer.Option(help="At each of these slopes.")] = "1,5,25",
    samples: Annotated[int, typer.Option(
        min=1, help="How many held-back samples, from the first.")] = 200,
    queries: Annotated[int, typer.Option(min=1, help="Inputs that the search may try.")] = 300,
    lanes: Lanes = None,
    ways: Ways = None,
    data_root: Annotated[Path | None, typer.Option(
        help="Folder of MNIST and of Tonic's data sets.", envvar="SPIKEWRIGHT_DATA",
        show_envvar=True)] = None,
    as_json: Json = False,
) -> None:
    """Attack a run: accuracy that is left, beside gradients, training speed, spikes and cycles.

    Attacks keep inputs valid for the hardware; `worst` is over all surrogates of the attack.
    Everything is kept in the run's robustness.json.

    Example: `spikewright robustness runs/demo --attack pgd,search --samples 100`
    """
    from ..data.stimuli import read_recipe
    from ..surrogates import sweep
    from . import table as measured

    folder = RunFolder.open(run)
    recipe = read_recipe(folder)
    try:
        numbers = [float(slope) for slope in slopes.split(",")]
    except ValueError:
        raise RecipeError(f"--slopes {slopes!r} is no list of numbers; give for example 1,5,25"
                          ) from None
    result = measured.measure(
        folder, recipe, data_root,
        attacks=_listed(attack, measured.ATTACKS, "--attack"),
        changes=_listed(change, measured.CHANGES, "--change"),
        surrogates=sweep([name.strip() for name in surrogates.split(",")], numbers),
        samples=samples, epsilon=epsilon, events=events, queries=queries,
        folding=folding_of(lanes, folder.spec(), ways),
    )
    budget = (f"{result['events']:.1%} of a sample's events" if result["epsilon"] is None
              else f"{result['epsilon']:.4f} of the inputs' range")
    attacks = table(
        f"{folder.path}: {result['samples']} samples, changes of {budget}",
        ("net", "attack", "change", "worst", "own surrogate", "in integers"),
        [("float", "none", None, f"{result['accuracy']['float']:.1%}", None,
          f"{result['accuracy']['integer']:.1%}"),
         *((row["net"], row["attack"], row["change"], f"{row['accuracy']:.1%}",
            f"{row['by_surrogate']['own']:.1%}" if "own" in row["by_surrogate"] else None,
            f"{row['integer_accuracy']:.1%}") for row in result["rows"])],
    )
    costs = table("What it costs", ("figure", "value"), [
        *((f"membranes of hidden layer {i} that pass a gradient", f"{share:.1%}")
          for i, share in enumerate(result["gradient_density"], 1)),
        ("inputs with a gradient", f"{result['input_gradient_density']:.1%}"),
        ("‖∇ₓ p‖₁ of the right class", result["input_gradient_norm"]),
        ("samples trained per second of a core", result["training_samples_per_second"]),
        *((f"spikes of {layer} a sample", spikes) for layer, spikes in result["spikes"].items()),
        ("synaptic operations a sample", result["synops"]),
        ("cycles an inference", result["cycles"]),
    ])
    finish({"run": str(folder.path), **result}, attacks, costs, as_json=as_json)


def _listed(given: str, allowed: tuple[str, ...], option: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in given.split(",")))
    for name in names:
        if name not in allowed:
            raise RecipeError(f"{option} has {name!r}; allowed are {', '.join(allowed)}")
    return names
