"""What it buys to pay for cycles in training, beside paying for spikes: docs/latency.md.

For every seed a net is trained once in floats and without any price; from there it is trained on in
4-bit integers, once for each price, and judged on the held-back samples: accuracy, and the cycles
of the hardware that the price is meant for.
"""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.gen import simulate
from spikewright.gen.errors import DataError
from spikewright.gen.folding_options import folding_of
from spikewright.model import nets
from spikewright.model.data.sources import load
from spikewright.model.data.stimuli import encode
from spikewright.model.exchange.dynamics import float_layers
from spikewright.model.quantisation.rounding import post_training
from spikewright.model.recipe import Recipe
from spikewright.model.training.penalty import Hardware, Penalty
from spikewright.model.training.trainer import Trainer, seeded

SEEDS = range(3)

#: Prices of a spike and of a cycle.
PRICES = {"spikes": (1e-3, 3e-3, 1e-2, 3e-2), "cycles": (1e-3, 3e-3, 1e-2, 3e-2)}

#: What the cycles are of: all neurons in parallel, and for N-MNIST four input events a cycle.
HARDWARE = {"digits": Hardware(), "nmnist": Hardware(ways="4,1")}

#: Results so far, so that a study that was stopped goes on.
CACHE = Path("runs/latency")


def recipe(name: str) -> Recipe:
    """The bundled recipe with fewer epochs; N-MNIST at half its resolution and without
    augmentation."""
    chosen = Recipe.load(name)
    if name == "digits":
        return chosen.override("training", epochs=30).override("quantisation", epochs=12)
    path = Path(os.environ.get("SPIKEWRIGHT_DATA", "")) / "nmnist" / "train.npz"
    if not path.is_file():
        raise DataError("set SPIKEWRIGHT_DATA to a folder with nmnist/train.npz")
    fields = chosen.from_source(f"events:{path}").model_dump(mode="json")
    fields["encoding"]["downsample"] = [17, 17]
    fields["net"]["hidden"] = [128]
    fields["training"] |= {"epochs": 40, "augmentation": {}}
    fields["quantisation"]["epochs"] = 12
    return Recipe.check(fields, "latency")


def study(name: str) -> list[dict[str, Any]]:
    """Every price and seed on data ``name``; one row each."""
    chosen, folded = recipe(name), HARDWARE[name]
    splits = load(chosen.data, None)
    train, held_back = (encode(chosen.encoding, part, "encoding")
                        for part in (splits.train, splits.held_back))
    shape = chosen.encoding.shape(splits.train.sensor_size)
    prices = [("none", 0.0), *((kind, price) for kind, each in PRICES.items() for price in each)]
    path = CACHE / f"{name}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for seed in SEEDS:
        missing = [price for price in prices
                   if [seed, *price] not in [[row["seed"], row["kind"], row["price"]]
                                             for row in rows]]
        if not missing:
            continue
        seeded(seed)
        net = nets.build(chosen, shape, splits.train.classes)
        trainer = Trainer(net, partial(nets.unroll, net), train, shape, chosen.training)
        while trainer.epoch < trainer.epochs:
            trainer.train_epoch()
        for kind, price in missing:
            seeded(seed)
            quantised = post_training(
                float_layers(net, shape), chosen.quantisation, input_shape=shape,
                timesteps=chosen.encoding.timesteps,
            )
            penalty = Penalty(hardware=folded, **({} if kind == "none" else {kind: price}))
            module = quantised.trainable()
            trainer = Trainer(
                module, module.activity, train, shape,
                chosen.training.model_copy(update={"weight_decay": 0.0, "penalty": penalty}),
                network=quantised.spec, epochs=chosen.quantisation.epochs,
                learning_rate=chosen.quantisation.learning_rate,
            )
            while trainer.epoch < trainer.epochs:
                trainer.train_epoch()
            spec = module.spec()
            trace = simulate(spec, held_back.spikes, engine="cycles",
                             folding=folding_of(folded.lanes, spec, folded.ways))
            assert trace.cycles is not None
            rows.append({
                "data": name, "seed": seed, "kind": kind, "price": price,
                "accuracy": trace.accuracy(held_back.labels),
                "cycles": float(trace.cycles.mean()),
                "hidden_spikes": float(trace.counters["events_out"][:, :-1].sum(1).mean()),
                "input_spikes": float(trace.counters["events_in"][:, 0].mean()),
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
