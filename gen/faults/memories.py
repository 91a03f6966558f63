"""Which bits there are to flip: the memories that are generated for a network and its folding."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.lib import data

from ..convolution import Conv2dPlan
from ..plan import LayerPlan
from ..rtl.neurons import StateLayout
from ..rtl.parameters import parameter_layout


class Kind(enum.Enum):
    """What a memory holds."""

    #: Weights: a way's of a Linear layer, or a bank's copy of a convolution's kernels.
    WEIGHTS = "weights"
    #: Thresholds, decays, biases and one-to-one weights that differ from neuron to neuron. What all
    #: neurons of a layer share is logic.
    PARAMETERS = "parameters"
    #: States of neurons: the leaked and reset membrane, the flag of some resets, the current.
    MEMBRANES = "membranes"


@dataclass(frozen=True)
class Memory:
    """One memory of a design.

    Attributes
    ----------
    kind
    layer, slice
        Number of the layer, and of the slice of it that the memory belongs to.
    place
        Of weights: (way,), or a convolution's bank, (row, column); else nothing.
    depth, width
        Words, and bits of a word. Lanes and units without a neuron have theirs too, and check bits
        of protected weights are bits like all others.
    """

    kind: Kind
    layer: int
    slice: int
    place: tuple[int, ...]
    depth: int
    width: int

    @property
    def bits(self) -> int:
        return self.depth * self.width


def memories(plans: Sequence[LayerPlan]) -> tuple[Memory, ...]:
    """Every memory of ``plans`` that has a :class:`Kind`, layer by layer, slice by slice.

    Queues, sums, counters and the loaded image are not among them: what they hold lives for a
    timestep at most, or is not computed with.
    """
    found = []
    for number, plan in enumerate(plans):
        for index, part in enumerate(plan.slices):
            synapses = part.synapses
            places: list[tuple[int, ...]]
            if isinstance(synapses, Conv2dPlan):
                places = list(np.ndindex(synapses.rows.banks, synapses.columns.banks))
                depth = synapses.weight_words
                width = synapses.lanes * synapses.synapse.weight_bits
            else:
                places = [(way,) for way in range(synapses.ways)]
                depth, width = synapses.bank_words, synapses.code.width
            found += [Memory(Kind.WEIGHTS, number, index, place, depth, width) for place in places]
            parameters = parameter_layout(part).size
            if parameters:
                found.append(Memory(Kind.PARAMETERS, number, index, (), part.steps, parameters))
            state = part.units * StateLayout(part).size
            found.append(Memory(Kind.MEMBRANES, number, index, (), part.steps, state))
    return tuple(found)


@dataclass(frozen=True)
class Field:
    """Part of a word: ``name`` of the neuron in ``unit``."""

    name: str
    unit: int
    offset: int
    width: int


def state_fields(part: LayerPlan) -> list[Field]:
    """Of a word of :attr:`Kind.MEMBRANES`, the lowest first."""
    layout = StateLayout(part)
    return [Field(name, unit, unit * layout.size + layout[name].offset, layout[name].width)
            for unit in range(part.units) for name in layout.members]


def parameter_fields(part: LayerPlan) -> list[Field]:
    """Of a word of :attr:`Kind.PARAMETERS`, the lowest first."""
    fields, layout = [], parameter_layout(part)
    for name in layout.members:
        shape = layout[name].shape
        assert isinstance(shape, data.ArrayLayout)
        width = shape.elem_shape.width
        fields += [Field(name, unit, layout[name].offset + unit * width, width)
                   for unit in range(part.units)]
    return fields


def field_of(fields: Sequence[Field], bit: int) -> tuple[Field, int]:
    """The field that has ``bit`` of a word, and which of its own bits that is."""
    starts = [field.offset for field in fields]
    field = fields[int(np.searchsorted(starts, bit, side="right")) - 1]
    return field, bit - field.offset


def flip_of(field_width: int, bit: int) -> int:
    """What to XOR a signed number of ``field_width`` bits with, so that ``bit`` of it flips."""
    return -(1 << bit) if bit == field_width - 1 else 1 << bit
