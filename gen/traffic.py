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


@dataclass(frozen=True, eq=False)
class LayerWays:
    """Which of a layer's ways brings each signal: ``below`` (arriving signals,), behind a max
    pooling, and ``own`` (neurons,), None without an all-to-all recurrence."""

    below: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64] | None


def ways(plans: Sequence[LayerPlan]) -> tuple[LayerWays, ...]:
    """The ways of every layer of ``plans``, on which its signals are dealt out by address."""
    found = []
    addresses = np.arange(plans[0].layer.inputs)
    for n, plan in enumerate(plans):
        count = plan.synapses.ways
        own = None
        if isinstance(plan.layer.recurrent, Linear):
            own = _addresses(plan.order) % count
        found.append(LayerWays(addresses % count, own))
        if n + 1 < len(plans):
            addresses = _addresses(plan.rows.order)
    return tuple(found)


def beat_counts(events: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Beats (…) of ``events`` (ways, …), numbers of events per way."""
    return events.max(axis=0)


def traffic(plans: Sequence[LayerPlan], signals: npt.NDArray,
            spikes: Sequence[npt.NDArray[np.bool_]]) -> tuple[LayerTraffic, ...]:
    """What reaches the layers of ``plans``, from the network's input ``signals`` (S, T, inputs)
    and every layer's ``spikes`` (S, T, neurons), as a :class:`~.trace.Trace` has them."""
    found = []
    for plan, by, reaching, fired in zip(plans, ways(plans), [signals, *spikes[:-1]], spikes,
                                         strict=True):
        below = beat_counts(_by_way(plan.layer.arriving(reaching), by.below))
        own = None if by.own is None else beat_counts(_by_way(fired, by.own))
        found.append(LayerTraffic(below, own))
    return tuple(found)


def _addresses(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of each signal in the hardware's ``order`` (rows, units), −1 being none."""
    numbers = order.reshape(-1)
    addresses = np.empty(numbers.max() + 1, np.int64)
    addresses[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    return addresses


def _by_way(events: npt.NDArray[np.bool_], by: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Events (ways, T, S) of ``events`` (S, T, signals), each signal coming ``by`` its way."""
    count = int(by.max()) + 1
    every = [events] if count == 1 else [events[:, :, by == way] for way in range(count)]
    return np.stack([np.count_nonzero(each, axis=2).T for each in every]).astype(np.int32)
