"""What the robustness of a run is, beside what it costs: the figures that the question "what does
sparse-gradient training do?" is answered with, for one net; docs/robustness.md compares nets.

Weak surrogates overstate robustness (arXiv 2512.22522): where a surrogate's gradient is steep, most
inputs have none, and an attack along it finds nothing. So every attack is made through the net's
own surrogate and through those of a sweep, and a sample counts as robust only if none of them
fooled the net. A search without gradients is the control: where it finds more than gradients do,
these are masked.

Both nets are attacked, the one of floats and the one in integers that hardware runs; what fools the
net of floats is given to the other one, too. Inputs that an attack found for the net in integers
are run by the golden model, which must decide as the attacked module did.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...gen.console import progress
from ...gen.engines import simulate
from ...gen.errors import RecipeError
from ...gen.folding import Folding
from ...gen.runfolder import RunFolder, write_json
from ...gen.spec import NetworkSpec
from ...gen.stimulus import Stimulus
from .. import nets, runs
from ..data.stimuli import merged
from ..recipe import Recipe
from ..spikes import Spike
from ..surrogates import Surrogate
from ..training import trainer as training
from .attacks import ASCENTS, Found, ascend, search
from .budget import Budget, Flips, Level, Shifts
from .victim import Victim, density, floats, integers

#: Attacks by name: those along gradients, and the control.
ATTACKS = (*ASCENTS, "search")

#: What may be done to events.
CHANGES = ("flip", "add", "remove", "shift")

#: Batches of an epoch whose speed is measured.
_TIMED_BATCHES = 10


def measure(
    run: RunFolder,
    recipe: Recipe,
    data_root: Path | None,
    *,
    attacks: Iterable[str],
    changes: Iterable[str],
    surrogates: Iterable[Surrogate],
    samples: int,
    epsilon: float | None,
    events: float,
    queries: int,
    folding: Folding,
) -> dict[str, Any]:
    """Writes the table into ``run``'s ``robustness.json``; see the command for the parameters.

    Raises
    ------
    DataError, RunFolderError, SpikewrightError
        If the data is missing, the run is not compiled, or the budget allows no change.
    """
    start = time.perf_counter()
    trained = runs.trained_net(run, recipe, data_root)
    spec = run.spec()
    part = trained.held_back[:samples]
    most = spec.input.most
    budgets = _budgets(most, epsilon, events, changes)
    first = floats(trained)
    victims = [first, integers(spec, recipe.net.threshold, first.own)]
    swept = {"own": first.own, **{_label(given): given.build() for given in surrogates}}
    x, y = torch.from_numpy(part.spikes).float(), torch.from_numpy(part.labels)
    rows = []
    names = list(attacks)
    with progress("attacking", len(names) * len(budgets) * len(victims)) as advance:
        for victim in victims:
            for change, budget in budgets.items():
                for name in names:
                    found = _found(victim, name, budget, x, y, swept, queries, recipe)
                    rows.append({"net": victim.name, "attack": name, "change": change,
                                 **_outcome(victim, found, budget, x, spec, part.labels)})
                    advance(1, f"attacking: {victim.name}, {name}, {change}")
    clean = simulate(spec, part.spikes, engine="golden" if spec.readout.early_exit else "cycles",
                     folding=folding)
    cycles = clean.cycles
    gradients = density(first, x, y, most)
    with torch.no_grad():
        right = first(x)[1].argmax(1) == y
    result = {
        "samples": len(part),
        "seed": recipe.training.seed,
        "epsilon": next((budget.epsilon for budget in budgets.values()
                         if isinstance(budget, Level)), None),
        "events": None if most > 1 else events,
        "surrogates": list(swept),
        "queries": queries,
        "accuracy": {"float": float(right.float().mean()),
                     "integer": clean.accuracy(part.labels)},
        "robust": {victim.name: min((row["accuracy"] for row in rows
                                     if row["net"] == victim.name), default=None)
                   for victim in victims},
        "rows": rows,
        "gradient_density": gradients.hidden,
        "input_gradient_density": gradients.inputs,
        "input_gradient_norm": gradients.norm,
        "training_samples_per_second": _speed(trained, spec),
        "spikes": {layer.name: float(fired.mean()) for layer, fired in
                   zip(spec.layers, clean.counters["events_out"].T, strict=True)},
        "input_spikes": float(clean.counters["events_in"][:, 0].mean()),
        "synops": clean.synops / len(clean),
        "cycles": None if cycles is None else float(cycles.mean()),
    }
    with run.writing("robustness") as folder:
        write_json(folder / "robustness.json", result)
    result["seconds"] = round(time.perf_counter() - start, 3)
    run.record("robustness", result)
    return result


def _budgets(
    most: int, epsilon: float | None, events: float, changes: Iterable[str]
) -> dict[str, Budget]:
    if most > 1:
        # 8/255 is less than one level of coarse inputs.
        return {"level": Level(max(8 / 255, 1 / most) if epsilon is None else epsilon, most)}
    if epsilon is not None:
        raise RecipeError("--epsilon is a part of graded inputs, and this run's are 0 or 1; use "
                          "--events")
    kinds: dict[str, Budget] = {
        "flip": Flips(events), "add": Flips(events, "add"), "remove": Flips(events, "remove"),
        "shift": Shifts(events),
    }
    return {change: kinds[change] for change in changes}


def _label(surrogate: Surrogate) -> str:
    given = ", ".join(f"{key}={value:g}" for key, value in surrogate.given().items())
    return f"{surrogate.name} {given}".strip()


def _found(
    victim: Victim, attack: str, budget: Budget, x: torch.Tensor, y: torch.Tensor,
    swept: dict[str, Spike], queries: int, recipe: Recipe,
) -> dict[str, Found]:
    """What the attack finds through each surrogate."""
    if attack == "search":
        return {"none": search(victim, budget, x, y, queries=queries,
                               seed=recipe.training.seed)}
    found = {}
    for label, spike in swept.items():
        with victim.through(spike):
            found[label] = ascend(ASCENTS[attack], victim, budget, x, y)
    return found


def _outcome(
    victim: Victim, found: dict[str, Found], budget: Budget, x: torch.Tensor, spec: NetworkSpec,
    labels: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Accuracy under the worst of an attack's surrogates and under each, and that of the net in
    integers on the same inputs."""
    right = {}
    for label, each in found.items():
        assert float(budget.spent(each.x, x).max()) <= 1
        inputs = Stimulus(each.x.numpy(), labels)
        right[label] = simulate(spec, inputs.spikes, engine="golden").prediction == labels
        if victim.name == "integer" and (right[label] == each.fooled.numpy()).any():
            raise RuntimeError("the attacked module decides otherwise than the golden model")
    fooled = np.stack([each.fooled.numpy() for each in found.values()])
    return {
        "accuracy": float(1 - fooled.any(0).mean()),
        "integer_accuracy": float(np.stack(list(right.values())).all(0).mean()),
        "by_surrogate": {label: float(1 - each.fooled.float().mean())
                         for label, each in found.items()},
    }


def _speed(trained: runs.Trained, spec: NetworkSpec) -> float:
    """Samples that training takes per second of processor time, on one core; median of three
    epochs of a few batches, augmentation included."""
    recipe = trained.recipe
    merge, settings = recipe.training.merge, recipe.training
    training.seeded(settings.seed)
    net = nets.build(recipe, trained.shape, trained.classes, merge=merge)
    part = merged(trained.samples[: _TIMED_BATCHES * settings.batch], merge)
    trainer = training.Trainer(net, runs.forward(net, recipe), part, trained.shape,
                               settings.model_copy(update={"device": "cpu"}),
                               readout=recipe.readout.contract, network=spec)
    trainer.train_epoch()
    times = []
    for _ in range(3):
        before = time.process_time()
        trainer.train_epoch()
        times.append(time.process_time() - before)
    return len(part) / median(times)
