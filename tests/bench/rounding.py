"""What bits, units and decays cost in accuracy, without any training on: docs/quantisation.md."""

from functools import partial
from itertools import product
from typing import Any

import numpy as np

from spikewright.gen import simulate
from spikewright.model.quantisation.memory import stored_bits
from spikewright.model.quantisation.rounding import Quantised
from spikewright.model.quantisation.search import search

from .latency import SEEDS, Case

BITS = (2, 3, 4, 8)

#: Budgets of the search: what so many bits in every layer take.
BUDGETS = (2, 3, 4)


def measure(name: str = "digits") -> list[dict[str, Any]]:
    """Held-back accuracy of rounded nets, mean and spread over seeds."""
    case = Case.of(name)
    found: dict[str, list[tuple[float, float]]] = {}

    def judge(what: str, network: Quantised) -> None:
        trace = simulate(network.spec, case.held_back.spikes, engine="golden")
        found.setdefault(what, []).append(
            (trace.accuracy(case.held_back.labels), sum(stored_bits(network.spec)) / 1000))

    for seed in SEEDS:
        rounded = partial(case.rounded, case.trained(seed))
        for bits, per, decay in product(BITS, ("layer", "channel"),
                                        ("fixed-point", "power-of-two")):
            options = case.recipe.quantisation.model_copy(
                update={"bits": bits, "per": per, "decay": decay, "decay_fraction": 8})
            judge(f"{bits} bits per {per}, {decay} decay", rounded(options))
        for bits in BUDGETS:
            options = case.recipe.quantisation.model_copy(update={"bits": bits, "per": "channel"})
            budget = sum(stored_bits(rounded(options).spec))
            judge(f"searched within what {bits} bits per channel take",
                  rounded(search(rounded, options, case.train, budget).options))
    return [
        {"what": f"{name}, {what}", "seeds": len(figures),
         "accuracy": round(float(np.mean([accuracy for accuracy, _ in figures])), 4),
         "accuracy_spread": round(float(np.std([accuracy for accuracy, _ in figures])), 4),
         "kbit": round(float(np.mean([kbit for _, kbit in figures])), 1)}
        for what, figures in found.items()
    ]
