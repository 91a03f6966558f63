"""What `spikewright train` and `compile` do to a run folder, for Python too."""

import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

from ..gen import specfile
from ..gen.console import progress, say
from ..gen.engines import simulate
from ..gen.errors import RunFolderError
from ..gen.runfolder import RunFolder, write_json
from ..gen.stimulus import Stimulus
from . import nets
from .data.sources import load
from .data.stimuli import encode, merged
from .exchange.dynamics import float_layers
from .quantisation import rounding
from .quantisation.report import report
from .quantisation.search import search
from .recipe import Recipe
from .training import checkpoint
from .training import trainer as training
from .training.trainer import Forward, Trainer


def train(
    run: RunFolder, recipe: Recipe, data_root: Path | None, *, resume: bool, overwrite: bool
) -> dict[str, Any]:
    """Trains the net of ``recipe`` into ``run``, which ``spikewright train`` describes; the last
    epoch's figures. After every epoch the folder holds all that ``resume`` goes on from.

    Raises
    ------
    DataError, RecipeError, RunFolderError
        If the data, the net or the folder to resume do not fit the recipe.
    """
    samples, held_back, shape, classes = _samples(recipe, data_root)
    merge = recipe.training.merge
    samples, held_back = merged(samples, merge), merged(held_back, merge)
    training.seeded(recipe.training.seed)
    net, readout = nets.build(recipe, shape, classes, merge=merge), recipe.readout.contract
    network = None
    if recipe.training.penalty.cycles:
        network = rounding.outline(
            float_layers(net, shape), input_shape=shape,
            timesteps=recipe.encoding.timesteps // merge, input=recipe.encoding.input,
            readout=readout,
        )
    trainer = training.Trainer(net, _forward(net, recipe), samples, shape, recipe.training,
                               readout=readout, network=network)
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
        trainer.restore(checkpoint.load(run.file("checkpoint.pt", "train")))
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
                checkpoint.save(folder / "checkpoint.pt", trainer.state())
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


def compile(run: RunFolder, recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    """Makes integers of the net trained in ``run``; figures, of the held-back samples too.

    Raises
    ------
    DataError, RunFolderError, SpecError
        If the data is missing, the training unfinished, or the contract cannot hold the net.
    """
    log = run.read_json("training.json", "train")
    if not log["finished"]:
        raise RunFolderError(f"{run.path} was stopped after epoch {len(log['history'])}; go on "
                             f"with: spikewright train --resume -o {run.path}")
    state = checkpoint.load(run.file("checkpoint.pt", "train"))
    samples, held_back, shape, classes = _samples(recipe, data_root)
    options = recipe.quantisation
    training.seeded(recipe.training.seed)
    merge = recipe.training.merge
    net, readout = nets.build(recipe, shape, classes, merge=merge), recipe.readout.contract
    checkpoint.restore_weights(net, state)
    nets.refine(net, merge)
    start = time.perf_counter()
    rounded = partial(
        rounding.post_training, float_layers(net, shape), input_shape=shape,
        timesteps=recipe.encoding.timesteps, name=recipe.name,
        input=recipe.encoding.input, readout=readout,
    )
    found = None
    if options.budget_kbits is not None:
        say("searching for the bits of every layer")
        found = search(rounded, options, samples, 1000 * options.budget_kbits)
        options = found.options
    quantised = rounded(options)
    spec = quantised.spec
    ptq = simulate(spec, held_back.spikes, engine="golden").accuracy(held_back.labels)
    if options.method == "qat":
        module = quantised.trainable()
        trainer = training.Trainer(
            module, module.activity, samples, shape,
            recipe.training.model_copy(update={"weight_decay": 0.0}),
            readout=readout, network=spec, epochs=options.epochs,
            learning_rate=options.learning_rate,
        )
        _run_epochs(trainer, "training in integers")
        spec = module.spec()
    trace = simulate(spec, held_back.spikes, engine="golden")
    result = {
        "digest": spec.digest,
        "samples": len(held_back),
        "float_accuracy": training.accuracy(net, _forward(net, recipe), held_back, readout),
        "ptq_accuracy": ptq,
        "accuracy": trace.accuracy(held_back.labels),
        "options": options.model_dump(mode="json"),
        "search": None if found is None else found.figures(),
        "weights": spec.weights,
        "synops_per_sample": trace.synops / len(trace),
        "input_spikes_per_sample": float(trace.counters["events_in"][:, 0].mean()),
        **report(quantised, spec, trace, options.budget_kbits),
    }
    with run.writing("compile") as folder:
        specfile.save(spec, folder / "spec.json")
        held_back.save(folder / "stimulus.npz")
        write_json(folder / "compile.json", result)
    result["seconds"] = round(time.perf_counter() - start, 3)
    run.record("compile", result)
    return result


def _forward(net: nn.Sequential, recipe: Recipe) -> Forward:
    """How ``net`` runs over time."""
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
    say(f"reading {recipe.data.source}")
    splits = load(recipe.data, data_root)
    train, held_back = (
        encode(recipe.encoding, part, f"encoding {name}")
        for part, name in ((splits.train, "training samples"), (splits.held_back, "held back"))
    )
    return train, held_back, recipe.encoding.shape(splits.train.sensor_size), splits.train.classes
