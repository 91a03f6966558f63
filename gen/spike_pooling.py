"""Which spikes of a sweep fall into which window of a max pooling."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from .convolution import Conv2dPlan
from .errors import FoldingError
from .pooling import MaxPool2d


class Window(NamedTuple):
    """One window as a row of P neighbouring positions sees it: ``members`` are the positions of
    the row inside it; ``begun`` if rows before had others."""

    members: list[int]
    begun: bool


class SpikePoolingPlan:
    """Numbers that follow from a max pooling behind a convolution, computed once.

    Rows of spikes come in the sweep's order. One that completes windows, in the last image row of
    the windows, becomes a pooled row; its place p holds, channel by channel, the p-th window that
    it completes.

    Parameters
    ----------
    source : Conv2dPlan
        Of the layer whose spikes are pooled.
    pool : MaxPool2d

    Attributes
    ----------
    kernel, stride
        Of the windows, in y and x.
    lanes, blocks, positions, row_groups
        Channels of a row; rows of a place, of all its channels; places of a row; rows (or blocks
        of them) of an image row: as the sweep deals them out.
    places, units
        Windows of a pooled row, and its width, ``places·lanes``.
    phases
        Rows after which windows begin at the same position of a row again.
    rows
        Pooled rows of a timestep.
    order
        int64 (rows, units): the pooled signals (flat C, H, W) of each pooled row; −1 is none.

    Raises
    ------
    FoldingError
        If windows overlap, or the shapes differ.
    """

    def __init__(self, source: Conv2dPlan, pool: MaxPool2d):
        self.kernel, self.stride = pool.kernel, pool.stride or pool.kernel
        if any(s < k for s, k in zip(self.stride, self.kernel, strict=True)):
            raise FoldingError(
                f"max pooling behind layer {source.name}: windows of {pool.kernel} overlap at "
                f"stride {pool.stride}; a stride of at least the kernel, such as {pool.kernel}, is "
                f"needed"
            )
        if pool.input_shape != source.output_shape:
            raise FoldingError(
                f"max pooling behind layer {source.name} takes {pool.input_shape}, but the layer "
                f"gives {source.output_shape}"
            )
        self.pool = pool
        self.lanes = source.units // source.positions
        self.blocks = source.blocks * source.row_steps
        self.positions = source.positions
        self.row_groups = source.row_groups
        self.phases = self.stride[1] // gcd(self.stride[1], self.positions)
        self.places = max(1, *(len(self.completed(group)) for group in range(self.phases)))
        self.units = self.places * self.lanes
        self.order = self._order()
        self.rows = len(self.order)
        #: Of the first window of each row of a pooled image row, and the sweep's step that
        #: completes the last row.
        self.xs = tuple(self._first_window(group) for group in range(self.row_groups))
        last_line = (pool.output_shape[1] - 1) * pool.stride[0] + pool.kernel[0] - 1
        self.last_step = (last_line + 1) * self.row_groups * self.blocks - 1

    def _first_window(self, group: int) -> int:
        """The first window that ends in row ``group`` or after it."""
        (_, kernel), (_, stride) = self.kernel, self.stride
        return max(0, -(-(group * self.positions - kernel + 1) // stride))

    def completed(self, group: int) -> list[Window]:
        """The windows that end in row ``group`` of an image row, whose width plays no part."""
        (_, kernel), (_, stride) = self.kernel, self.stride
        first = group * self.positions
        windows = []
        start = self._first_window(group) * stride
        while start + kernel <= first + self.positions:
            windows.append(Window([x for x in range(start - first, start - first + kernel)
                                   if x >= 0], start < first))
            start += stride
        return windows

    def left_open(self, group: int) -> Window:
        """The window that begins in row ``group`` or before it and ends after it, if any."""
        (_, kernel), (_, stride) = self.kernel, self.stride
        first = group * self.positions
        start = self._first_window(group + 1) * stride - first
        members = [x for x in range(self.positions) if start <= x < start + kernel]
        return Window(members, start < 0)

    def _order(self) -> np.ndarray:
        channels, height, width = self.pool.output_shape
        order = np.full((height, self.row_groups, self.blocks, self.places, self.lanes), -1)
        for y, group, place in np.ndindex(height, self.row_groups, self.places):
            x = self._first_window(group) + place
            if place < len(self.completed(group)) and x < width:
                signals = (np.arange(channels) * height + y) * width + x
                order[y, group, :, place] = signals.reshape(self.blocks, self.lanes)
        order = order.reshape(-1, self.units)
        order.setflags(write=False)
        return order
