"""What `spikewright train` and `compile` do to a run folder, for Python too.

A run repeats from what its folder holds: ``recipe.json``, the seed, the versions of the packages
and SHA-256 digests of the encoded samples in ``training.json``. What was stopped goes on after its
last whole epoch and ends bit for bit where it would have ended: training in floats from
``checkpoint.pt`` when `train --resume` says so, training in integers from ``qat.pt`` whenever
`compile` is run again with the same options, on the same weights and samples.
"""

import hashlib
import json
import platform
import time
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..gen import specfile
from ..gen.console import progress, say
from ..gen.engines import simulate
from ..gen.errors import RunFolderError
from ..gen.runfolder import RunFolder, write_json
from ..gen.spec import NetworkSpec
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
from .training.log import finished_log, read_log
from .training.trainer import Forward


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
    samples, held_back, shape, classes = samples_of(recipe, data_root)
    digests = {"train": _digest(samples), "held_back": _digest(held_back)}
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
    trainer = training.Trainer(net, forward(net, recipe), samples, shape, recipe.training,
                               readout=readout, network=network)
    log: dict[str, Any] = {
        "recipe": recipe.name,
        "seed": recipe.training.seed,
        "input_shape": list(shape),
        "timesteps": recipe.encoding.timesteps,
        "classes": classes,
        "samples": {"train": len(samples), "held_back": len(held_back)},
        "data": digests,
        "versions": _versions(),
        "device": str(trainer.device),
        "finished": False,
        "history": [],
    }
    if resume:
        trainer.restore(checkpoint.load(run.file("checkpoint.pt", "train")))
        before = read_log(run)
        if before.data not in (None, digests):
            raise RunFolderError(
                f"{run.path} was begun on other samples of {recipe.data.source} than lie there "
                f"now; bring them back, or train anew with --overwrite"
            )
        log["history"] = before.history
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


@dataclass(frozen=True)
class Trained:
    """A net that was trained, as hardware runs it: with spikes of 0 and 1, and every timestep of
    the recipe by itself. ``recipe`` says the same."""

    net: nn.Sequential
    recipe: Recipe
    samples: Stimulus
    held_back: Stimulus
    shape: tuple[int, ...]
    classes: int


def trained_net(run: RunFolder, recipe: Recipe, data_root: Path | None) -> Trained:
    """The net trained in ``run``, and the samples of ``recipe``.

    Raises
    ------
    DataError, RunFolderError
        If the data is missing, or the training unfinished.
    """
    finished_log(run)
    state = checkpoint.load(run.file("checkpoint.pt", "train"))
    samples, held_back, shape, classes = samples_of(recipe, data_root)
    training.seeded(recipe.training.seed)
    merge = recipe.training.merge
    net = nets.build(recipe.hard, shape, classes, merge=merge)
    checkpoint.restore_weights(net, state)
    nets.refine(net, merge)
    return Trained(net, recipe.hard, samples, held_back, shape, classes)


def compile(run: RunFolder, recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    """Makes integers of the net trained in ``run``; figures, of the held-back samples too.

    Raises
    ------
    DataError, RunFolderError, SpecError
        If the data is missing, the training unfinished, or the contract cannot hold the net.
    """
    start = time.perf_counter()
    trained = trained_net(run, recipe, data_root)
    net, recipe, held_back = trained.net, trained.recipe, trained.held_back
    options, readout = recipe.quantisation, recipe.readout.contract
    rounded = partial(
        rounding.post_training, float_layers(net, trained.shape), input_shape=trained.shape,
        timesteps=recipe.encoding.timesteps, name=recipe.name,
        input=recipe.encoding.input, readout=readout,
    )
    found = None
    if options.budget_kbits is not None:
        say("searching for the bits of every layer")
        found = search(rounded, options, trained.samples, 1000 * options.budget_kbits)
        options = found.options
    quantised = rounded(options)
    spec = quantised.spec
    ptq = simulate(spec, held_back.spikes, engine="golden").accuracy(held_back.labels)
    if options.method == "qat":
        spec = _trained_in_integers(run, trained, quantised)
    trace = simulate(spec, held_back.spikes, engine="golden")
    result = {
        "digest": spec.digest,
        "samples": len(held_back),
        "float_accuracy": training.accuracy(net, forward(net, recipe), held_back, readout),
        "ptq_accuracy": ptq,
        "accuracy": trace.accuracy(held_back.labels),
        "options": options.model_dump(mode="json"),
        "data": {"train": _digest(trained.samples), "held_back": _digest(held_back)},
        "versions": _versions(),
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


def forward(net: nn.Sequential, recipe: Recipe) -> Forward:
    """How ``net`` runs over time."""
    held = recipe.encoding.timesteps if recipe.encoding.kind == "current" else None
    return partial(nets.unroll, net, timesteps=held, readout=recipe.readout.contract)


def _trained_in_integers(
    run: RunFolder, trained: Trained, quantised: rounding.Quantised
) -> NetworkSpec:
    """What quantisation-aware training makes of ``quantised``; ``run`` holds its state after every
    epoch, and it goes on from there."""
    recipe = trained.recipe
    options = recipe.quantisation
    module = quantised.trainable()
    trainer = training.Trainer(
        module, module.activity, trained.samples, trained.shape,
        # Differences along h·v would vanish in rounding.
        recipe.training.model_copy(update={"weight_decay": 0.0, "gradient_sparsity": 0.0}),
        readout=recipe.readout.contract, network=quantised.spec, epochs=options.epochs,
        learning_rate=options.learning_rate,
    )
    begun = {
        "recipe": recipe.model_dump(mode="json"),
        "weights": hashlib.sha256(run.file("checkpoint.pt", "train").read_bytes()).hexdigest(),
        "data": _digest(trained.samples),
        "versions": _versions(),
    }
    key = hashlib.sha256(json.dumps(begun, sort_keys=True).encode()).hexdigest()
    if "qat.pt" in run:
        state = checkpoint.load(run.file("qat.pt", "compile"))
        if state.get("key") == key:
            trainer.restore(state)
    description = "training in integers"
    with progress(description, trainer.epochs) as advance:
        advance(trainer.epoch)
        while trainer.epoch < trainer.epochs:
            figures = trainer.train_epoch()
            with run.writing("compile") as folder:
                checkpoint.save(folder / "qat.pt", {"key": key, **trainer.state()})
            advance(1, f"{description}: loss {figures['loss']:.3f}")
    return module.cpu().spec()


def _versions() -> dict[str, str]:
    """Of what a run depends on."""
    packages = ("spikewright", "torch", "snntorch", "tonic", "numpy")
    return {"python": platform.python_version(),
            **{name: metadata.version(name) for name in packages}}


def _digest(samples: Stimulus) -> str:
    """SHA-256 of encoded samples and their labels."""
    found = hashlib.sha256(f"{samples.spikes.shape} {samples.spikes.dtype}".encode())
    for array in (samples.spikes, samples.labels):
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def samples_of(
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
