"""Pooling between the spikes of one layer and the synapses of the next.

Average pooling is :class:`SumPool2d`, its ``1/(kh·kw)`` folded into the weights behind it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .validation import pair, shape3


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool2d:
    """Windows over the maps of each channel, without padding; a rest at the border that fills no
    window is dropped, as torch's pooling does with ``ceil_mode=False``.

    Parameters
    ----------
    input_shape
        (channels, height, width).
    kernel
        (kh, kw) of a window; one integer for both.
    stride
        (sy, sx) from window to window; the kernel itself if not given.
    """

    input_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = None  # type: ignore[assignment]  # it is set below

    def __post_init__(self) -> None:
        shape = shape3(self.input_shape, "input_shape of the pooling")
        _, height, width = shape
        object.__setattr__(self, "input_shape", shape)
        sides = (range(1, height + 1), range(1, width + 1))
        object.__setattr__(self, "kernel", pair(self.kernel, sides, "kernel of the pooling"))
        stride: Any = self.kernel if self.stride is None else self.stride
        object.__setattr__(self, "stride", pair(stride, sides, "stride of the pooling"))

    @property
    def inputs(self) -> int:
        """Signals that reach the windows."""
        return int(np.prod(self.input_shape))

    @property
    def outputs(self) -> int:
        """Pooled signals."""
        return int(np.prod(self.output_shape))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the pooled signals."""
        height, width = (
            (side - kernel) // stride + 1
            for side, kernel, stride in zip(self.input_shape[1:], self.kernel, self.stride,
                                            strict=True)
        )
        return self.input_shape[0], height, width

    def windows(self, axis: int) -> npt.NDArray[np.bool_]:
        """(outputs, inputs) along ``axis``, 0 vertical and 1 horizontal: True where a window holds
        a pixel."""
        first = np.arange(self.output_shape[1 + axis])[:, np.newaxis] * self.stride[axis]
        offset = np.arange(self.input_shape[1 + axis]) - first
        return (offset >= 0) & (offset < self.kernel[axis])

    def window_sums(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Sum of every window: (…, inputs) → (…, outputs)."""
        rows, columns = (self.windows(axis).astype(np.float64) for axis in (0, 1))
        maps = signals.reshape(-1, *self.input_shape[1:]).astype(np.float64)
        pooled = rows @ maps @ columns.T
        return pooled.reshape(*signals.shape[:-1], self.outputs).astype(np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class SumPool2d(Pool2d):
    """The spikes of a window are summed: the synapse behind it sees how many there were.

    Parameters as :class:`Pool2d`.
    """

    def apply(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """(…, inputs) → int64 (…, outputs)."""
        return self.window_sums(signals)

    def spread(self, weight: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Weights of the pooled signals as weights of the signals: (…, outputs) → (…, inputs)."""
        rows, columns = (self.windows(axis).astype(np.int64) for axis in (0, 1))
        spread = rows.T @ weight.reshape(-1, *self.output_shape[1:]) @ columns
        return spread.reshape(*weight.shape[:-1], self.inputs)

    @property
    def overlap(self) -> int:
        """Most windows that one signal counts in."""
        return int(np.prod([self.windows(axis).sum(axis=0).max() for axis in (0, 1)]))

    @property
    def most(self) -> int:
        """Largest pooled value of signals that are at most 1."""
        return self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool2d(Pool2d):
    """One spike for a window with any spike; not for network inputs.

    Parameters as :class:`Pool2d`.
    """

    def apply(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """(…, inputs) → bool (…, outputs)."""
        return self.window_sums(signals) > 0

    @property
    def most(self) -> int:
        """Largest pooled value of signals that are at most 1."""
        return 1
