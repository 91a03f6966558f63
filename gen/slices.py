"""A layer in slices: which lanes and neuron units each of them has.

A sweep's rows of spikes and a row of sums are dealt out alike, so that every slice has the same
part of each: of each period of P = min(units, lanes) units, and of as many lanes, slice s of S has
numbers s·P/S … (s+1)·P/S − 1. The slices' rows of spikes side by side are the layer's.
"""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .convolution import nearest_divisor
from .errors import FoldingError
from .layers import Layer

if TYPE_CHECKING:
    from .plan import LayerPlan


def linear_units(layer: Layer, units: int, *, lanes: int, ways: int, slices: int) -> int:
    """``units`` of a Linear layer, and as many idle ones as it takes to deal a row of spikes out
    to the ``ways`` behind it, and to the ``slices``.

    Raises
    ------
    FoldingError
        If some slice would have no neuron; with the nearest number that works.
    """
    def rounded(slices: int) -> int:
        multiple = math.lcm(ways, slices)
        return -(-units // multiple) * multiple

    def all_used(slices: int) -> bool:
        return (slices - 1) * (rounded(slices) // slices) < layer.neurons

    if not 1 <= slices <= lanes:
        raise FoldingError(
            f"layer {layer.name}: {slices} slices for {lanes} lanes; allowed are 1 to {lanes}"
        )
    if not all_used(slices):
        raise FoldingError(
            f"layer {layer.name}: {slices} slices of {rounded(slices) // slices} units each, as "
            f"the ways behind ask for, leave some without any of the {layer.neurons} neurons; use "
            f"{next(n for n in reversed(range(slices)) if all_used(n))}"
        )
    return rounded(slices)


def cut(plan: LayerPlan, slices: int) -> tuple[LayerPlan, ...]:
    """``plan`` in so many slices, each the plan of a layer with fewer ``units`` and lanes.

    Raises
    ------
    FoldingError
        If they cannot all have the same part; with the nearest number that works.
    """
    units, lanes = plan.units, plan.synapses.lanes
    period = min(units, lanes)
    if slices < 1 or period % slices:
        raise FoldingError(
            f"layer {plan.layer.name}: {slices} slices; a divisor of its {lanes} lanes and {units} "
            f"units is needed, such as {nearest_divisor(period, slices)}"
        )
    parts = []
    for number in range(slices):
        part = copy(plan)
        part.members = _members(units, period, slices, number)
        part.units = len(part.members)
        part.order = plan.order[:, part.members]
        part.synapses = plan.synapses.slice(_members(lanes, period, slices, number))
        parts.append(part)
    return tuple(parts)


def _members(count: int, period: int, slices: int, number: int) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.arange(count) % period // (period // slices) == number)
