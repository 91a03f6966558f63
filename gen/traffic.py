"""How many beats each layer receives in each timestep: all that its timing depends on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .plan import LayerPlan
from .synapses import Linear


@dataclass(frozen=True, eq=False)
class LayerTraffic:
    """Beats with events that reach one layer; 0 is a silent timestep, whose only beat has none.

    A beat carries one event of each way, so there are as many as the fullest way has events.

    Attributes
    ----------
    below
        int (T, S): beats from the layer below in timestep t of sample s; (1, S) for an input that
        is held.
    own
        int (T, S): beats of the layer's own spikes *of* timestep t, which come back with timestep
        t + 1; those of the last do not count. None without an all-to-all recurrence.
    """

    below: npt.NDArray[np.integer]
    own: npt.NDArray[np.integer] | None = None


def beat_counts(events: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Beats (…) of ``events`` (ways, …), numbers of events per way."""
    return events.max(axis=0)


def traffic(plans: Sequence[LayerPlan], signals: npt.NDArray,
            spikes: Sequence[npt.NDArray[np.bool_]]) -> tuple[LayerTraffic, ...]:
    """What reaches the layers of ``plans``, from the network's input ``signals`` (S, T, inputs)
    and every layer's ``spikes`` (S, T, neurons), as a :class:`~.trace.Trace` has them."""
    found = []
    below = _by_way(signals > 0, np.arange(signals.shape[2]), plans[0].synapses.ways)
    for n, (plan, fired) in enumerate(zip(plans, spikes, strict=True)):
        own = None
        if isinstance(plan.layer.recurrent, Linear):
            own = beat_counts(_by_way(fired, _addresses(plan.order), plan.synapses.ways))
        found.append(LayerTraffic(beat_counts(below), own))
        if n + 1 < len(plans):
            arriving = plans[n + 1].layer.arriving(fired)
            below = _by_way(arriving, _addresses(plan.rows.order), plan.ways_out)
    return tuple(found)


def _addresses(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of each signal in the hardware's ``order`` (rows, units), −1 being none."""
    numbers = order.reshape(-1)
    addresses = np.empty(numbers.max() + 1, np.int64)
    addresses[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    return addresses


def _by_way(events: npt.NDArray[np.bool_], addresses: npt.NDArray[np.int64],
            ways: int) -> npt.NDArray[np.int32]:
    """Events (ways, T, S) of ``events`` (S, T, signals), each signal at its address."""
    every = [events] if ways == 1 else [
        events[:, :, addresses % ways == way] for way in range(ways)]
    return np.stack([np.count_nonzero(each, axis=2).T for each in every]).astype(np.int32)
