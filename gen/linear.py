"""Numbers that follow from all-to-all synapses and their folding."""

from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arithmetic import signed_bits
from .errors import FoldingError
from .folding import LayerFolding, Protection
from .layers import Layer
from .pooling import SumPool2d
from .protection import WordCode
from .synapses import Linear

#: Most ways of a layer.
MAX_WAYS = 64


@dataclass(frozen=True)
class Source:
    """Signals as they reach a layer's hardware.

    Attributes
    ----------
    order
        int64 (addresses,): which input of the layer, or of its synapse behind a max pooling, an
        address means; −1 is none.
    value_bits
        Width of an event's value; 0 for plain spikes.
    shape
        (channels, height, width) if addresses have these fields, None if they are numbers.
    """

    order: npt.NDArray[np.int64]
    value_bits: int = 0
    shape: tuple[int, int, int] | None = None


class LinearPlan:
    """All-to-all synapses on ``lanes`` accumulators that take ``ways`` events a cycle.

    A recurrence is part of it: the layer's own spikes have the addresses behind those of the layer
    below, in every bank.

    Attributes
    ----------
    lanes
        Neurons an event is added to per cycle, a multiple of ``units``.
    rows
        Cycles of an event, ⌈neurons / lanes⌉. Row r holds neurons r·lanes … r·lanes + lanes − 1;
        lanes beyond the last neuron are built and hold zero weights.
    row_lanes, members
        Lanes of the whole layer, and int64 (lanes,): which of them these are. All, but in a slice.
    ways
        Events per cycle; address a is number ``a // ways`` of bank ``a % ways``.
    storage, code
        Where the weights are, and the :class:`~.protection.WordCode` of their words.
    own_base
        Where in a bank the layer's own spikes begin; without recurrence, the size of a bank.
    bank_inputs, bank_words
        Addresses of a bank, and words of its weights.
    weight_bits, sum_shift, sum_bits
        Width of a stored weight; sums are held divided by ``2**sum_shift``, in ``sum_bits``.
    add_stage
        Cycles from the issue of an operation to the addition of its weights.
    most_synops
        Sums that one cycle can update.
    latency
        Cycles from a step of the sweep to its sums.
    event_cycles
        Cycles of a beat with events.
    takes, take_distance
        Cycles that a sweep takes from the events, and steps from one to the next; none if the sums
        are registers.
    front, available_cycles
        From a timestep's last operation to its sums being available; of these cycles, a sweep that
        takes one holds up the first ``front``.
    """

    def __init__(self, layer: Layer, folding: LayerFolding, source: Source, *, units: int,
                 sum_bits: int, weight_bits: int = 0):
        assert isinstance(layer.synapse, Linear)
        if folding.banks is not None:
            raise FoldingError(
                f"layer {layer.name}: banks are for convolutions; leave them out, or give ways"
            )
        if folding.overlap:
            raise FoldingError(
                f"layer {layer.name}: overlap is for convolutions; leave it out, and give all "
                f"lanes, whose sums are registers from which a sweep takes nothing"
            )
        if not 1 <= folding.ways <= MAX_WAYS:
            raise FoldingError(
                f"layer {layer.name}: {folding.ways} ways; allowed are 1 to {MAX_WAYS}"
            )
        self.layer = layer
        self.ways = folding.ways
        self.storage = folding.storage
        self.value_bits = source.value_bits
        self.units = units
        lanes = layer.neurons if folding.lanes is None else folding.lanes
        self.lanes = self.row_lanes = -(-lanes // units) * units
        self.members = np.arange(self.lanes)
        self.rows = -(-layer.neurons // self.lanes)
        self.steps = -(-layer.neurons // units)
        self.groups = self.lanes // units
        self.inputs = source.order
        matrix, self.sum_shift = self._matrix(layer, source)
        self.own_base = -(-len(source.order) // self.ways)
        own = -(-self.steps * units // self.ways) if isinstance(layer.recurrent, Linear) else 0
        self.bank_inputs = self.own_base + own
        self.bank_words = self.rows * self.bank_inputs
        self._columns = matrix
        self.most_synops = self.ways * self.lanes
        self.weight_bits = max(2, weight_bits, signed_bits(int(matrix.min()), int(matrix.max())))
        if not isinstance(layer.pool, SumPool2d) and not isinstance(layer.recurrent, Linear):
            self.weight_bits = layer.synapse.weight_bits
        self.sum_bits = max(sum_bits - self.sum_shift, self.weight_bits)
        #: Accumulators of a single row are registers.
        self.in_registers = self.rows == 1
        self.code = WordCode(self.lanes, self.weight_bits, Protection(folding.protect))
        self.add_stage = 3 + self.protected + bool(self.value_bits) + (self.ways > 1)
        #: Accumulators of few rows have no time for a register between memory and adder.
        self.read_registered = self.rows >= 3
        if self.in_registers:
            self.latency = 2
        else:
            self.latency = self.add_stage + (not self.read_registered)
        self.event_cycles = self.rows
        self.takes = 0 if self.in_registers else self.rows
        self.take_distance = self.groups
        # A memory's words are read behind the additions to them; a register's snapshot has to be
        # written, add_stage cycles after its issue, by the time it is read, 2 after its step.
        self.front, self.available_cycles = 0, self.add_stage - 1 if self.in_registers else 1

    def _matrix(self, layer: Layer, source: Source) -> tuple[npt.NDArray[np.int64], int]:
        """Weights (neurons, addresses), those of the layer's own spikes last, and their shift."""
        synapse, recurrent = layer.synapse, layer.recurrent
        weight = synapse.weight
        # A max pooling is done before: the source's signals are pooled ones.
        if isinstance(layer.pool, SumPool2d):
            weight = layer.pool.spread(weight)
        matrix = np.where(source.order >= 0, weight[:, source.order], 0)
        shift = synapse.weight_shift
        if isinstance(recurrent, Linear):
            shift = min(shift, recurrent.weight_shift)
            filler = -len(source.order) % self.ways
            own = np.pad(recurrent.weight, [(0, 0), (filler, self.steps * self.units
                                                     - layer.neurons)])
            matrix = np.concatenate([matrix << (synapse.weight_shift - shift),
                                     own << (recurrent.weight_shift - shift)], axis=1)
        return matrix, shift

    def slice(self, members: npt.NDArray[np.int64]) -> "LinearPlan":
        """The same with the lanes ``members`` alone."""
        part = copy(self)
        part.members, part.lanes = members, len(members)
        part.units = len(members) // self.groups
        part.most_synops = part.ways * part.lanes
        part.code = WordCode(part.lanes, part.weight_bits, part.code.protect)
        return part

    @property
    def protected(self) -> bool:
        """Whether a code guards the weights."""
        return bool(self.code.groups)

    @property
    def last_neurons(self) -> int:
        """Lanes that have a neuron in the last row."""
        before = (self.rows - 1) * self.row_lanes
        return int((before + self.members < self.layer.neurons).sum())

    def unconnected(self, way: int) -> list[int]:
        """Addresses in bank ``way`` of pixels that no pooling window holds."""
        if not isinstance(self.layer.pool, SumPool2d):
            return []
        inputs = self.inputs[way :: self.ways]
        return np.flatnonzero((inputs >= 0) & (self.layer.fan_out[inputs] == 0)).tolist()

    def weight_words(self, way: int) -> list[list[int]]:
        """Bank ``way`` of the weights: word row·bank_inputs + address // ways, lane by lane."""
        bank = self._columns[:, way :: self.ways]
        padded = np.zeros((self.rows * self.row_lanes, self.bank_inputs), np.int64)
        padded[: bank.shape[0], : bank.shape[1]] = bank
        rows = padded.reshape(self.rows, self.row_lanes, -1)[:, self.members]
        return rows.transpose(0, 2, 1).reshape(-1, self.lanes).tolist()
