"""What synapses add when bits of their weights have flipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..convolution import Conv2dPlan
from ..linear import LinearPlan
from ..plan import LayerPlan
from ..pooling import SumPool2d
from ..protection import WordCode
from ..rtl.weights import packed
from ..synapses import Conv2d, Linear
from .memories import flip_of
from .neurons import wrap

_Ints = npt.NDArray[np.int64]

#: Of one memory of weights: the (word, bit) that flipped.
WordFlips = list[tuple[int, int]]
#: By slice and place; see :class:`~.memories.Memory`.
WeightFlips = Mapping[tuple[int, tuple[int, ...]], WordFlips]


class LinearSums:
    """Sums of all-to-all synapses. A flip is in the weights of one address: where a pooling makes
    hardware hold a weight several times, the others stay as they are.

    Parameters
    ----------
    plan : LayerPlan
    flips : WeightFlips
    """

    def __init__(self, plan: LayerPlan, flips: WeightFlips):
        synapses = plan.synapses
        assert isinstance(synapses, LinearPlan)
        self.plan = plan
        self.synapses = synapses
        #: Weights (neurons, addresses) as hardware reads them, own spikes' last.
        self.matrix = np.zeros((synapses.rows * synapses.row_lanes,
                                synapses.bank_inputs * synapses.ways), np.int64)
        #: (2, addresses): words that an event reads in which flips are mended, and rejected.
        self.found = np.zeros((2, self.matrix.shape[1]), np.int64)
        for index, part in enumerate(plan.slices):
            assert isinstance(part.synapses, LinearPlan)
            for way in range(synapses.ways):
                words = np.array(part.synapses.weight_words(way), np.int64)
                flipped = flips.get((index, (way,)), [])
                if synapses.protected:
                    found = self._decode(part.synapses.code, words, flipped)
                    for word, kinds in found.items():
                        self.found[:, word % synapses.bank_inputs * synapses.ways + way] += kinds
                else:
                    _flip(words, flipped, synapses.weight_bits)
                rows = words.reshape(synapses.rows, synapses.bank_inputs, -1)
                for row, columns in enumerate(rows):
                    lanes = row * synapses.row_lanes + part.synapses.members
                    self.matrix[lanes[:, np.newaxis],
                                np.arange(synapses.bank_inputs) * synapses.ways + way] = columns.T
        self.matrix = self.matrix[: plan.layer.neurons]

    @staticmethod
    def _decode(code: WordCode, words: _Ints, flips: WordFlips) -> dict[int, _Ints]:
        """Changes ``words`` to what is read of them; (mended, rejected) of words with flips."""
        bits = code.weight_bits
        changed: dict[int, int] = {}
        for word, bit in flips:
            changed[word] = changed.get(word, 0) ^ 1 << bit
        found = {}
        for word, change in changed.items():
            coded = code.encode(packed(words[word].tolist(), bits)) ^ change
            read, *kinds = code.decode(coded)
            lanes = np.array([read >> lane * bits & ((1 << bits) - 1)
                              for lane in range(code.lanes)], np.int64)
            words[word], found[word] = wrap(lanes, bits), np.array(kinds, np.int64)
        return found

    def reads(self, signals: npt.NDArray, own: npt.NDArray[np.bool_] | None) -> _Ints:
        """(2, samples): reads of words in which flips are mended, and rejected, for the events of
        ``signals`` (samples, timesteps, inputs), and of the layer's ``own`` spikes, likewise."""
        order = self.synapses.inputs
        arriving = self.plan.layer.arriving(signals).sum(axis=1, dtype=np.int64)
        real = order >= 0
        counted = arriving[:, order[real]] @ self.found[:, : len(order)][:, real].T
        if own is not None:
            first = self.synapses.own_base * self.synapses.ways
            counted += own.sum(axis=1, dtype=np.int64) @ self.found[
                :, first : first + own.shape[-1]].T
        return counted.T

    def below(self, signals: npt.NDArray) -> _Ints:
        """Of the ``signals`` (samples, timesteps, inputs) that reach the layer."""
        layer, order = self.plan.layer, self.synapses.inputs
        if layer.pool is not None and not isinstance(layer.pool, SumPool2d):
            signals = layer.pooled(signals)
        weight = np.zeros((layer.neurons, signals.shape[-1]), np.int64)
        real = order >= 0
        weight[:, order[real]] = self.matrix[:, : len(order)][:, real]
        return self._apply(weight, signals)

    def own(self, spikes: npt.NDArray[np.bool_]) -> _Ints:
        """Of the layer's own ``spikes`` (samples, neurons)."""
        first = self.synapses.own_base * self.synapses.ways
        return self._apply(self.matrix[:, first : first + spikes.shape[-1]], spikes)

    @staticmethod
    def _apply(weight: _Ints, signals: npt.NDArray) -> _Ints:
        most = np.abs(weight).sum(axis=1).max() * int(signals.max(initial=0))
        exact = np.float32 if most < 1 << 24 else np.float64
        return (signals.astype(exact) @ weight.T.astype(exact)).astype(np.int64)

    def arrived(self, sums: _Ints) -> _Ints:
        """What neurons get of ``sums``, in membrane steps, from words that may wrap around."""
        return wrap(sums, self.synapses.sum_bits) << self.synapses.sum_shift


