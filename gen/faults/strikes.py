"""Flips of membranes, sorted by when they happen and what they hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..plan import LayerPlan
from .memories import Memory, flip_of, state_fields
from .neurons import States

_Ints = npt.NDArray[np.int64]


class Strikes:
    """The ``flips`` of one layer's states.

    Parameters
    ----------
    plan, layer
        The layer, and its number.
    memories
        Of the whole design.
    flips
        int64 (n, 5): see :attr:`~.flips.Flips.passing`; those of other layers are left out.
    """

    def __init__(self, plan: LayerPlan, layer: int, memories: Sequence[Memory], flips: _Ints):
        #: (timestep, member of States, sample, neuron, what to XOR with), a row for each flip.
        rows = [np.zeros((0, 5), np.int64)]
        self._names = ["word", "flag", "current"]
        for number in np.unique(flips[:, 2]):
            memory = memories[number]
            if memory.layer != layer:
                continue
            part = plan.slices[memory.slice]
            table = np.array([
                (field.unit, self._names.index(field.name),
                 1 if field.name == "flag" else flip_of(field.width, bit))
                for field in state_fields(part) for bit in range(field.width)
            ], np.int64)
            sample, timestep, _, word, bit = flips[flips[:, 2] == number].T
            unit, name, change = table[bit].T
            neuron = part.order[word, unit]
            # A unit without a neuron has nothing to lose.
            rows.append(np.stack([timestep, name, sample, neuron, change], axis=1)[neuron >= 0])
        self._rows = np.concatenate(rows)

    def hit(self, states: States, timestep: int) -> None:
        """Changes ``states``, which the sweep of ``timestep`` is about to read."""
        for number, name in enumerate(self._names):
            here = (self._rows[:, 0] == timestep) & (self._rows[:, 1] == number)
            _, _, sample, neuron, change = self._rows[here].T
            values = getattr(states, name)
            if len(sample):
                np.bitwise_xor.at(values, (sample, neuron), change.astype(values.dtype))
