"""The transfer gap: what the same weights lose on the way from smooth spikes to hardware.

Nothing is trained between the rows of :func:`measure`; each swaps one thing for what hardware has:

=================  ================================================================================
``smooth``         the surrogate's smooth form in place of a threshold; see
                   :mod:`spikewright.model.surrogates`
``hard``           spikes of 0 and 1
``INT8``, ``INT4`` weights of so many bits, membranes, thresholds and decays in integers
``hardware INT8``  the generated accelerator: the cycle model's account of it, whose every figure
and so on          Amaranth's simulation of the accelerator is made to repeat on some samples, spike
                   for spike, membrane for membrane and cycle for cycle
=================  ================================================================================

A synaptic operation is the addition of one weight to one membrane: spikes, those of the input
included, times the neurons that each really reaches. Taps of a kernel outside the map and pixels in
no pooling window are none. Smooth spikes are no events, so there are none to count.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ..gen.console import progress
from ..gen.counters import functional
from ..gen.engines import simulate
from ..gen.runfolder import RunFolder, write_json
from ..gen.spec import NetworkSpec
from ..gen.stimulus import Stimulus
from ..gen.trace import first_difference
from . import nets, runs
from .exchange.dynamics import float_layers
from .quantisation import rounding
from .recipe import Recipe
from .surrogates import SMOOTH
from .training.trainer import activities, decisions

BITS = (8, 4)


def measure(
    run: RunFolder, recipe: Recipe, data_root: Path | None, *, simulated: int = 1
) -> dict[str, Any]:
    """Writes the rows above into ``run``'s ``transfer.json``, from its held-back samples.

    ``accuracy`` and, per sample, ``synops`` and ``cycles`` of each; ``gap`` is the accuracy lost
    since the first row. ``simulated`` is the number of samples of the simulation, 0 for none.
    Without a smooth form, as of recurrent neurons or a first spike, the rows begin with ``hard``.

    Raises
    ------
    DataError, RunFolderError, SpecError
        If the data is missing, the training unfinished, or the contract cannot hold the net.
    """
    start = time.perf_counter()
    trained = runs.trained_net(run, recipe, data_root)
    held_back, labels = trained.held_back, trained.held_back.labels
    specs = {bits: _rounded(trained, bits) for bits in BITS}
    rows: list[dict[str, Any]] = []

    def add(row: str, accuracy: float, synops: float | None = None, **more: Any) -> None:
        gap = rows[0]["accuracy"] - accuracy if rows else 0.0
        rows.append({"row": row, "accuracy": accuracy, "gap": gap, "synops": synops, **more})

    smooth = _smooth(trained.recipe)
    with progress("swapping what is computed", bool(smooth) + 1 + 2 * len(BITS)) as advance:
        if smooth is not None:
            add("smooth", _accuracy(_decided(_same(trained, smooth), smooth, held_back), labels))
            advance()
        decided = _decided(trained.net, trained.recipe, held_back)
        add("hard", _accuracy(decided, labels), _synops(specs[BITS[0]], held_back, decided[1]))
        advance()
        for bits, spec in specs.items():
            trace = simulate(spec, held_back.spikes, engine="golden")
            add(f"INT{bits}", trace.accuracy(labels), trace.synops / len(trace))
            advance()
        for bits, spec in specs.items():
            add(f"hardware INT{bits}", **_hardware(spec, held_back, simulated))
            advance()
    result = {
        "samples": len(held_back),
        "simulated": min(simulated, len(held_back)),
        "surrogate": trained.recipe.surrogate.model_dump(mode="json", exclude_none=True),
        "sharpness": recipe.training.sharpness,
        "seed": recipe.training.seed,
        "rows": rows,
    }
    with run.writing("transfer") as folder:
        write_json(folder / "transfer.json", result)
    result["seconds"] = round(time.perf_counter() - start, 3)
    run.record("transfer", result)
    return result


def _rounded(trained: runs.Trained, bits: int) -> NetworkSpec:
    recipe = trained.recipe
    return rounding.post_training(
        float_layers(trained.net, trained.shape),
        recipe.quantisation.model_copy(update={"bits": bits}), input_shape=trained.shape,
        timesteps=recipe.encoding.timesteps, name=recipe.name, input=recipe.encoding.input,
        readout=recipe.readout.contract,
    ).spec


def _smooth(recipe: Recipe) -> Recipe | None:
    """``recipe`` with smooth spikes, if the net has such a form."""
    if recipe.surrogate.name not in SMOOTH:
        return None
    fields = recipe.model_dump(mode="json")
    fields["surrogate"]["forward"] = "smooth"
    try:
        return Recipe.model_validate(fields)
    except ValueError:
        return None


def _same(trained: runs.Trained, recipe: Recipe) -> nn.Sequential:
    """The trained weights in the net of ``recipe``."""
    net = nets.build(recipe, trained.shape, trained.classes)
    net.load_state_dict(trained.net.state_dict())
    return net


def _decided(
    net: nn.Sequential, recipe: Recipe, samples: Stimulus
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray]]:
    """Predictions, and spikes of each layer, (samples, timesteps, neurons)."""
    predicted, spikes = [], []
    for activity in activities(net, runs.forward(net, recipe), samples):
        predicted.append(decisions(recipe.readout.contract, activity))
        spikes.append([layer.cpu().numpy().transpose(1, 0, 2) for layer in activity.spikes])
    return np.concatenate(predicted), [np.concatenate(part) for part in zip(*spikes, strict=True)]


def _accuracy(decided: tuple[npt.NDArray, Any], labels: npt.NDArray) -> float:
    return float((decided[0] == labels).mean())


def _synops(spec: NetworkSpec, samples: Stimulus, spikes: list[npt.NDArray]) -> float:
    """Of a float net with the connections of ``spec``, per sample."""
    fired = [layer > 0 for layer in spikes]
    none = [np.zeros(len(samples), np.int64)] * len(fired)
    signals = samples.spikes
    return float(functional(spec, signals, fired, none)["synops"].sum() / len(samples))


def _hardware(spec: NetworkSpec, samples: Stimulus, simulated: int) -> dict[str, Any]:
    """What the accelerator of ``spec`` does, one lane per neuron."""
    # An exit in the middle of a sample is beyond the cycle model, but never changes the decision.
    model = "golden" if spec.readout.early_exit else "cycles"
    trace = simulate(spec, samples.spikes, engine=model)
    if simulated:
        _prove(spec, samples.spikes[:simulated], model)
    return {
        "accuracy": trace.accuracy(samples.labels),
        "synops": trace.synops / len(trace),
        "cycles": None if trace.cycles is None else float(trace.cycles.mean()),
    }


def _prove(spec: NetworkSpec, few: npt.NDArray, model: str) -> None:
    """RuntimeError, because a bug it would be, unless simulated hardware does what ``model``
    says."""
    rtl = simulate(spec, few, engine="amaranth", membranes=True)
    expected = simulate(spec, few, engine=model, membranes=True,
                        timesteps=rtl.timesteps if model == "golden" else None)
    difference = first_difference(expected, rtl, [layer.name for layer in spec.layers])
    same_cycles = expected.cycles is None or (expected.cycles == rtl.cycles).all()
    if difference is not None or not same_cycles:
        raise RuntimeError(f"the simulated accelerator is not the model: "
                           f"{difference or 'other cycles'}")
