"""What the counters count: the one definition that hardware and every engine share.

Per layer; all counters are cleared together and count until they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spec import NetworkSpec


@dataclass(frozen=True)
class Counter:
    """``functional`` counters follow from the spikes alone, so every engine reports them; the
    others need a clock. A ``peak`` is the highest value so far, the others are sums. An ``active``
    counter stands still while no inference is under way."""

    name: str
    meaning: str
    functional: bool = False
    peak: bool = False
    active: bool = False


#: In the order in which the hardware's counter port addresses them within a layer.
COUNTERS = (
    Counter("events_in", "spikes that reached the layer", functional=True),
    Counter("events_out", "spikes that left the layer", functional=True),
    Counter("synops", "synaptic operations: events in × neurons they connect to, weights of zero "
                      "included (all-to-all synapses have no holes)", functional=True),
    Counter("saturations", "membranes clamped to membrane_bits, before the threshold",
            functional=True),
    Counter("busy", "cycles that added a row of weights to the membranes"),
    Counter("sweeping", "cycles that only swept the neurons at the end of a timestep"),
    Counter("stalled", "cycles in which work waited: the spike queue behind was full, or the "
                       "sweep before had not left the pipeline"),
    Counter("starved", "cycles without work while an inference was under way", active=True),
    Counter("queue_peak", "most beats waiting in the layer's input queue", peak=True),
)

#: Cycles are split without rest: these four add up to the cycles of the inference.
CYCLE_COUNTERS = ("busy", "sweeping", "stalled", "starved")

FUNCTIONAL_COUNTERS = tuple(counter.name for counter in COUNTERS if counter.functional)


def total(counter: str, values: npt.NDArray[np.int64]) -> int:
    """``counter`` over samples: counts add up, a high-water mark is the highest of them."""
    return int(values.max() if counter == "queue_peak" else values.sum())


def functional(
    spec: NetworkSpec,
    inputs: npt.NDArray[np.bool_],
    spikes: Sequence[npt.NDArray[np.bool_]],
    saturations: Sequence[npt.NDArray[np.int64]],
) -> dict[str, npt.NDArray[np.int64]]:
    """The functional counters, each (samples, layers), from the spikes themselves.

    ``inputs`` (samples, timesteps, inputs); per layer, ``spikes`` (samples, timesteps, neurons) and
    ``saturations`` (samples,).
    """
    events = np.stack([s.sum(axis=(1, 2), dtype=np.int64) for s in (inputs, *spikes)], axis=1)
    return {
        "events_in": events[:, :-1],
        "events_out": events[:, 1:],
        "synops": events[:, :-1] * np.array([layer.neurons for layer in spec.layers]),
        "saturations": np.stack(saturations, axis=1),
    }
