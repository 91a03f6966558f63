"""How wide sums, currents and membranes can get: proven, not guessed.

The sum of a timestep lies between that of a neuron's negative weights and that of its positive
ones, each times the largest value that a signal can have: 1, or the input's largest, and with a sum
pooling that many times the signals of a window. From there interval arithmetic follows every neuron
of a layer through the equations of :mod:`spikewright.gen.spec` from ``m = i = 0``, one timestep at
a time, until the intervals stop growing or the inference ends. All pieces of the update are
monotone in ``m`` and in ``i``, so an interval's ends give the exact ends of its image. An input
that is held over time has the same sums as one that is not, so its intervals are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arithmetic import decay, signed_bits
from .errors import SpecError
from .layers import Layer
from .neuron import Reset
from .synapses import Conv2d, Linear, OneToOne

#: Widest membrane word that is built.
MAX_ACCUMULATOR_BITS = 40

_Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MembraneBounds:
    """Ranges over all neurons of a layer, and the word widths that follow.

    Attributes
    ----------
    sums
        What the synapses add up in one timestep, from the layer below and from an all-to-all
        recurrence; without bias and without a one-to-one recurrence. It holds 0.
    currents
        i after a timestep; None without synapse_decay.
    accumulated
        u before any clamping.
    membrane
        u and m as they are compared with θ, traced and decayed.
    """

    sums: tuple[int, int]
    currents: tuple[int, int] | None
    accumulated: tuple[int, int]
    membrane: tuple[int, int]

    @property
    def sum_bits(self) -> int:
        """The word of an accumulator: it may wrap inside a timestep, its end value cannot."""
        return signed_bits(*self.sums)

    @property
    def current_bits(self) -> int:
        """The stored word of i; 0 without synapse_decay."""
        return 0 if self.currents is None else signed_bits(*self.currents)

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

    def same(self, other: _Interval) -> bool:
        return bool((self.low == other.low).all() and (self.high == other.high).all())

    def ends(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max())


def membrane_bounds(layer: Layer, timesteps: int, most: int = 1) -> MembraneBounds:
    """Bounds of ``layer`` over inferences of at most ``timesteps``, when each signal that reaches
    it is at most ``most``.

    Raises
    ------
    SpecError
        If a membrane may outgrow the widest word that is built.
    """
    neuron = layer.neuron
    theta, factor, bias, synapse_factor = (
        neuron.per_neuron(name, layer.neurons)
        for name in ("threshold", "decay", "bias", "synapse_decay")
    )
    sums = _reach(layer.synapse, most if layer.pool is None else most * layer.pool.most)
    if isinstance(layer.recurrent, Linear):
        sums += _reach(layer.recurrent, 1)
    drive = sums.shift(bias)
    if isinstance(layer.recurrent, OneToOne):
        own = np.asarray(layer.recurrent.weight)
        drive += _Interval(np.minimum(own, 0), np.maximum(own, 0))
    # One of those that cannot differ stands for all; in a convolution that is most of them.
    theta, factor, synapse_factor, low, high = np.unique(
        np.stack([theta, factor, synapse_factor, drive.low, drive.high]), axis=1
    )
    drive = _Interval(low, high)

    def keep(i: _Interval) -> _Interval:
        """What decay leaves of the current; its factors are not negative."""
        low, high = (decay(end, synapse_factor, neuron.synapse_decay_fraction, neuron.rounding)
                     for end in (i.low, i.high))
        return i._map(low, high)

    def leak(m: _Interval) -> _Interval:
        ends = [decay(end, factor, neuron.decay_fraction, neuron.rounding)
                for end in (m.low, m.high)]
        return m._map(np.minimum(*ends), np.maximum(*ends))

    def update(m: _Interval, i: _Interval, fired: bool) -> _Interval:
        """u of the next timestep, for membranes that are all above θ or all not."""
        match neuron.reset if fired else Reset.NONE:
            case Reset.NONE:
                return leak(m) + i
            case Reset.SUBTRACT:
                return leak(m).shift(-theta) + i
            case Reset.ZERO_KEEP_INPUT:
                return m.to_zero() + i
            case Reset.ZERO_DROP_INPUT:
                return m.to_zero()

    def reset_at_once(quiet: _Interval, fired: _Interval) -> _Interval:
        """m from u without reset delay; ``fired`` are those whose r is already 1."""
        if neuron.reset is Reset.SUBTRACT:
            return (quiet.up_to(theta) | quiet.above(theta).shift(-theta)
                    | fired.above(theta) | fired.up_to(theta).shift(theta))
        u = quiet | fired
        return u if neuron.reset is Reset.NONE else u.up_to(theta) | u.above(theta).to_zero()

    zero = np.zeros_like(low)
    m = i = accumulated = membrane = _Interval(zero, zero)
    for _ in range(timesteps):
        kept = keep(i) + drive
        quiet = update(m.up_to(theta), kept, fired=False)
        fired = update(m.above(theta), kept, fired=True)
        accumulated |= quiet | fired
        words = [("membranes", accumulated, "set membrane_bits")]
        if neuron.synapse_decay is not None:
            words.insert(0, ("currents", kept, "lower synapse_decay"))
        for what, word, remedy in words:
            if signed_bits(*word.ends()) > MAX_ACCUMULATOR_BITS:
                raise SpecError(
                    f"layer {layer.name}: {what} may need more than {MAX_ACCUMULATOR_BITS} bits "
                    f"within {timesteps} timesteps; {remedy}, shorten the inference, or check the "
                    f"decay"
                )
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            quiet, fired = quiet.clip(-limit, limit - 1), fired.clip(-limit, limit - 1)
        after = quiet | fired if neuron.reset_delay else reset_at_once(quiet, fired)
        membrane |= quiet | fired | after
        grown, current = m | after, i | kept
        if grown.same(m) and current.same(i):
            break
        m, i = grown, current
    return MembraneBounds(
        sums=sums.ends(),
        currents=None if neuron.synapse_decay is None else i.ends(),
        accumulated=accumulated.ends(),
        membrane=membrane.ends(),
    )


def _reach(synapse: Linear | Conv2d, most: int) -> _Interval:
    """Sums of ``synapse`` over all signals from 0 to ``most``: those of its negative weights alone,
    and of its positive ones alone, with every signal at its most."""
    full = np.full(synapse.inputs, most)
    low, high = (replace(synapse, weight=part(synapse.weight, 0)).apply(full)
                 for part in (np.minimum, np.maximum))
    return _Interval(low, high)
