"""How wide a membrane can get: proven, not guessed.

Interval arithmetic follows every neuron of a layer through the equations of
:mod:`spikewright.gen.spec` from ``m = 0``, one timestep at a time, until the interval stops growing
or the inference ends. The input of a timestep lies between the sum of a neuron's negative weights
and the sum of its positive ones, because an input spikes at most once a timestep. All pieces of
the update are monotone in ``m``, so an interval's ends give the exact ends of its image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arithmetic import decay, signed_bits
from .errors import SpecError
from .layers import Layer, Reset

#: Widest membrane word that is built.
MAX_ACCUMULATOR_BITS = 40

_Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MembraneBounds:
    """Range over all neurons of a layer, and the word widths that follow.

    ``accumulated`` is u before any clamping; ``membrane`` is u and m as they are compared with θ,
    traced and decayed.
    """

    accumulated: tuple[int, int]
    membrane: tuple[int, int]

    @property
    def accumulator_bits(self) -> int:
        """The stored word: sums inside a timestep may wrap, the sum at its end cannot."""
        return signed_bits(*self.accumulated)

    @property
    def membrane_bits(self) -> int:
        """The word that is compared with the threshold, decayed and traced."""
        return signed_bits(*self.membrane)


@dataclass(frozen=True)
class _Interval:
    """The integers from ``low`` to ``high``, one interval per neuron; none where low > high."""

    low: _Array
    high: _Array

    def _map(self, low: _Array, high: _Array) -> _Interval:
        """[low, high], but still nothing where this interval holds nothing."""
        some = self.low <= self.high
        return _Interval(np.where(some, low, 1), np.where(some, high, 0))

    def __add__(self, other: _Interval) -> _Interval:
        return self._map(self.low + other.low, self.high + other.high)

    def __or__(self, other: _Interval) -> _Interval:
        """The smallest interval around both."""
        mine, theirs = self.low <= self.high, other.low <= other.high
        low = np.where(mine & theirs, np.minimum(self.low, other.low),
                       np.where(mine, self.low, other.low))
        high = np.where(mine & theirs, np.maximum(self.high, other.high),
                        np.where(mine, self.high, other.high))
        return _Interval(low, high)

    def shift(self, by: _Array) -> _Interval:
        return self._map(self.low + by, self.high + by)

    def to_zero(self) -> _Interval:
        return self._map(np.zeros_like(self.low), np.zeros_like(self.high))

    def clip(self, low: int, high: int) -> _Interval:
        return self._map(np.clip(self.low, low, high), np.clip(self.high, low, high))

    def above(self, bound: _Array) -> _Interval:
        return _Interval(np.maximum(self.low, bound + 1), self.high)

    def up_to(self, bound: _Array) -> _Interval:
        return _Interval(self.low, np.minimum(self.high, bound))

    def ends(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max())


def membrane_bounds(layer: Layer, timesteps: int) -> MembraneBounds:
    """Bounds of ``layer`` over inferences of at most ``timesteps``.

    Raises
    ------
    SpecError
        If a membrane may outgrow the widest word that is built.
    """
    neuron = layer.neuron
    weight = layer.synapse.weight << layer.synapse.weight_shift
    theta, factor, bias = (
        neuron.per_neuron(name, layer.neurons) for name in ("threshold", "decay", "bias")
    )
    drive = _Interval(
        np.minimum(weight, 0).sum(axis=1) + bias, np.maximum(weight, 0).sum(axis=1) + bias
    )

    def leak(m: _Interval) -> _Interval:
        ends = [decay(end, factor, neuron.decay_fraction, neuron.rounding)
                for end in (m.low, m.high)]
        return m._map(np.minimum(*ends), np.maximum(*ends))

    def next_input_sum(m: _Interval, fired: bool) -> _Interval:
        """u of the next timestep, for membranes that are all above θ or all not."""
        match neuron.reset if fired else Reset.NONE:
            case Reset.NONE:
                return leak(m) + drive
            case Reset.SUBTRACT:
                return leak(m).shift(-theta) + drive
            case Reset.ZERO_KEEP_INPUT:
                return m.to_zero() + drive
            case Reset.ZERO_DROP_INPUT:
                return m.to_zero()

    def reset_at_once(quiet: _Interval, fired: _Interval) -> _Interval:
        """m from u without reset delay; ``fired`` are those whose r is already 1."""
        if neuron.reset is Reset.SUBTRACT:
            return (quiet.up_to(theta) | quiet.above(theta).shift(-theta)
                    | fired.above(theta) | fired.up_to(theta).shift(theta))
        u = quiet | fired
        return u if neuron.reset is Reset.NONE else u.up_to(theta) | u.above(theta).to_zero()

    zero = np.zeros(layer.neurons, np.int64)
    m = accumulated = membrane = _Interval(zero, zero)
    for _ in range(timesteps):
        quiet = next_input_sum(m.up_to(theta), fired=False)
        fired = next_input_sum(m.above(theta), fired=True)
        accumulated |= quiet | fired
        if max(accumulated.high.max(), ~accumulated.low.min()) >> (MAX_ACCUMULATOR_BITS - 1):
            raise SpecError(
                f"layer {layer.name}: membranes may need more than {MAX_ACCUMULATOR_BITS} bits "
                f"within {timesteps} timesteps; set membrane_bits, shorten the inference, or "
                f"check the decay"
            )
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            quiet, fired = quiet.clip(-limit, limit - 1), fired.clip(-limit, limit - 1)
        after = quiet | fired if neuron.reset_delay else reset_at_once(quiet, fired)
        membrane |= quiet | fired | after
        grown = m | after
        if (grown.low == m.low).all() and (grown.high == m.high).all():
            break
        m = grown
    return MembraneBounds(accumulated=accumulated.ends(), membrane=membrane.ends())
