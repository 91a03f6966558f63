"""Input spikes as the beats that hardware takes, and results as hardware gives them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Beat(NamedTuple):
    """One transfer of :class:`spikewright.gen.rtl.streams.EventLayout`."""

    address: int
    event: int
    tick: int
    last: int


def beats(spikes: npt.NDArray[np.bool_]) -> Iterator[Beat]:
    """The beats of one sample, (timesteps, inputs): addresses ascend within a timestep, the tick
    rides on its last event, and a silent timestep is a bare tick."""
    for t, step in enumerate(spikes):
        last = int(t == len(spikes) - 1)
        addresses = np.flatnonzero(step).tolist()
        for address in addresses[:-1]:
            yield Beat(address, 1, 0, 0)
        if addresses:
            yield Beat(addresses[-1], 1, 1, last)
        else:
            yield Beat(0, 0, 1, last)
