"""What it buys to pay for cycles in training, beside paying for spikes: docs/latency.md.

For every seed a net is trained once in floats and without any price; from there it is trained on in
4-bit integers, once for each price, and judged on the held-back samples: accuracy, and the cycles
of the hardware that the price is meant for.
"""

import json
import os
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from spikewright.gen import NetworkSpec, Stimulus, simulate
from spikewright.gen.errors import DataError
from spikewright.gen.folding_options import folding_of
from spikewright.model import nets
from spikewright.model.data.sources import load
from spikewright.model.data.stimuli import encode
from spikewright.model.exchange.dynamics import float_layers
from spikewright.model.quantisation.rounding import Quantised, post_training
from spikewright.model.quantisation.settings import Quantisation
from spikewright.model.recipe import Recipe
from spikewright.model.training.penalty import Hardware, Penalty
from spikewright.model.training.trainer import Trainer, seeded

SEEDS = range(3)

#: Prices of a spike, and of a cycle.
PRICES = {"digits": (3e-3, 1e-2, 3e-2), "digits_deep": (3e-3, 1e-2), "nmnist": (3e-3, 1e-2)}

#: What the cycles are of: all neurons in parallel, and four input events a cycle, so that not all
#: of the time goes into input; of two hidden layers, the second on eight lanes, so that a spike of
#: the first takes eight cycles, one of the second only one.
HARDWARE = {
    "digits": Hardware(ways="4,1"), "digits_deep": Hardware(lanes="64,8,10", ways="4,1,1"),
    "nmnist": Hardware(ways="4,1"),
}

#: Results so far, so that a study that was stopped goes on.
CACHE = Path("runs/latency")


def recipe(name: str) -> Recipe:
    """The bundled recipe with fewer epochs; N-MNIST at half its resolution and without
    augmentation."""
    if name in ("digits", "digits_deep"):
        hidden = [64] if name == "digits" else [64, 64]
        chosen = Recipe.load("digits").override("net", hidden=hidden)
        return chosen.override("training", epochs=20).override("quantisation", epochs=8)
    chosen = Recipe.load(name)
    path = Path(os.environ.get("SPIKEWRIGHT_DATA", "")) / "nmnist" / "train.npz"
    if not path.is_file():
        raise DataError("set SPIKEWRIGHT_DATA to a folder with nmnist/train.npz")
    fields = chosen.from_source(f"events:{path}").model_dump(mode="json")
    fields["encoding"]["downsample"] = [17, 17]
    fields["net"]["hidden"] = [128]
    fields["training"] |= {"epochs": 30, "augmentation": {}}
    fields["quantisation"]["epochs"] = 8
    return Recipe.check(fields, "latency")


@dataclass
class Case:
    """A recipe, its samples, and the shape of one timestep of them."""

    recipe: Recipe
    train: Stimulus
    held_back: Stimulus
    shape: tuple[int, ...]
    classes: int

    @classmethod
    def of(cls, name: str) -> "Case":
        chosen = recipe(name)
        splits = load(chosen.data, None)
        train, held_back = (encode(chosen.encoding, part, "encoding")
                            for part in (splits.train, splits.held_back))
        shape = chosen.encoding.shape(splits.train.sensor_size)
        return cls(chosen, train, held_back, shape, splits.train.classes)

    def trained(self, seed: int) -> nn.Sequential:
        """The recipe's net in floats."""
        seeded(seed)
        net = nets.build(self.recipe, self.shape, self.classes)
        _run(Trainer(net, partial(nets.unroll, net), self.train, self.shape, self.recipe.training))
        return net

    def rounded(self, net: nn.Sequential, options: Quantisation) -> Quantised:
        return post_training(float_layers(net, self.shape), options, input_shape=self.shape,
                             timesteps=self.recipe.encoding.timesteps)

    def trained_on(self, net: nn.Sequential, penalty: Penalty) -> NetworkSpec:
        """``net`` in integers, trained on at that price."""
        options = self.recipe.quantisation
        quantised = self.rounded(net, options)
        module = quantised.trainable()
        settings = self.recipe.training.model_copy(
            update={"weight_decay": 0.0, "penalty": penalty})
        _run(Trainer(module, module.activity, self.train, self.shape, settings,
                     network=quantised.spec, epochs=options.epochs,
                     learning_rate=options.learning_rate))
        return module.spec()


def _run(trainer: Trainer) -> None:
    while trainer.epoch < trainer.epochs:
        trainer.train_epoch()


def study(name: str) -> list[dict[str, Any]]:
    """Every price and seed on data ``name``; one row each."""
    case, hardware = Case.of(name), HARDWARE[name]
    prices = [("none", 0.0), *product(("spikes", "cycles"), PRICES[name])]
    path = CACHE / f"{name}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for seed in SEEDS:
        done = [(row["kind"], row["price"]) for row in rows if row["seed"] == seed]
        missing = [price for price in prices if price not in done]
        net = case.trained(seed) if missing else None
        for kind, price in missing:
            assert net is not None
            seeded(seed)
            spec = case.trained_on(net, Penalty(hardware=hardware, **(
                {} if kind == "none" else {kind: price})))
            trace = simulate(spec, case.held_back.spikes, engine="cycles",
                             folding=folding_of(hardware.lanes, spec, hardware.ways))
            assert trace.cycles is not None
            rows.append({
                "seed": seed, "kind": kind, "price": price,
                "accuracy": trace.accuracy(case.held_back.labels),
                "cycles": float(trace.cycles.mean()),
                "hidden_spikes": float(trace.counters["events_out"][:, :-1].sum(1).mean()),
            })
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(rows, indent=1))
    return rows


def measure() -> list[dict[str, Any]]:
    """Mean and spread over seeds of every data set and price."""
    found = []
    for name in HARDWARE:
        rows = study(name)
        for kind, price in dict.fromkeys((row["kind"], row["price"]) for row in rows):
            these = [row for row in rows if (row["kind"], row["price"]) == (kind, price)]
            figures = {
                what: [row[what] for row in these]
                for what in ("accuracy", "cycles", "hidden_spikes")
            }
            found.append({
                "what": f"{name}, price of {kind} {price:g}", "seeds": len(these),
                **{what: round(float(np.mean(values)), 4) for what, values in figures.items()},
                **{f"{what}_spread": round(float(np.std(values)), 4)
                   for what, values in figures.items()},
            })
    return found
