"""Commands ``train`` and ``compile``. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ..gen import specfile
from ..gen.console import Json, finish, progress, say
from ..gen.engines import simulate
from ..gen.errors import RecipeError, RunFolderError
from ..gen.runfolder import RunFolder, write_json

if TYPE_CHECKING:
    from torch import nn

    from ..gen.stimulus import Stimulus
    from .recipe import Recipe
    from .training import Forward, Trainer

_Data = Annotated[str | None, typer.Option(
    help="Where samples come from: digits, mnist, nmnist, dvs-gesture, cifar10-dvs or "
         "events:FILE.npz; the recipe says where if this does not.")]
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
    resume: Annotated[bool, typer.Option(
        "--resume", help="Go on where the run in --output was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace the run in --output.")] = False,
    as_json: Json = False,
) -> None:
    """Train a spiking net on event-camera recordings.

    Example: `spikewright train digits -o runs/mine --seed 1`
    """
    from .recipe import Recipe
    from .stimuli import read_recipe

    if resume:
        given = {"RECIPE": recipe, "--data": data, "--epochs": epochs, "--seed": seed,
                 "--overwrite": overwrite or None}
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
        chosen = chosen.override("training", epochs=epochs, seed=seed)
        run = _fresh(output or Path("runs") / chosen.name, overwrite)
    result = _train(run, chosen, data_root, resume=resume, overwrite=overwrite)
    run.record("train", result)
    table = Table(title=f"trained {run.path}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key in ("accuracy", "train_accuracy"):
        table.add_row(key.replace("_", " "), f"{100 * result[key]:.2f} %")
    for key in ("epochs", "train_samples", "held_back_samples", "seconds"):
        table.add_row(key.replace("_", " "), f"{result[key]:g}")
    finish({"run": str(run.path), **result}, table, as_json=as_json)


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
    from .stimuli import read_recipe

    folder = RunFolder.open(run)
    recipe = read_recipe(folder).from_source(_absolute(data)).override(
        "quantisation", bits=bits, method=method, epochs=epochs, membrane_bits=membrane_bits
    )
    result = _compile(folder, recipe, data_root)
    table = Table(title=f"compiled {folder.path}: {recipe.quantisation.method} at "
                        f"{recipe.quantisation.bits} bits")
    columns = {"layer": "layer", "fan_in": "fan-in", "neurons": "neurons", "weight_step": "step",
               "sparsity": "zeros", "threshold": "θ", "membrane_bits": "bits", "spikes": "spikes"}
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for layer in result["layers"]:
        table.add_row(*(_cell(layer[c]) for c in columns))
    accuracies = (f"accuracy on {result['samples']} held-back samples: "
                  f"float {100 * result['float_accuracy']:.2f} %, "
                  f"rounded {100 * result['ptq_accuracy']:.2f} %, "
                  f"integer {100 * result['accuracy']:.2f} %")
    warnings = [f"warning: {warning}" for warning in result["warnings"]]
    finish({"run": str(folder.path), **result}, table, accuracies, *warnings, as_json=as_json)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _absolute(source: str | None) -> str | None:
    """An event file by its absolute path, so that the run finds it from anywhere."""
    prefix = "events:"
    if source is not None and source.startswith(prefix):
        return prefix + str(Path(source.removeprefix(prefix)).resolve())
    return source


def _fresh(path: Path, overwrite: bool) -> RunFolder:
    run = RunFolder.create(path)
    if run.names() and not overwrite:
        raise RunFolderError(
            f"{path} holds a run already; add --resume to go on with it, --overwrite to replace "
            f"it, or give another -o"
        )
    return run


def _train(
    run: RunFolder, recipe: Recipe, data_root: Path | None, *, resume: bool, overwrite: bool
) -> dict[str, Any]:
    from . import nets, training
    from .stimuli import merged

    samples, held_back, shape, classes = _samples(recipe, data_root)
    merge = recipe.training.merge
    samples, held_back = merged(samples, merge), merged(held_back, merge)
    training.seeded(recipe.training.seed)
    net, readout = nets.build(recipe, shape, classes, merge=merge), recipe.readout.contract
    trainer = training.Trainer(net, _forward(net, recipe), samples, shape, recipe.training,
                               readout=readout)
    log: dict[str, Any] = {
        "recipe": recipe.name,
        "seed": recipe.training.seed,
        "input_shape": list(shape),
        "timesteps": recipe.encoding.timesteps,
        "classes": classes,
        "samples": {"train": len(samples), "held_back": len(held_back)},
        "versions": {name: metadata.version(name) for name in ("torch", "snntorch", "tonic")},
        "finished": False,
        "history": [],
    }
    if resume:
        trainer.restore(training.load_checkpoint(run.file("checkpoint.pt", "train")))
        log["history"] = run.read_json("training.json", "train")["history"]
    elif overwrite:
        run.clear()
    with progress(f"training {recipe.name}", trainer.epochs) as advance:
        advance(trainer.epoch)
        while trainer.epoch < trainer.epochs:
            start = time.perf_counter()
            figures = trainer.train_epoch()
            # Watched, never acted upon: no choice depends on the held-back samples.
            figures["held_back_accuracy"] = training.accuracy(
                net, trainer.forward, held_back, readout
            )
            seconds = round(time.perf_counter() - start, 3)
            log["history"].append({"epoch": trainer.epoch, **figures, "seconds": seconds})
            log["finished"] = trainer.epoch == trainer.epochs
            with run.writing("train") as folder:
                write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
                write_json(folder / "training.json", log)
                training.save_checkpoint(folder / "checkpoint.pt", trainer.state())
            advance(1, f"training {recipe.name}: loss {figures['loss']:.3f}, held back "
                       f"{100 * figures['held_back_accuracy']:.1f} %")
    last = log["history"][-1]
    return {
        "accuracy": last["held_back_accuracy"],
        "train_accuracy": last["accuracy"],
        "loss": last["loss"],
        "epochs": trainer.epoch,
        "seed": recipe.training.seed,
        "train_samples": len(samples),
        "held_back_samples": len(held_back),
        "seconds": round(sum(entry["seconds"] for entry in log["history"]), 3),
    }


def _compile(run: RunFolder, recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    from . import nets, quantisation, training
    from .dynamics import float_layers

    log = run.read_json("training.json", "train")
    if not log["finished"]:
        raise RunFolderError(f"{run.path} was stopped after epoch {len(log['history'])}; go on "
                             f"with: spikewright train --resume -o {run.path}")
    state = training.load_checkpoint(run.file("checkpoint.pt", "train"))
    samples, held_back, shape, classes = _samples(recipe, data_root)
    options = recipe.quantisation
    training.seeded(recipe.training.seed)
    merge = recipe.training.merge
    net, readout = nets.build(recipe, shape, classes, merge=merge), recipe.readout.contract
    training.restore_weights(net, state)
    nets.refine(net, merge)
    start = time.perf_counter()
    quantised = quantisation.post_training(
        float_layers(net, shape), options, input_shape=shape,
        timesteps=recipe.encoding.timesteps, name=recipe.name,
        input=recipe.encoding.input, readout=readout,
    )
    spec = quantised.spec
    rounded = simulate(spec, held_back.spikes, engine="golden").accuracy(held_back.labels)
    if options.method == "qat":
        module = quantised.trainable()
        trainer = training.Trainer(
            module, module.activity, samples, shape,
            recipe.training.model_copy(update={"weight_decay": 0.0}),
            readout=readout, epochs=options.epochs, learning_rate=options.learning_rate,
        )
        _run_epochs(trainer, f"training in {options.bits}-bit integers")
        spec = module.spec()
    trace = simulate(spec, held_back.spikes, engine="golden")
    result = {
        "digest": spec.digest,
        "samples": len(held_back),
        "float_accuracy": training.accuracy(net, _forward(net, recipe), held_back, readout),
        "ptq_accuracy": rounded,
        "accuracy": trace.accuracy(held_back.labels),
        "options": options.model_dump(mode="json"),
        "weights": spec.weights,
        "synops_per_sample": trace.synops / len(trace),
        "input_spikes_per_sample": float(trace.counters["events_in"][:, 0].mean()),
        **quantisation.report(quantised, spec),
    }
    for layer, fired in zip(result["layers"], trace.counters["events_out"].T, strict=True):
        layer["spikes"] = float(fired.mean())
        if not fired.any() and layer["threshold"] is not None:
            result["warnings"].append(f"layer {layer['layer']} is silent: none of its neurons "
                                      f"fired for any held-back sample; train it with larger "
                                      f"weights or a lower threshold")
    with run.writing("compile") as folder:
        specfile.save(spec, folder / "spec.json")
        held_back.save(folder / "stimulus.npz")
        write_json(folder / "compile.json", result)
    result["seconds"] = round(time.perf_counter() - start, 3)
    run.record("compile", result)
    return result


def _forward(net: nn.Sequential, recipe: Recipe) -> Forward:
    """How ``net`` runs over time."""
    from . import nets

    held = recipe.encoding.timesteps if recipe.encoding.kind == "current" else None
    return partial(nets.unroll, net, timesteps=held, readout=recipe.readout.contract)


def _run_epochs(trainer: Trainer, description: str) -> None:
    with progress(description, trainer.epochs) as advance:
        while trainer.epoch < trainer.epochs:
            figures = trainer.train_epoch()
            advance(1, f"{description}: loss {figures['loss']:.3f}")


def _samples(
    recipe: Recipe, data_root: Path | None
) -> tuple[Stimulus, Stimulus, tuple[int, ...], int]:
    """Training and held-back samples in spikes, their shape and the number of classes."""
    from .data import load
    from .stimuli import encode

    say(f"reading {recipe.data.source}")
    splits = load(recipe.data, data_root)
    train, held_back = (
        encode(recipe.encoding, part, f"encoding {name}")
        for part, name in ((splits.train, "training samples"), (splits.held_back, "held back"))
    )
    return train, held_back, recipe.encoding.shape(splits.train.sensor_size), splits.train.classes
