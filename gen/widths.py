"""How wide a layer's words are: as wide as is proven to be needed, or as any training needs.

Proven widths (:mod:`~.bounds`) follow from the weights, so that two trainings of a network may
differ by a bit. Those of :func:`spare_widths` follow from what training does not change, so that
the hardware of one training holds the next one's contents. A wider word never changes a value.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .arithmetic import signed_bits
from .bounds import MAX_ACCUMULATOR_BITS, MembraneBounds
from .coding import ReadoutKind
from .layers import Layer
from .pooling import SumPool2d
from .spec import NetworkSpec
from .synapses import Conv2d, Linear

#: Of the highest sum that weights of so many bits could reach, what a sum is taken for. Of 1166
#: layers that were trained, with all kinds of surrogates, three had more, the most 0.71.
_SHARE = 5 / 8

#: Parameters of a layer's neurons that training changes, and no more of the hardware than the
#: others.
TRAINED = ("threshold", "bias", "recurrent")

#: Parameters that are wider than any training is expected to need are multiples of this.
_GRAIN = 4


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Bits of a layer's signed words; 0 is a word that is not there.

    Attributes
    ----------
    sums, currents, accumulated, membrane
        As of :class:`~.bounds.MembraneBounds`; sums are those of the synapses, unshifted.
    leaked, leaked_current
        m and i after their decay.
    weights
        As they are stored; of all-to-all synapses.
    threshold, bias, recurrent, decay, synapse_decay
        The neurons' parameters; 0 if it is nowhere other than 0, and of decays if all neurons have
        the same, which is a constant.
    score
        Of the last layer.
    """

    sums: int
    accumulated: int
    membrane: int
    leaked: int
    weights: int
    currents: int = 0
    leaked_current: int = 0
    threshold: int = 0
    bias: int = 0
    recurrent: int = 0
    decay: int = 0
    synapse_decay: int = 0
    score: int = 0

    def short(self, needed: "Widths") -> dict[str, tuple[int, int]]:
        """Words that are narrower than ``needed``: name → (bits, needed bits)."""
        mine, theirs = asdict(self), asdict(needed)
        return {name: (bits, theirs[name]) for name, bits in mine.items() if bits < theirs[name]}

    def holds(self, needed: "Widths") -> bool:
        """Whether no word is narrower than ``needed``."""
        return not self.short(needed)

    def __or__(self, other: "Widths") -> "Widths":
        """The wider of each."""
        return Widths(**{each.name: max(getattr(self, each.name), getattr(other, each.name))
                         for each in fields(self)})


@lru_cache(maxsize=64)
def proven_widths(spec: NetworkSpec) -> tuple[Widths, ...]:
    """The narrowest words that hold every value of ``spec``, of each layer."""
    found = [_proven(layer, bounds)
             for layer, bounds in zip(spec.layers, spec.bounds, strict=True)]
    return (*found[:-1], replace(found[-1], score=signed_bits(*spec.score_range)))


@lru_cache(maxsize=64)
def spare_widths(spec: NetworkSpec) -> tuple[Widths, ...]:
    """Words for every training of ``spec``'s network, of each layer: shapes, widths of weights,
    shifts, decays that neurons share, and timesteps decide.

    The sum of a timestep is taken for 5/8 of what the synapses can reach with the largest weights:
    a neuron's positive and negative weights share that, and its sums lie between their totals.
    (Two-bit weights have one magnitude, of which it is all.) Membranes are what is left of so large
    sums in every timestep. A bias is taken for four times the largest weight, and a threshold for
    no more than a membrane. What is proven is more than this for hardly any training, but then it
    is what counts.
    """
    most = [spec.input.most] + [1] * (len(spec.layers) - 1)
    found = [_spare(layer, proven, spec.timesteps, highest) for layer, proven, highest in zip(
        spec.layers, proven_widths(spec), most, strict=True)]
    score = found[-1].score
    if spec.readout.kind is ReadoutKind.MEMBRANE:
        limit = spec.readout.population * spec.timesteps << (found[-1].membrane - 1)
        score = max(score, signed_bits(-limit, limit - 1))
    return (*found[:-1], replace(found[-1], score=score))


def _proven(layer: Layer, bounds: MembraneBounds) -> Widths:
    neuron = layer.neuron

    def leaked(name: str, ends: tuple[int, int], fraction: int) -> int:
        factors = neuron.per_neuron(name, layer.neurons)
        return _leaked_bits(ends, (int(factors.min()), int(factors.max())), fraction)

    return Widths(
        sums=bounds.sum_bits, accumulated=bounds.accumulator_bits, membrane=bounds.membrane_bits,
        leaked=leaked("decay", bounds.membrane, neuron.decay_fraction),
        currents=bounds.current_bits,
        leaked_current=0 if bounds.currents is None else leaked(
            "synapse_decay", bounds.currents, neuron.synapse_decay_fraction),
        weights=_weight_bits(layer),
        **{name: _bits(layer.parameters.get(name, 0)) for name in TRAINED},
        **{name: _bits(value) if isinstance(value, np.ndarray) else 0
           for name, value in (("decay", neuron.decay), ("synapse_decay", neuron.synapse_decay))},
    )


