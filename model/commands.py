"""Commands ``train``, ``compile`` and ``transfer``. None imports anything heavy before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ..gen.console import Json, finish, table
from ..gen.errors import RecipeError, RunFolderError
from ..gen.runfolder import RunFolder

_Data = Annotated[str | None, typer.Option(
    help="Where samples come from: digits, mnist, nmnist, dvs-gesture, cifar10-dvs, shd, "
         "sklearn:TABLE or events:FILE.npz (see `spikewright data`); the recipe says where if this "
         "does not.")]
_DataRoot = Annotated[Path | None, typer.Option(
    help="Folder of MNIST and of Tonic's data sets.", envvar="SPIKEWRIGHT_DATA", show_envvar=True)]


def train(
    recipe: Annotated[str | None, typer.Argument(
        help="A .toml file or a bundled recipe.", show_default="digits")] = None,
    data: _Data = None,
    data_root: _DataRoot = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", help="Run folder to write.", show_default="runs/NAME")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training samples.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides all that is random.")] = None,
    sharpness: Annotated[float | None, typer.Option(
        help="ρ of sharpness-aware minimisation; 0 is plain training.")] = None,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Go on where the run in --output was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace the run in --output.")] = False,
    as_json: Json = False,
) -> None:
    """Train a spiking net on event-camera recordings.

    Example: `spikewright train digits -o runs/mine --seed 1`
    """
    from . import runs
    from .data.stimuli import read_recipe
    from .recipe import Recipe

    if resume:
        given = {"RECIPE": recipe, "--data": data, "--epochs": epochs, "--seed": seed,
                 "--sharpness": sharpness, "--overwrite": overwrite or None}
        extra = [name for name, value in given.items() if value is not None]
        if extra or output is None:
            raise RecipeError(
                f"--resume goes on with the run's own recipe; drop {', '.join(extra)}" if extra
                else "--resume needs to know which run to go on with; add -o RUN"
            )
        run = RunFolder.open(output)
        chosen = read_recipe(run)
    else:
        chosen = Recipe.load(recipe or "digits").from_source(_absolute(data))
        chosen = chosen.override("training", epochs=epochs, seed=seed, sharpness=sharpness)
        run = _fresh(output or Path("runs") / chosen.name, overwrite)
    result = runs.train(run, chosen, data_root, resume=resume, overwrite=overwrite)
    run.record("train", result)
    shown = Table(title=f"trained {run.path}")
    shown.add_column("figure")
    shown.add_column("value", justify="right")
    for key in ("accuracy", "train_accuracy"):
        shown.add_row(key.replace("_", " "), f"{100 * result[key]:.2f} %")
    for key in ("epochs", "train_samples", "held_back_samples", "seconds"):
        shown.add_row(key.replace("_", " "), f"{result[key]:g}")
    finish({"run": str(run.path), **result}, shown, as_json=as_json)


def compile(
    run: Annotated[Path, typer.Argument(help="Run folder that `spikewright train` made.")],
    bits: Annotated[int | None, typer.Option(help="Bits of a weight, 2 to 8.")] = None,
    method: Annotated[str | None, typer.Option(
        help="ptq: round after training; qat: train on with the rounded net.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of qat.")] = None,
    membrane_bits: Annotated[int | None, typer.Option(
        help="Saturate membranes at this many bits; by default none can overflow.")] = None,
    data: _Data = None,
    data_root: _DataRoot = None,
    as_json: Json = False,
) -> None:
    """Turn a trained net into integers, and judge them on the held-back samples.

    Example: `spikewright compile runs/digits --bits 4 --method qat`
    """
    from . import runs
    from .data.stimuli import read_recipe

    folder = RunFolder.open(run)
    recipe = read_recipe(folder).from_source(_absolute(data)).override(
        "quantisation", bits=bits, method=method, epochs=epochs, membrane_bits=membrane_bits
    )
    result = runs.compile(folder, recipe, data_root)
    shown = Table(title=f"compiled {folder.path}: {recipe.quantisation.method} at "
                        f"{recipe.quantisation.bits} bits")
    columns = {"layer": "layer", "fan_in": "fan-in", "neurons": "neurons", "weight_step": "step",
               "sparsity": "zeros", "threshold": "θ", "membrane_bits": "bits", "spikes": "spikes"}
    for heading in columns.values():
        shown.add_column(heading, justify="right")
    for layer in result["layers"]:
        shown.add_row(*(_cell(layer[c]) for c in columns))
    accuracies = (f"accuracy on {result['samples']} held-back samples: "
                  f"float {100 * result['float_accuracy']:.2f} %, "
                  f"rounded {100 * result['ptq_accuracy']:.2f} %, "
                  f"integer {100 * result['accuracy']:.2f} %")
    warnings = [f"warning: {warning}" for warning in result["warnings"]]
    finish({"run": str(folder.path), **result}, shown, accuracies, *warnings, as_json=as_json)


def transfer(
    run: Annotated[Path, typer.Argument(help="Run folder that `spikewright train` made.")],
    simulate: Annotated[int, typer.Option(
        min=0, help="Held-back samples that the generated hardware is simulated for.")] = 1,
    data_root: _DataRoot = None,
    as_json: Json = False,
) -> None:
    """What the trained weights lose on the way from smooth spikes to hardware: nothing is trained
    between the rows.

    Example: `spikewright transfer runs/sast`
    """
    from . import transfer as gap
    from .data.stimuli import read_recipe

    folder = RunFolder.open(run)
    result = gap.measure(folder, read_recipe(folder), data_root, simulated=simulate)
    shown = table(
        f"{folder.path} on {result['samples']} held-back samples",
        ("computed with", "accuracy %", "lost, points", "SynOps a sample", "cycles a sample"),
        [(row["row"], 100 * row["accuracy"], 100 * row["gap"], row["synops"], row.get("cycles"))
         for row in result["rows"]],
    )
    meaning = (f"SynOps: spikes × neurons that each reaches. Hardware is its cycle model, repeated "
               f"spike for spike and cycle for cycle by simulation on {result['simulated']} of the "
               f"samples.")
    finish({"run": str(folder.path), **result}, shown, meaning, as_json=as_json)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _absolute(source: str | None) -> str | None:
    """An event file that lies here by its absolute path, so that the run finds it from anywhere;
    others are looked for below the data folder."""
    prefix = "events:"
    if source is not None and source.startswith(prefix):
        path = Path(source.removeprefix(prefix))
        return f"{prefix}{path.resolve() if path.exists() else path}"
    return source


def _fresh(path: Path, overwrite: bool) -> RunFolder:
    run = RunFolder.create(path)
    if run.names() and not overwrite:
        raise RunFolderError(
            f"{path} holds a run already; add --resume to go on with it, --overwrite to replace "
            f"it, or give another -o"
        )
    return run
