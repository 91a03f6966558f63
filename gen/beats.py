"""Samples as the beats that hardware takes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import Source
from .plan import LayerPlan
from .rtl.streams import address_bits


def addresses(source: Source) -> npt.NDArray[np.int64]:
    """(inputs,): the address by which the first layer knows each input of the network, ``source``.

    A number, or the fields channel, y and x of a map, x in the lowest bits.
    """
    if source.shape is None:
        return np.arange(len(source.order))
    channels, height, width = source.shape
    channel, y, x = np.unravel_index(np.arange(channels * height * width), source.shape)
    return (((channel << address_bits(height)) | y) << address_bits(width)) | x


def beats(plan: LayerPlan, sample: npt.NDArray[Any]) -> Iterator[dict[str, Any]]:
    """The beats of ``sample``, (timesteps, inputs), as :class:`~.rtl.streams.EventLayout` has them.

    Addresses ascend within a timestep and a way; the tick rides on the timestep's last events, and
    a silent timestep is a bare tick. A timestep has as many beats as its fullest way has events.
    """
    places = addresses(plan.source)
    ways = plan.synapses.ways
    empty: dict[str, Any] = {"event": 0}
    for t, step in enumerate(sample):
        inputs = np.flatnonzero(step)
        queues: list[list[dict[str, Any]]] = [[] for _ in range(ways)]
        for index in inputs.tolist():
            slot: dict[str, Any] = {"event": 1, "address": int(places[index]) // ways}
            if plan.source.shape is not None:
                slot["address"] = _fields(plan.source.shape, index)
            if plan.source.value_bits:
                slot["value"] = int(step[index])
            queues[int(places[index]) % ways].append(slot)
        count = max(1, max(map(len, queues)))
        for n in range(count):
            tick = n == count - 1
            yield {
                "slots": [queue[n] if n < len(queue) else empty for queue in queues],
                "tick": int(tick), "last": int(tick and t == len(sample) - 1),
            }


def _fields(shape: tuple[int, int, int], index: int) -> dict[str, int]:
    """:class:`~.rtl.streams.SpatialLayout` of input ``index``."""
    channel, y, x = (int(n) for n in np.unravel_index(index, shape))
    return {"x": x, "y": y, "channel": channel}
