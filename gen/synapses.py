"""Synapses of the contract: from the signals that reach a layer to one sum per neuron.

A signal is a spike, 0 or 1; behind a sum pooling, or where the network's input carries values, it
is a small integer. Signals and neurons of a map are counted in the order channel, y, x.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import SpecError
from .validation import PerNeuron, choice, integers, pair, per_neuron, shape3, signals

WEIGHT_BITS = range(2, 9)
WEIGHT_SHIFTS = range(0, 17)

#: Input patches of a convolution are held below this many bytes.
_PATCH_BYTES = 1 << 25

#: Most inputs that a kernel covers, place after place: what one frame of patches may take.
_MOST_TAPS = 1 << 27


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """All-to-all synapses: ``Σᵢ 2ᶠ·wᵢ·sᵢ`` for each of N neurons from K inputs.

    Parameters
    ----------
    weight
        Integers of shape (N, K), ``−2ᵇ⁻¹ ≤ w < 2ᵇ⁻¹``; (neurons, inputs) as in ``torch.nn.Linear``.
    weight_bits
        b, 2 to 8: what one weight occupies in memory.
    weight_shift
        f, 0 to 16: one weight step is 2ᶠ membrane steps, so a coarse weight does not force a
        coarse membrane. Free in hardware: the low f bits take no part in the addition.
    """

    weight: npt.NDArray[np.int64]
    weight_bits: int
    weight_shift: int = 0

    def __post_init__(self) -> None:
        _check_weight(self, ("neurons", "inputs"))

    @property
    def neurons(self) -> int:
        return self.weight.shape[0]

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.neurons,)

    def apply(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Sums, int64 (…, neurons), of ``signals``, integers of at least 0 (…, inputs)."""
        exact = _exact_float(self.weight, signals)
        sums = signals.astype(exact) @ self.weight.T.astype(exact)
        return sums.astype(np.int64) << self.weight_shift


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d:
    """``torch.nn.Conv2d``'s cross-correlation, its padding zeros: for neuron (c, y, x)::

        Σ 2ᶠ·w[c, k, j, i]·s[g(c)·C/groups + k, y·sy + j − py, x·sx + i − px]

    over k, j, i, where ``g(c) = ⌊c / (C_out/groups)⌋``.

    Parameters
    ----------
    weight
        Integers of shape (C_out, C/groups, Kh, Kw).
    weight_bits, weight_shift
        As those of :class:`Linear`.
    input_shape
        (C, H, W) of the signals.
    stride
        (sy, sx), at least 1; one integer for both.
    padding
        (py, px), less than the kernel's sides: each neuron sees at least one input.
    groups
        Divides C and C_out; C for depthwise convolution.
    """

    weight: npt.NDArray[np.int64]
    weight_bits: int
    weight_shift: int = 0
    input_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def __post_init__(self) -> None:
        _check_weight(self, ("output channels", "input channels / groups", "height", "width"))
        shape = shape3(self.input_shape, "input_shape of the convolution")
        object.__setattr__(self, "input_shape", shape)
        channels, height, width = shape
        outputs, per_group, kh, kw = self.weight.shape
        object.__setattr__(self, "padding", pair(self.padding, (range(kh), range(kw)), "padding"))
        object.__setattr__(self, "stride", pair(
            self.stride, (range(1, height + 1), range(1, width + 1)), "stride"
        ))
        choice(self.groups, range(1, channels + 1), "groups")
        if channels % self.groups or outputs % self.groups:
            raise SpecError(
                f"groups is {self.groups}; it must divide {channels} input and {outputs} output "
                f"channels; the greatest that does is {np.gcd(channels, outputs)}"
            )
        if per_group * self.groups != channels:
            raise SpecError(
                f"weight has {per_group} input channels for each of {self.groups} groups, which "
                f"is not the {channels} channels of input_shape"
            )
        py, px = self.padding
        if kh > height + 2 * py or kw > width + 2 * px:
            raise SpecError(
                f"kernel {kh}×{kw} is larger than the input {height}×{width} with padding "
                f"{py}, {px}; use a smaller kernel or more padding"
            )
        signals(self.output_shape, "output of the convolution")
        if (patch := kh * kw * channels * self.output_shape[1] * self.output_shape[2]) > _MOST_TAPS:
            raise SpecError(
                f"kernel {kh}×{kw} covers {patch} inputs in all its places; at most {_MOST_TAPS} "
                f"are allowed; use a smaller kernel or a larger stride"
            )

    @property
    def neurons(self) -> int:
        return int(np.prod(self.output_shape))

    @property
    def inputs(self) -> int:
        return int(np.prod(self.input_shape))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(C_out, height, width) of the neurons."""
        height, width = (
            (side + 2 * padding - kernel) // stride + 1
            for side, padding, kernel, stride in zip(
                self.input_shape[1:], self.padding, self.weight.shape[2:], self.stride, strict=True)
        )
        return self.weight.shape[0], height, width

    def taps(self, axis: int) -> npt.NDArray[np.bool_]:
        """(outputs, inputs) along ``axis``, 0 vertical and 1 horizontal: True where a neuron's
        kernel covers an input; what lies beyond the border is no input."""
        first = np.arange(self.output_shape[1 + axis]) * self.stride[axis] - self.padding[axis]
        offset = np.arange(self.input_shape[1 + axis]) - first[:, np.newaxis]
        return (offset >= 0) & (offset < self.weight.shape[2 + axis])

    def apply(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Sums, int64 (…, neurons), of ``signals``, integers of at least 0 (…, inputs)."""
        maps = signals.reshape(-1, *self.input_shape)
        exact = _exact_float(self.weight, signals)
        patches = self.weight[0].size * self.groups * self.neurons // self.weight.shape[0]
        frames = max(1, _PATCH_BYTES // (8 * patches))
        sums = np.zeros((len(maps), *self.output_shape), np.int64)
        busy = np.flatnonzero(maps.any(axis=(1, 2, 3)))
        for start in range(0, len(busy), frames):
            some = busy[start : start + frames]
            sums[some] = self._correlate(maps[some].astype(exact))
        return sums.reshape(*signals.shape[:-1], self.neurons) << self.weight_shift

    def _correlate(self, maps: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Products of input patches and kernels, group by group, in the type of ``maps``."""
        outputs, per_group, *kernel = self.weight.shape
        _, height, width = self.output_shape
        (py, px), (sy, sx) = self.padding, self.stride
        padded = np.pad(maps, ((0, 0), (0, 0), (py, py), (px, px)))
        patches = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
        # (frames, C, height, width, Kh, Kw) → (frames, height, width, C, Kh, Kw)
        patches = patches[:, :, ::sy, ::sx].transpose(0, 2, 3, 1, 4, 5)
        kernels = self.weight.astype(maps.dtype).reshape(self.groups, outputs // self.groups, -1)
        sums = [
            patches[:, :, :, g * per_group : (g + 1) * per_group].reshape(
                -1, kernels.shape[2]) @ kernels[g].T
            for g in range(self.groups)
        ]
        by_place = np.concatenate(sums, axis=1).reshape(len(maps), height, width, outputs)
        return by_place.transpose(0, 3, 1, 2)


@dataclass(frozen=True, eq=False, kw_only=True)
class OneToOne:
    """Recurrent synapses from each neuron to itself alone: snnTorch's ``all_to_all=False``.

    ``weight``, one for all neurons or one each, is added to the neuron's input in the timestep
    after it fired, in membrane steps.
    """

    weight: PerNeuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", per_neuron(self.weight, "one-to-one weight"))

    def apply(self, signals: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Sums, int64 (…, neurons), of ``signals``, integers (…, neurons)."""
        return signals.astype(np.int64) * self.weight


def dense(synapse: Linear | Conv2d) -> npt.NDArray[np.int64]:
    """``synapse`` as a matrix (neurons, inputs) with ``synapse.apply(s) == s @ dense.T``; it has
    neurons × inputs entries, so it is for small networks."""
    return synapse.apply(np.eye(synapse.inputs, dtype=np.bool_)).T


def _exact_float(weight: npt.NDArray[np.int64], signals: npt.NDArray[Any]) -> type:
    """The narrowest float in which every sum of ``signals`` is exact, whatever its order: integers
    are exact below 2²⁴ or 2⁵³, and matrix products of floats are the fast ones."""
    widest = np.abs(weight).reshape(len(weight), -1).sum(axis=1).max()
    return np.float32 if widest * int(signals.max(initial=0)) < 1 << 24 else np.float64


def _check_weight(synapse: Linear | Conv2d, axes: tuple[str, ...]) -> None:
    """Refuses weights of another shape or range than the synapse's own, and makes them int64."""
    weight = integers(synapse.weight, "weight")
    bits = choice(synapse.weight_bits, WEIGHT_BITS, "weight_bits")
    if weight.ndim != len(axes) or 0 in weight.shape:
        raise SpecError(
            f"weight has shape {weight.shape}; ({', '.join(axes)}), each at least 1, is needed"
        )
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if weight.min() < low or weight.max() > high:
        raise SpecError(
            f"weights span {weight.min()} to {weight.max()}; {bits} bits hold {low} to {high}; "
            f"raise weight_bits or quantise again"
        )
    object.__setattr__(synapse, "weight", weight)
    object.__setattr__(synapse, "weight_bits", bits)
    choice(synapse.weight_shift, WEIGHT_SHIFTS, "weight_shift")
