"""What the counters count: the one definition that hardware and every engine share.

Per layer; all counters are cleared together and count until they are read. An event is a signal
other than 0 on its way to a synapse, whatever value it carries. An input that is held over time
sends its events once, because their sums are reused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spec import Linear, NetworkSpec
from .trace import within


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
    Counter("events_in", "events that reached the layer from below; behind a max pooling, one for "
                         "each window with a spike", functional=True),
    Counter("recurrent_events", "the layer's own spikes that came back to all of its neurons: "
                                "those of every timestep but the last (one-to-one recurrence "
                                "stays inside the neuron and sends none)", functional=True),
    Counter("events_out", "events that left the layer: what reaches the next one, or the last "
                          "layer's spikes", functional=True),
    Counter("synops", "synaptic operations: events, own ones included, × neurons that each "
                      "connects to. Weights of zero count; taps beyond a border, and pixels that "
                      "no pooling window holds, are no connection", functional=True),
    Counter("saturations", "membranes clamped to membrane_bits, before the threshold",
            functional=True),
    Counter("busy", "cycles that worked on a beat: added events to the sums, or took a timestep's "
                    "end without any"),
    Counter("sweeping", "cycles taken from the events because the sweep read the sums"),
    Counter("stalled", "cycles in which events waited for the sums of the timesteps before to be "
                       "swept, which waits for the layer behind"),
    Counter("starved", "cycles without a beat while an inference was under way", active=True),
    Counter("queue_peak", "most whole timesteps waiting in front of the layer", peak=True),
)

#: Further counters of each layer, in designs in which some layer's weights are protected; they
#: follow the others within a layer.
PROTECTION_COUNTERS = (
    Counter("weights_mended", "words of protected weights, read for an event, in which a flipped "
                              "bit was mended"),
    Counter("weights_rejected", "words of protected weights, read for an event, in which flipped "
                                "bits were found that could not be mended, so that weights "
                                "counted as 0"),
)

#: Of the whole network; its words follow those of the layers. They mean something if inferences
#: do not overlap.
NETWORK_COUNTERS = (
    Counter("cycles", "cycles in which an inference was under way, from the first input beat to "
                      "the last result beat", active=True),
    Counter("first_spike", "of these, cycles before the last layer's first spike; all, if it has "
                           "none", active=True),
    Counter("decision", "of these, cycles before the decision stood: the first spike, if that "
                        "decides, else the end of the last sweep", active=True),
)

#: Cycles are split without rest: these four add up to the cycles of the inference.
CYCLE_COUNTERS = ("busy", "sweeping", "stalled", "starved")

FUNCTIONAL_COUNTERS = tuple(counter.name for counter in COUNTERS if counter.functional)

_PEAKS = tuple(counter.name for counter in COUNTERS if counter.peak)


def layer_counters(protected: bool) -> tuple[Counter, ...]:
    """The counters that each layer has in hardware, in order; ``protected`` if the weights of some
    layer are."""
    return (*COUNTERS, *PROTECTION_COUNTERS) if protected else COUNTERS


def decode(
    words: npt.NDArray[np.int64], counters: Sequence[Counter] = COUNTERS
) -> tuple[dict[str, npt.NDArray[np.int64]], dict[str, npt.NDArray[np.int64]]]:
    """Counters by name, from ``words`` (…, words) in the order of the hardware's counter port:
    those of the layers, each (…, layers), and those of the network, each (…,). ``counters`` are
    those of a layer."""
    of_layers, of_network = np.split(words, [-len(NETWORK_COUNTERS)], axis=-1)
    of_layers = of_layers.reshape(*words.shape[:-1], -1, len(counters))
    return (
        {counter.name: of_layers[..., n] for n, counter in enumerate(counters)},
        {counter.name: of_network[..., n] for n, counter in enumerate(NETWORK_COUNTERS)},
    )


def total(counter: str, values: npt.NDArray[np.int64]) -> int:
    """``counter`` over samples: counts add up, a high-water mark is the highest of them."""
    return int(values.max() if counter in _PEAKS else values.sum())


def functional(
    spec: NetworkSpec,
    signals: npt.NDArray,
    spikes: Sequence[npt.NDArray[np.bool_]],
    saturations: Sequence[npt.NDArray[np.int64]],
    timesteps: npt.NDArray[np.int64] | None = None,
) -> dict[str, npt.NDArray[np.int64]]:
    """The functional counters, each (samples, layers), from the spikes themselves.

    ``signals`` is the network's input; per layer, ``spikes`` (samples, timesteps, neurons) and
    ``saturations`` (samples,). Of each sample only the first ``timesteps`` (samples,) were
    processed, and the arrays hold 0 in others; all, if not given.
    """
    if timesteps is None:
        timesteps = np.full(len(spikes[0]), spikes[0].shape[1])
    events, own, synops = [], [], []
    for layer, reaching, fired in zip(spec.layers, [signals, *spikes[:-1]], spikes, strict=True):
        each = layer.arriving(reaching).sum(axis=1, dtype=np.int64)
        events.append(each.sum(axis=1))
        returning = isinstance(layer.recurrent, Linear)
        own.append(within(fired, timesteps - 1 if returning else 0 * timesteps).sum(
            axis=(1, 2), dtype=np.int64))
        synops.append(each @ layer.fan_out + own[-1] * layer.neurons)
    last = spikes[-1].sum(axis=(1, 2), dtype=np.int64)
    return {
        "events_in": np.stack(events, axis=1),
        "recurrent_events": np.stack(own, axis=1),
        "events_out": np.stack([*events[1:], last], axis=1),
        "synops": np.stack(synops, axis=1),
        "saturations": np.stack(saturations, axis=1),
    }
