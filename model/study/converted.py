"""Method ``conversion``: an artificial net of the recipe's layers is trained, then made to spike.

Its activations are :class:`~..conversion.clip_floor.ClipFloor` of as many levels as there are
timesteps, its inputs the mean over time of those that the spiking net gets. Neurons are those of
:mod:`..conversion.conversion`, without leak; the recipe's own, its surrogate and its readout play
no part. Integers are rounded from it, not trained.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...gen import specfile
from ...gen.console import progress
from ...gen.engines import simulate
from ...gen.errors import RecipeError
from ...gen.runfolder import RunFolder, write_json
from .. import nets, runs
from ..compiler import OPTIONS, quantise
from ..conversion.clip_floor import ClipFloor
from ..conversion.conversion import convert
from ..exchange.dynamics import NEURONS
from ..readouts import Activity
from ..recipe import Recipe
from ..training import trainer as training
from ..training.penalty import Penalty

#: Training samples on which activations are measured.
_MEASURED = 512


def train(run: RunFolder, recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    """Trains and converts into ``run``; figures under the names of ``runs.compile``.

    Raises
    ------
    DataError, RecipeError, SpecError
        If the data is missing, or recipe or net do not suit the method.
    """
    if recipe.quantisation.method != "ptq" or recipe.quantisation.budget_kbits is not None:
        raise RecipeError("method conversion rounds weights; use quantisation.method 'ptq' "
                          "without budget_kbits")
    if recipe.training.penalty != Penalty() or recipe.training.merge != 1:
        raise RecipeError("method conversion trains no spikes, so training.penalty and "
                          "training.merge have nothing to act on; drop them")
    samples, held_back, shape, classes = runs.samples_of(recipe, data_root)
    timesteps = recipe.encoding.timesteps
    training.seeded(recipe.training.seed)
    net = _artificial(nets.build(recipe.hard, shape, classes), timesteps)

    def forward(x: torch.Tensor) -> Activity:
        return Activity(net(x.mean(0)).unsqueeze(0), (), x)

    settings = recipe.training.model_copy(update={"loss": "ce_count_loss"})
    trainer = training.Trainer(net, forward, samples, shape, settings)
    history = []
    with progress(f"training {recipe.name}, to be converted", trainer.epochs) as advance:
        while trainer.epoch < trainer.epochs:
            history.append({"epoch": trainer.epoch + 1, **trainer.train_epoch()})
            advance(1)
    float_accuracy = training.accuracy(net, forward, held_back)
    measured = torch.from_numpy(samples.spikes[:_MEASURED]).float().mean(1)
    spiking = convert(net.cpu(), measured, timesteps)
    options = {name: value for name, value in recipe.quantisation.model_dump().items()
               if name in OPTIONS}
    spec = quantise(spiking.net, shape, timesteps, name=recipe.name, input=recipe.encoding.input,
                    readout=spiking.readout, **options).spec
    accuracy = simulate(spec, held_back.spikes, engine="golden").accuracy(held_back.labels)
    result = {"float_accuracy": float_accuracy, "ptq_accuracy": accuracy, "accuracy": accuracy,
              "weights": spec.weights, "loss": history[-1]["loss"]}
    with run.writing("study") as folder:
        write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
        specfile.save(spec, folder / "spec.json")
        held_back.save(folder / "stimulus.npz")
    run.record("conversion", {**result, "history": history})
    return result


def _artificial(net: nn.Sequential, levels: int) -> nn.Sequential:
    """``net`` with activations in place of neurons, and its last layer's sums as logits."""
    modules: OrderedDict[str, nn.Module] = OrderedDict(
        (name, ClipFloor(levels) if isinstance(module, NEURONS) else module)
        for name, module in net.named_children())
    modules.popitem()
    return nn.Sequential(modules)