def _spare(layer: Layer, proven: Widths, timesteps: int, most: int) -> Widths:
    neuron = layer.neuron
    q = _largest(layer.synapse)
    bias = 4 * q << layer.synapse.weight_shift
    reach = _reach(layer.synapse, most if layer.pool is None else most * layer.pool.most)
    if isinstance(layer.recurrent, Linear):
        reach += _reach(layer.recurrent, 1)
    parameters = {}
    for name, value in layer.parameters.items():
        if name in ("bias", "recurrent") and (isinstance(value, np.ndarray) or value):
            parameters[name] = _grained(1 + bias.bit_length(), getattr(proven, name))
    drive = reach + bias * len(parameters)

    decay, synapse_decay = (
        1.0 if isinstance(value, np.ndarray) else (value or 0) / (1 << fraction)
        for value, fraction in ((neuron.decay, neuron.decay_fraction),
                                (neuron.synapse_decay, neuron.synapse_decay_fraction)))
    limit = float(1 << (neuron.membrane_bits or MAX_ACCUMULATOR_BITS) - 1)
    i = m = u = 0.0
    for _ in range(timesteps):
        i = min(synapse_decay * i + drive, limit)
        u = abs(decay) * m + i
        m = min(u, limit)
    accumulated, membrane, currents = (min(1 + int(value).bit_length(), MAX_ACCUMULATOR_BITS)
                                       for value in (u, m, i))
    if neuron.membrane_bits is not None:
        # An undelayed reset may add a threshold to what was clamped.
        membrane = min(membrane, neuron.membrane_bits + (not neuron.reset_delay))
    if neuron.threshold is not None:
        parameters["threshold"] = _grained(accumulated, proven.threshold)

    def leaked(bits: int, value: int | npt.NDArray[np.int64], fraction: int) -> int:
        factor = 1 << fraction if isinstance(value, np.ndarray) else value
        return _leaked_bits((-1 << bits - 1, (1 << bits - 1) - 1), (factor, factor), fraction)

    found = Widths(
        sums=1 + reach.bit_length(), accumulated=accumulated, membrane=membrane,
        leaked=0, weights=_stored_bits(layer), **parameters,
        decay=_factor_bits(neuron.decay, neuron.decay_fraction),
    ) | proven
    found = replace(found, leaked=max(proven.leaked, leaked(
        found.membrane, neuron.decay, neuron.decay_fraction)))
    if neuron.synapse_decay is None:
        return found
    found = found | replace(found, currents=currents, synapse_decay=_factor_bits(
        neuron.synapse_decay, neuron.synapse_decay_fraction))
    return found | replace(found, leaked_current=leaked(
        found.currents, neuron.synapse_decay, neuron.synapse_decay_fraction))


def _bits(value: int | npt.NDArray[np.int64]) -> int:
    low, high = int(np.min(value)), int(np.max(value))
    return signed_bits(low, high) if low or high else 0


def _grained(expected: int, proven: int) -> int:
    return max(expected, proven + -proven % _GRAIN) if proven > expected else expected


def _factor_bits(factor: int | npt.NDArray[np.int64], fraction: int) -> int:
    """Of decays that differ from neuron to neuron: up to 1."""
    return signed_bits(0, 1 << fraction) if isinstance(factor, np.ndarray) else 0


def _leaked_bits(ends: tuple[int, int], factors: tuple[int, int], fraction: int) -> int:
    products = [end * factor for end in ends for factor in factors]
    return signed_bits(min(products) >> fraction, -(-max(products) >> fraction))


def _largest(synapse: Linear | Conv2d) -> int:
    """Magnitude of the largest weight, of both signs."""
    return (1 << synapse.weight_bits - 1) - 1


def _reach(synapse: Linear | Conv2d, most: int) -> int:
    """What a sum is taken for, of signals up to ``most``."""
    largest = _largest(synapse)
    full = replace(synapse, weight=np.full_like(synapse.weight, largest))
    reach = int(full.apply(np.full(synapse.inputs, most)).max())
    return reach if largest == 1 else math.ceil(_SHARE * reach)


def _parts(layer: Layer) -> list[tuple[npt.NDArray[np.int64], int, int]]:
    """What lies in a layer's memory of weights, before any pooling: matrix, its weights' bits, and
    how far they are shifted."""
    synapse, recurrent = layer.synapse, layer.recurrent
    parts = [(synapse.weight, synapse.weight_bits, synapse.weight_shift)]
    if isinstance(recurrent, Linear):
        parts.append((recurrent.weight, recurrent.weight_bits, recurrent.weight_shift))
    shift = min(shift for *_, shift in parts)
    return [(weight, bits, own - shift) for weight, bits, own in parts]


def _plain(layer: Layer) -> bool:
    """Whether weights are stored as they are."""
    return isinstance(layer.synapse, Conv2d) or not (
        isinstance(layer.pool, SumPool2d) or isinstance(layer.recurrent, Linear))


def _weight_bits(layer: Layer) -> int:
    """Bits of the widest weight in memory."""
    if _plain(layer):
        return layer.synapse.weight_bits
    (weight, *_), *_ = parts = _parts(layer)
    stored = [layer.pool.spread(weight) if isinstance(layer.pool, SumPool2d) else weight,
              *(own for own, *_ in parts[1:])]
    return max(2, *(signed_bits(int(each.min()) << shift, int(each.max()) << shift)
                    for each, (*_, shift) in zip(stored, parts, strict=True)))


def _stored_bits(layer: Layer) -> int:
    """Bits that the widest weight in memory may need."""
    if _plain(layer):
        return layer.synapse.weight_bits
    widest = 2
    for number, (_, bits, shift) in enumerate(_parts(layer)):
        times = layer.pool.overlap if number == 0 and isinstance(layer.pool, SumPool2d) else 1
        limit = times << (bits - 1 + shift)
        widest = max(widest, signed_bits(-limit, limit - times))
    return widest
