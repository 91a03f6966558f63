"""What happens inside of a board: spikes and membranes of every layer, as a trace has them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gen.engines import simulate
from ..gen.folding import Folding
from ..gen.plan import layer_plans
from ..gen.spec import NetworkSpec
from .link import Connection
from .observer import observed_rows, observed_units
from .protocol import UnexpectedReplyError


def inside(board: Connection, spec: NetworkSpec, folding: Folding, sample: npt.NDArray[Any]
           ) -> tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.int64]], int]:
    """Spikes and membranes of ``sample``, (timesteps, inputs), on ``board``, whose hardware is
    that of ``folding``: of each layer (timesteps, neurons); and how many timesteps there were, of
    which there may be fewer with an early exit. Those that were not hold 0.

    The board computes the sample once for every layer and timestep.

    Raises
    ------
    LinkError
        As of :meth:`~.link.Connection.look`.
    """
    steps = spec.steps(np.asarray(sample)[np.newaxis])
    spikes = [np.zeros((steps, layer.neurons), np.bool_) for layer in spec.layers]
    membranes = [np.zeros((steps, layer.neurons), np.int64) for layer in spec.layers]
    moments = [(n, t) for n in range(len(spec.layers)) for t in range(steps)]
    plans = layer_plans(spec, folding)
    said, shape = board.identity, (observed_rows(plans), observed_units(plans))
    if said.observed_words and (said.rows, said.units) != shape:
        raise UnexpectedReplyError(
            f"the board's longest and widest sweeps have {said.rows} steps and {said.units} units, "
            f"with this folding they have {shape[0]} and {shape[1]}; give the folding that was "
            f"built")
    last = 0
    for (n, t), seen in zip(moments, board.look(spec, sample, moments), strict=True):
        if not seen.seen:
            continue
        order = plans[n].order
        rows, units = np.nonzero(order >= 0)
        spikes[n][t, order[rows, units]] = seen.spikes[rows, units]
        membranes[n][t, order[rows, units]] = seen.membranes[rows, units]
        last = max(last, t + 1)
    return spikes, membranes, last


@dataclass(frozen=True)
class Inside:
    """What was read of one sample: ``timesteps``, ``spikes`` and ``membranes`` of all layers
    together; ``differences`` from the golden model."""

    timesteps: int
    spikes: int
    membranes: int
    differences: tuple[str, ...]


def compared(board: Connection, spec: NetworkSpec, folding: Folding, sample: npt.NDArray[Any]
             ) -> Inside:
    """What :func:`inside` reads, compared with the golden model, spike for spike and membrane for
    membrane.

    Raises
    ------
    LinkError
        As of :func:`inside`.
    """
    spikes, membranes, steps = inside(board, spec, folding, sample)
    golden = simulate(spec, np.asarray(sample)[np.newaxis], engine="golden", membranes=True)
    assert golden.membranes is not None
    found = []
    for n, layer in enumerate(spec.layers):
        for what, said, right in (("spikes", spikes[n], golden.spikes[n][0]),
                                  ("membranes", membranes[n], golden.membranes[n][0])):
            places = np.argwhere(said[:steps] != right[:steps])
            if len(places):
                t, neuron = places[0]
                found.append(
                    f"layer {layer.name}: {len(places)} {what} differ, the first in timestep {t} "
                    f"of neuron {neuron}: {int(said[t, neuron])}, not {int(right[t, neuron])}")
    if not spec.readout.early_exit and steps != len(spikes[0]):
        found.append(f"{steps} of {len(spikes[0])} timesteps were there")
    return Inside(steps, int(sum(each.sum() for each in spikes)),
                  sum(each[:steps].size for each in membranes), tuple(found))
