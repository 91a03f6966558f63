"""Quantised nets without time: integer weights, activations of a few bits, a floor and a clip."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...gen.coding import Input
from ...gen.errors import SpecError
from ...gen.pooling import MaxPool2d, SumPool2d
from ...gen.synapses import Conv2d, Linear
from ...gen.validation import PerNeuron, per_neuron

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class QnnLayer:
    """``q = clip(⌊(b + Σᵢ 2ᶠ·wᵢ·q'ᵢ) / θ⌋, 0, levels)``, q' behind the layer's pooling.

    ``theta`` None, in the last layer alone: what is inside the floor is the result.
    """

    name: str
    synapse: Linear | Conv2d
    bias: PerNeuron
    theta: PerNeuron | None
    pool: SumPool2d | MaxPool2d | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", per_neuron(self.bias, "bias"))
        if self.theta is not None:
            object.__setattr__(self, "theta", per_neuron(self.theta, "theta"))
            if np.min(self.theta) < 1:
                raise SpecError(f"layer {self.name}: theta goes down to {np.min(self.theta)}; "
                                f"every one must be at least 1")

    def sums(self, values: _Ints) -> _Ints:
        """int64 (samples, neurons), what is inside the floor, of ``values`` (samples, inputs)."""
        match self.pool:
            case None:
                pooled = values
            case SumPool2d():
                pooled = self.pool.apply(values)
            case MaxPool2d():
                pooled = _largest(self.pool, values)
        return self.synapse.apply(pooled) + self.bias

    def apply(self, values: _Ints, levels: int) -> _Ints:
        """Activations int64 (samples, neurons) of ``values`` (samples, inputs)."""
        sums = self.sums(values)
        return sums if self.theta is None else np.clip(sums // self.theta, 0, levels)


@dataclass(frozen=True, eq=False, kw_only=True)
class Qnn:
    """A net of :class:`QnnLayer` with activations 0 to ``levels``.

    ``input`` says how the values reach the net's SNN twin over ``levels`` timesteps: a value is the
    sum of the signals of all timesteps. ``population`` neurons of the last layer vote for a class.
    """

    input_shape: tuple[int, ...]
    layers: tuple[QnnLayer, ...]
    levels: int
    input: Input
    population: int = 1
    name: str = "qnn"

    def __post_init__(self) -> None:
        for layer in self.layers[:-1]:
            if layer.theta is None:
                raise SpecError(f"layer {layer.name} has no theta, so its values have no bound; "
                                f"only the last layer may do without")

    @property
    def bits(self) -> int:
        """⌈log₂(levels + 1)⌉, bits of an activation."""
        return self.levels.bit_length()

    def run(self, values: npt.NDArray) -> tuple[_Ints, ...]:
        """Activations (samples, neurons) of every layer for ``values`` (samples, inputs)."""
        found = [values.astype(np.int64)]
        for layer in self.layers:
            found.append(layer.apply(found[-1], self.levels))
        return tuple(found[1:])

    def scores(self, activations: _Ints) -> _Ints:
        """(samples, classes) from the last layer's activations."""
        return activations.reshape(len(activations), -1, self.population).sum(axis=2)


def _largest(pool: MaxPool2d, values: _Ints) -> _Ints:
    """Largest value of every window: (samples, inputs) → (samples, outputs)."""
    maps = values.reshape(-1, *pool.input_shape)
    windows = np.lib.stride_tricks.sliding_window_view(maps, pool.kernel, axis=(2, 3))
    sy, sx = pool.stride
    return windows[:, :, ::sy, ::sx].max(axis=(4, 5)).reshape(len(values), -1)
