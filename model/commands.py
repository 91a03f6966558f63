"""Commands ``train``, ``compile`` and ``transfer``. None imports anything heavy before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from ..gen.console import Json, finish, table
from ..gen.errors import RecipeError, RunFolderError
from ..gen.runfolder import RunFolder
from .exchange_commands import compile_own, is_model

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
    run: Annotated[Path, typer.Argument(
        metavar="RUN|MODEL", help="Run folder that `spikewright train` made; or a net of your own: "
        "MODEL.nir, MODEL.pt, FILE.py:NAME or PACKAGE.MODULE:NAME.")],
    bits: Annotated[str | None, typer.Option(
        help="Bits of a weight, 2 to 8: one number for all layers, or one per layer, as in "
             "4,3,8.")] = None,
    budget_kbits: Annotated[float | None, typer.Option(
        help="Search for the bits of every layer, so that weights and membranes take at most so "
             "many thousands of bits.")] = None,
    method: Annotated[str | None, typer.Option(
        help="ptq: round after training; qat: train on with the rounded net.")] = None,
    per: Annotated[str | None, typer.Option(
        help="layer or channel: what has a weight step of its own.")] = None,
    decay: Annotated[str | None, typer.Option(
        help="fixed-point, or power-of-two: decays that a shift and a subtraction compute."
        )] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of qat.")] = None,
    membrane_bits: Annotated[str | None, typer.Option(
        help="Saturate membranes at this many bits, one number or one per layer; by default none "
             "can overflow.")] = None,
    data: _Data = None,
    data_root: _DataRoot = None,
    check: Annotated[bool, typer.Option(
        "--check", help="MODEL: only say what maps, what does not, and why.")] = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", help="MODEL: run folder to write.", show_default="runs/NAME")] = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="MODEL: replace the run in --output.")] = False,
    net: Annotated[str | None, typer.Option(
        help="MODEL.pt: the net that its weights belong to, FILE.py:NAME.")] = None,
    trust: Annotated[bool, typer.Option(
        "--trust", help="MODEL.pt: load a whole module, which may run code.")] = False,
    input_shape: Annotated[str | None, typer.Option(
        help="MODEL: shape of one timestep, as in 2,34,34; a .nir file says it.")] = None,
    timesteps: Annotated[int | None, typer.Option(
        min=1, help="MODEL: timesteps of an inference.")] = None,
    dt: Annotated[float | None, typer.Option(
        help="MODEL.nir: how long a timestep lasts, in the unit of its time constants.")] = None,
    discretisation: Annotated[Literal["euler", "exponential"] | None, typer.Option(
        help="MODEL.nir: how its differential equations become steps.",
        show_default="euler")] = None,
    readout: Annotated[Literal["spike-count", "membrane", "first-spike"] | None, typer.Option(
        help="MODEL: what decides.", show_default="spike-count")] = None,
    encoding: Annotated[Literal["events", "counts", "current"] | None, typer.Option(
        "--input", help="MODEL: what it is fed.", show_default="events")] = None,
    input_bits: Annotated[int | None, typer.Option(help="MODEL: bits of an input.")] = None,
    weight_shift: Annotated[int | None, typer.Option(
        help="MODEL: one weight step is 2 to this power of membrane steps.")] = None,
    decay_fraction: Annotated[int | None, typer.Option(
        help="MODEL: fraction bits of a decay.")] = None,
    samples: Annotated[int | None, typer.Option(
        min=1, help="MODEL: samples of random spikes, if there is no --data spikes:FILE.npz.",
        show_default="8")] = None,
    as_json: Json = False,
) -> None:
    """Turn a trained net into integers, and judge them on the held-back samples.

    A net of your own becomes a run folder, which `simulate`, `check`, `generate` and `build` take.
    Exit code 1 if --check finds something that does not map.

    Example: `spikewright compile runs/digits --bits 4 --method qat`

    Example: `spikewright compile net.pt --net net.py:Net --input-shape 2,34,34 --check`
    """
    common = {"bits": bits, "membrane_bits": membrane_bits, "per": per, "decay": decay}
    own = {
        "output": output, "net": net, "input_shape": input_shape, "timesteps": timesteps, "dt": dt,
        "readout": readout, "input": encoding, "input_bits": input_bits,
        "weight_shift": weight_shift, "decay_fraction": decay_fraction, "check": check or None,
        "trust": trust or None, "overwrite": overwrite or None, "samples": samples,
        "discretisation": discretisation,
    }
    if is_model(str(run)):
        _refuse_options(f"{run} is no run folder, so there is nothing to train on",
                        method=None if method == "ptq" else method, epochs=epochs,
                        budget_kbits=budget_kbits)
        compile_own(str(run), {**common, **own}, data, as_json=as_json)
    else:
        _refuse_options(f"{run} is taken for a run folder; these belong to MODEL files", **own)
        trained = {"method": method, "epochs": epochs, "budget_kbits": budget_kbits}
        _compile_run(run, {**common, **trained}, data, data_root, as_json=as_json)


def _refuse_options(reason: str, **options: Any) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise RecipeError(f"{reason}; drop {', '.join(given)}")


def _compile_run(
    run: Path, options: dict[str, Any], data: str | None, data_root: Path | None, *, as_json: bool
) -> None:
    from . import runs
    from .data.stimuli import read_recipe

    folder = RunFolder.open(run)
    recipe = read_recipe(folder).from_source(_absolute(data)).override("quantisation", **options)
    result = runs.compile(folder, recipe, data_root)
    accuracies = (f"accuracy on {result['samples']} held-back samples: "
                  f"float {100 * result['float_accuracy']:.2f} %, "
                  f"rounded {100 * result['ptq_accuracy']:.2f} %, "
                  f"integer {100 * result['accuracy']:.2f} %")
    bits = dict.fromkeys(layer["weight_bits"] for layer in result["layers"])
    title = (f"compiled {folder.path}: {recipe.quantisation.method} at "
             f"{', '.join(map(str, bits))} bits, {result['memory_bits'] / 1000:.1f} kbit")
    warnings = [f"warning: {warning}" for warning in result["warnings"]]
    finish({"run": str(folder.path), **result}, layer_table(title, result["layers"]), accuracies,
           *warnings, as_json=as_json)


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


def layer_table(title: str, layers: list[dict[str, Any]]) -> Table:
    """What quantisation did to each layer, for people."""
    shown = Table(title=title)
    columns = {"layer": "layer", "fan_in": "fan-in", "neurons": "neurons", "weight_step": "step",
               "sparsity": "zeros", "threshold": "θ", "membrane_bits": "bits", "spikes": "spikes"}
    for heading in columns.values():
        shown.add_column(heading, justify="right")
    for layer in layers:
        shown.add_row(*(_cell(layer.get(c)) for c in columns))
    return shown


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
