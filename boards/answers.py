"""What boards answer, as a trace."""

from collections.abc import Sequence

import numpy as np

from ..gen.counters import Counter, decode, layer_counters
from ..gen.plan import LayerPlan
from ..gen.trace import Trace
from .host import CounterWords, Result


def counters_of(plans: Sequence[LayerPlan]) -> tuple[Counter, ...]:
    """Those that each layer of a network has."""
    return layer_counters(any(plan.synapses.protected for plan in plans))


def trace(
    engine: str, plans: Sequence[LayerPlan], answers: Sequence[tuple[Result, CounterWords]]
) -> Trace:
    """What ``answers``, result and counters of each sample alone, say of them.

    Spikes of single neurons are not seen from outside, how many each layer sent is.
    """
    results, counted = zip(*answers, strict=True)
    words = np.stack([np.append(each.layers, each.network) for each in counted])
    counters, of_network = decode(words, counters_of(plans))
    return Trace(
        engine=engine,
        spikes=(),
        scores=np.array([result.scores for result in results], np.int64),
        prediction=np.array([result.winner for result in results], np.int64),
        counters=counters,
        spilled=np.array([each.spilled for each in counted]),
        cycles=of_network["cycles"],
        first_spike=of_network["first_spike"],
        decision=of_network["decision"],
    )
