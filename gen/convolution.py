"""Where the sums of a convolution live, and which of them an input event reaches.

An event at (c, y, x) adds ``w[k, c, ky, kx]`` to the sums of all output channels k at every output
position (Y, X) with ``y + py − Y·sy = ky`` in 0 … Kh−1, and likewise in x. These positions are
neighbours, so with output position (Y, X) kept in bank (Y mod by, X mod bx) of a grid of by × bx
memories, ``by·bx`` of them are reached at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import FoldingError
from .folding import Storage

if TYPE_CHECKING:
    from .layers import Conv2d, SumPool2d


class Tap(NamedTuple):
    """What an event's coordinate means to one bank of an axis: which tap of the kernel it meets
    at which of the bank's positions; ``valid`` is false if it meets none."""

    valid: bool
    tap: int
    slot: int


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution, its sums interleaved over ``banks``.

    Parameters
    ----------
    signal : int
        Coordinates an event can have.
    inputs, outputs : int
        Positions before (pooled) and after the convolution.
    pool : int
        Coordinates summed into one input position; those after the last whole window reach none.
    pool_stride : int
        From one window to the next.
    kernel, stride, padding, banks : int
    """

    signal: int
    inputs: int
    outputs: int
    pool: int
    pool_stride: int
    kernel: int
    stride: int
    padding: int
    banks: int

    @property
    def reach(self) -> int:
        """Neighbouring output positions that an event may reach: ⌈kernel / stride⌉."""
        return -(-self.kernel // self.stride)

    @property
    def most_banks(self) -> int:
        """Banks that have something to do at once."""
        return min(self.reach, self.outputs)

    @property
    def slots(self) -> int:
        """Positions that one bank holds."""
        return -(-self.outputs // self.banks)

    @property
    def passes(self) -> int:
        """Accesses of the banks that one event takes, however many of them reach anything."""
        if self.banks == self.outputs:
            return 1
        return -(-self.reach // self.banks)

    def taps(self, coordinate: int, turn: int) -> list[Tap]:
        """What ``coordinate`` means to each bank in pass ``turn``."""
        position = coordinate // self.pool_stride
        if coordinate % self.pool_stride >= self.pool or position >= self.inputs:
            return [Tap(False, 0, 0)] * self.banks
        padded = position + self.padding
        if self.banks == self.outputs:
            reached = range(self.outputs)
        else:
            highest = padded // self.stride - turn * self.banks
            reached = range(highest - self.banks + 1, highest + 1)
        found = [Tap(False, 0, 0)] * self.banks
        for output in reached:
            tap = padded - output * self.stride
            if 0 <= output < self.outputs and 0 <= tap < self.kernel:
                found[output % self.banks] = Tap(True, tap, output // self.banks)
        return found


class Conv2dPlan:
    """Numbers that follow from a convolution and its folding, computed once.

    Parameters
    ----------
    name : str
        Of the layer, for messages.
    synapse : Conv2d
    sum_bits : int
        Width of a timestep's sum, in membrane steps.
    lanes : int or None
        Output channels that each bank updates per cycle; divides the output channels of a group.
        None: all of them.
    banks : (int, int) or None
        Banks in y and x; None: as many as one event can reach, ⌈kernel / stride⌉ each.
    units : int or None
        Sums that the sweep gets per step. Either P·lanes, for P neighbouring positions in x, where
        P divides the banks in x; or a divisor of ``lanes``. None: ``lanes``.
    overlap : bool
        Each bank has a memory for the sums of even timesteps and one for those of odd ones.
    value_bits : int
        Width of the events' values; 0 for plain spikes.
    storage : Storage
        Of the weights; each bank has its own copy of them.
    pool : SumPool2d or None
        Windows of the signal that are summed before they reach the kernel. They cost nothing: an
        event is looked up by its place before pooling.

    Attributes
    ----------
    lanes, units, rows, columns
        As chosen; ``rows`` and ``columns`` are the :class:`Axis` of y and x, with their banks.
    members
        int64 (lanes,): which lanes of a block these are. All, but in a slice.
    signal_shape, output_shape
        (channels, height, width) of the events and of the neurons.
    blocks, group_blocks
        Blocks of ``lanes`` output channels: of the layer, and of one group.
    event_cycles
        Cycles an event takes, wherever it is: ``group_blocks`` times the passes in y and x.
    front
        Cycles an operation spends between its issue and the banks: 2, or 3 with values.
    available_cycles
        From a timestep's last cycle of events to its sums being available: front + 4, or front + 3
        with ``overlap``, whose sweep reads the banks a cycle after its step.
    takes, take_distance
        Cycles that a sweep takes from the events, one for each sum row, and steps from one to the
        next; none with ``overlap``.
    latency
        Cycles from a step of the sweep to its sums.
    positions
        P: neighbouring positions of a sum row.
    row_steps
        G: steps that one sum row serves.
    row_groups
        ⌈width / P⌉: groups of P positions in one row of the output.
    sum_rows, steps
        Sum rows of a sweep, and its steps. Sum row ``(y·row_groups + x // P)·blocks + block``
        holds positions x … x+P−1 and, innermost, channels block·lanes … block·lanes+lanes−1.
        Positions beyond the width do not exist.
    most_synops
        Sums that one cycle can update.
    ways
        Events per cycle, 1.
    weight_bits
        Width of a stored weight.
    word_bits
        Of one sum in memory, without the low bits that ``weight_shift`` makes zero.
    sum_words, weight_words
        Of the two memories of each bank.

    Raises
    ------
    FoldingError
        If a number is out of range or does not divide; with the nearest one that works.
    """

    ways = 1
    #: No code guards the banks' copies of the weights.
    protected = False

    def __init__(self, name: str, synapse: Conv2d, *, sum_bits: int, lanes: int | None = None,
                 banks: tuple[int, int] | None = None, units: int | None = None,
                 overlap: bool = False, value_bits: int = 0, pool: SumPool2d | None = None,
                 storage: Storage = Storage.FIXED):
        self.name = name
        self.synapse = synapse
        self.sum_bits = sum_bits
        self.overlap = overlap
        self.value_bits = value_bits
        self.storage = storage
        self.weight_bits = synapse.weight_bits
        self.signal_shape = synapse.input_shape if pool is None else pool.input_shape
        self.output_shape = synapse.output_shape
        self.rows, self.columns = self._axes(pool, banks)
        channels, _, width = self.output_shape
        group_channels = channels // synapse.groups

        self.lanes = group_channels if lanes is None else lanes
        if self.lanes < 1 or group_channels % self.lanes:
            raise FoldingError(
                f"layer {name}: {lanes} lanes; a divisor of the {group_channels} output channels "
                f"of a group is needed, such as {nearest_divisor(group_channels, self.lanes)}"
            )
        self.members = np.arange(self.lanes)
        self.blocks = channels // self.lanes
        self.group_blocks = group_channels // self.lanes
        self.event_cycles = self.group_blocks * self.rows.passes * self.columns.passes

        #: From a step of the sweep to its sums, which are in membrane steps.
        self.latency, self.sum_shift = 3 + overlap, 0
        self.front = 3 if value_bits else 2
        self.available_cycles = self.front + 4 - overlap
        self.in_registers = False

        self.units = self.lanes if units is None else units
        self._check_units()
        self.positions = max(1, self.units // self.lanes)
        self.row_steps = max(1, self.lanes // self.units)
        self.row_groups = -(-width // self.positions)
        self.sum_rows = self.output_shape[1] * self.row_groups * self.blocks
        self.steps = self.sum_rows * self.row_steps
        self.takes, self.take_distance = 0 if overlap else self.sum_rows, self.row_steps

        self.most_synops = self.rows.banks * self.columns.banks * self.lanes
        self.sum_words = 2 * self.rows.slots * self.columns.slots * self.blocks
        # Sums that are always 0 have no bit above the shift.
        self.word_bits = max(sum_bits - synapse.weight_shift, 1)
        self.weight_words = synapse.weight[0, 0].size * self.signal_shape[0] * self.group_blocks

    def _axes(self, pool: SumPool2d | None, banks: tuple[int, int] | None) -> list[Axis]:
        synapse = self.synapse
        window = (1, 1) if pool is None else pool.kernel
        step = window if pool is None else pool.stride or window
        if any(s < k for s, k in zip(step, window, strict=True)):
            raise FoldingError(
                f"layer {self.name}: pooling windows of {window} overlap at stride {step}; a "
                f"stride of at least the window, such as {window}, is needed before a convolution"
            )
        axes = [
            Axis(
                signal=self.signal_shape[1 + n], inputs=synapse.input_shape[1 + n],
                outputs=synapse.output_shape[1 + n],
                pool=window[n], pool_stride=step[n],
                kernel=synapse.weight.shape[2 + n], stride=synapse.stride[n],
                padding=synapse.padding[n], banks=1,
            )
            for n in range(2)
        ]
        most = tuple(axis.most_banks for axis in axes)
        chosen = most if banks is None else banks
        if any(not 1 <= n <= limit for n, limit in zip(chosen, most, strict=True)):
            nearest = tuple(min(max(n, 1), limit) for n, limit in zip(chosen, most, strict=True))
            raise FoldingError(
                f"layer {self.name}: {chosen[0]} × {chosen[1]} banks; one event reaches at most "
                f"{most[0]} × {most[1]} positions, so more banks would idle; use {nearest[0]} × "
                f"{nearest[1]}"
            )
        return [replace(axis, banks=n) for axis, n in zip(axes, chosen, strict=True)]

    def _check_units(self) -> None:
        lanes, banks = self.lanes, self.columns.banks
        allowed = [n for n in range(1, lanes) if lanes % n == 0]
        allowed += [lanes * n for n in range(1, banks + 1) if banks % n == 0]
        if self.units not in allowed:
            nearest = min(allowed, key=lambda n: (abs(n - self.units), n))
            raise FoldingError(
                f"layer {self.name}: {self.units} units; {lanes} lanes, {banks} banks in x allow "
                f"{', '.join(map(str, allowed))}; use {nearest}"
            )

    def weights(self) -> Iterator[list[int]]:
        """The words of a weight memory: word ``((ky·Kw + kx)·channels + c)·group_blocks + block``
        holds, lane by lane, the weights from input channel c to the block of its group."""
        weight = self.synapse.weight
        outputs, group_inputs, height, width = weight.shape
        group_outputs = outputs // self.synapse.groups
        for ky, kx, channel in np.ndindex(height, width, self.signal_shape[0]):
            first = channel // group_inputs * group_outputs
            column = weight[first : first + group_outputs, channel % group_inputs, ky, kx]
            yield from column.reshape(self.group_blocks, -1)[:, self.members].tolist()

    def slice(self, members: npt.NDArray[np.int64]) -> Conv2dPlan:
        """The same with the lanes ``members`` of each block alone."""
        part, count = copy(self), len(self.members) // len(members)
        part.members, part.lanes, part.units = members, len(members), self.units // count
        part.most_synops = self.most_synops // count
        return part

    def neurons(self) -> Iterator[list[int]]:
        """For each step of a sweep, the neurons (flat C, H, W) whose sums it gets; −1: none."""
        _, height, width = self.output_shape
        for y, group, block in np.ndindex(height, self.row_groups, self.blocks):
            row = [
                (channel * height + y) * width + x if x < width else -1
                for x in range(group * self.positions, (group + 1) * self.positions)
                for channel in range(block * self.lanes, (block + 1) * self.lanes)
            ]
            for first in range(0, len(row), self.units):
                yield row[first : first + self.units]


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of ``number`` that is closest to ``wanted``, of two the smaller."""
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    return min(divisors, key=lambda n: (abs(n - wanted), n))