class ConvSums:
    """Sums of a convolution. A flip is in the copy of the kernels of one bank, so only the
    positions of that bank get it.

    Parameters
    ----------
    plan : LayerPlan
    flips : WeightFlips
    """

    def __init__(self, plan: LayerPlan, flips: WeightFlips):
        assert isinstance(plan.synapses, Conv2dPlan)
        self.layer, self.synapses = plan.layer, plan.synapses
        #: (bank, what to add to the kernels that its positions see).
        self.changes = list(self._changes(plan, flips))

    def _changes(self, plan: LayerPlan,
                 flips: WeightFlips) -> Iterable[tuple[tuple[int, ...], Conv2d]]:
        synapse, synapses = self.synapses.synapse, self.synapses
        for bank in np.ndindex(synapses.rows.banks, synapses.columns.banks):
            change = np.zeros_like(synapse.weight)
            for index, part in enumerate(plan.slices):
                flipped = flips.get((index, bank), [])
                if flipped:
                    assert isinstance(part.synapses, Conv2dPlan)
                    words = np.array(list(part.synapses.weights()), np.int64)
                    before = words.copy()
                    _flip(words, flipped, synapse.weight_bits)
                    for word, lane in np.argwhere(words != before).tolist():
                        place = self._place(part.synapses, word, lane)
                        change[place] = words[word, lane] - before[word, lane]
            if change.any():
                yield bank, _unchecked(synapse, change)

    def _place(self, part: Conv2dPlan, word: int, lane: int) -> tuple[int, int, int, int]:
        """Which weight stands in ``lane`` of ``word``; see :meth:`.Conv2dPlan.weights`."""
        synapse, synapses = self.synapses.synapse, self.synapses
        outputs, group_inputs, _, width = synapse.weight.shape
        word, block = divmod(word, synapses.group_blocks)
        tap, channel = divmod(word, synapses.signal_shape[0])
        first = channel // group_inputs * (outputs // synapse.groups)
        output = first + block * synapses.lanes + int(part.members[lane])
        return output, channel % group_inputs, tap // width, tap % width

    def below(self, signals: npt.NDArray) -> _Ints:
        """Of the ``signals`` (samples, timesteps, inputs) that reach the layer."""
        pooled = self.layer.pooled(signals)
        shift = self.synapses.synapse.weight_shift
        sums = self.synapses.synapse.apply(pooled) >> shift
        maps = sums.reshape(*sums.shape[:-1], *self.synapses.output_shape)
        for (row, column), change in self.changes:
            here = (..., slice(row, None, self.synapses.rows.banks),
                    slice(column, None, self.synapses.columns.banks))
            added = change.apply(pooled) >> shift
            maps[here] += added.reshape(maps.shape)[here]
        return sums

    def arrived(self, sums: _Ints) -> _Ints:
        """What neurons get of ``sums``, in membrane steps, from words that may wrap around."""
        words = wrap(sums, self.synapses.word_bits)
        return wrap(words << self.synapses.synapse.weight_shift, self.synapses.sum_bits)


def _flip(words: _Ints, flips: WordFlips, bits: int) -> None:
    for word, bit in flips:
        words[word, bit // bits] ^= flip_of(bits, bit % bits)


def _unchecked(synapse: Conv2d, change: _Ints) -> Conv2d:
    """``synapse`` with weights ``change``: differences of weights need a bit more than weights."""
    wide = replace(synapse, weight=np.zeros_like(change))
    object.__setattr__(wide, "weight", change)
    return wide


def layer_sums(plan: LayerPlan, flips: WeightFlips) -> LinearSums | ConvSums:
    """The sums of ``plan`` with these ``flips``."""
    return (LinearSums if isinstance(plan.layer.synapse, Linear) else ConvSums)(plan, flips)
