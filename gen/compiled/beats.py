"""Samples as the bytes in which the ports of a compiled network take them."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..beats import addresses
from ..plan import LayerPlan


def beat_bytes(plan: LayerPlan, ports: Sequence[tuple[str, int]],
               samples: npt.NDArray) -> Iterator[bytes]:
    """The beats of each of ``samples``, (samples, timesteps, inputs), as :func:`~..beats.beats`
    makes them, all of a sample at once. A beat is what ``ports``, (name, width), take, each in
    whole bytes."""
    places, ways = addresses(plan.source), plan.synapses.ways
    # An address with fields is not split; such a layer has one way.
    numbers, owners = places // ways, places % ways
    for sample in samples:
        t, i = np.nonzero(sample)
        way = owners[i]
        order = np.lexsort((i, way, t))
        t, i, way = t[order], i[order], way[order]
        counts = np.zeros((len(sample), ways), np.int64)
        np.add.at(counts, (t, way), 1)
        first = np.cumsum(counts.ravel()) - counts.ravel()
        rank = np.arange(len(t)) - first[t * ways + way]
        each = np.maximum(counts.max(axis=1), 1)
        ends = np.cumsum(each)
        where = (ends - each)[t] + rank
        values = {"in_event": np.zeros((ends[-1], ways), np.int64)}
        values["in_address"] = values["in_event"].copy()
        values["in_event"][where, way] = 1
        values["in_address"][where, way] = numbers[i]
        if any(name == "in_value" for name, _ in ports):
            values["in_value"] = np.zeros((ends[-1], ways), np.int64)
            values["in_value"][where, way] = sample[t, i]
        values["in_tick"] = np.zeros((ends[-1], 1), np.int64)
        values["in_tick"][ends - 1] = 1
        values["in_last"] = np.zeros((ends[-1], 1), np.int64)
        values["in_last"][-1] = 1
        yield np.concatenate([_packed(values[name], width) for name, width in ports],
                             axis=1).tobytes()


def _packed(values: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.uint8]:
    """(beats, ways) as words of ``width`` bits, way 0 in the lowest, in whole bytes."""
    each = width // values.shape[1]
    bits = (values[:, :, np.newaxis] >> np.arange(each)) & 1
    return np.packbits(bits.reshape(len(values), width).astype(np.uint8), axis=1,
                       bitorder="little")
