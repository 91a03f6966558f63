"""Inferences that a board runs by itself, back to back, compared with the cycle model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gen.coding import InputKind
from ..gen.counters import CYCLE_COUNTERS, FUNCTIONAL_COUNTERS, decode, total
from ..gen.cycles import timeline
from ..gen.engines import simulate
from ..gen.errors import SpikewrightError
from ..gen.folding import Folding
from ..gen.plan import layer_plans
from ..gen.spec import NetworkSpec
from ..gen.synapses import Linear
from ..gen.trace import Trace
from ..gen.traffic import traffic
from .answers import counters_of
from .link import Connection
from .protocol import MAX_PASSES

#: What `run --batch` is given.
SYNTAX = "N or NxPASSES, as in 4x100"

#: Passes unless told otherwise.
PASSES = 100


@dataclass(frozen=True)
class Batch:
    """What a board did with ``samples`` inferences, ``passes`` times without a pause.

    Attributes
    ----------
    cycles
        From the first beat of the first to the last result beat of the last.
    alone
        What the same inferences take one by one.
    clocked
        Cycles and the counters that need a clock were compared as well: there is no cycle model
        of inferences that overlap where layers are recurrent all to all, an input is held, or
        inferences exit early. Of the latter, other counters are not compared either: how many
        timesteps have begun depends on the clock.
    differences
        What was not as it should be; empty if all was.
    """

    samples: int
    passes: int
    cycles: int
    alone: int
    clocked: bool
    differences: tuple[str, ...]

    @property
    def cycles_an_inference(self) -> float:
        return self.cycles / (self.samples * self.passes)


def parse(text: str) -> tuple[int, int]:
    """Samples and passes of ``text``, as of :data:`SYNTAX`; SpikewrightError if it is not that."""
    samples, given, passes = text.partition("x")
    if not (samples.isdecimal() and int(samples) and (passes.isdecimal() or not given)
            and (not given or 1 <= int(passes) <= MAX_PASSES)):
        raise SpikewrightError(f"a batch of {text!r}; give {SYNTAX}, with at least one sample and "
                               f"1 to {MAX_PASSES} passes")
    return int(samples), int(passes) if given else PASSES


def run_batch(board: Connection, spec: NetworkSpec, folding: Folding,
              samples: npt.NDArray[Any], passes: int) -> Batch:
    """Runs ``samples``, (samples, timesteps, inputs), on ``board``, and compares everything.

    Raises
    ------
    LinkError
        As of :meth:`~.link.Connection.run_batch`.
    """
    plans = layer_plans(spec, folding)
    trace = simulate(spec, samples, engine="cycles", folding=folding)
    assert trace.cycles is not None
    results, counted = board.run_batch(spec, list(samples), passes)
    words, of_network = decode(np.append(counted.layers, counted.network), counters_of(plans))
    cycles = int(of_network["cycles"])
    clocked = has_model(spec)
    expected: dict[str, Any] = {}
    if not spec.readout.early_exit:
        expected = {name: passes * trace.counters[name].sum(axis=0)
                    for name in FUNCTIONAL_COUNTERS}
    if clocked:
        expected |= predicted(spec, folding, samples, passes)
    found = [
        f"inference {n} has scores {got.scores} and winner {got.winner}, not {scores} and {winner}"
        for n, (got, scores, winner) in enumerate(zip(
            results, map(tuple, trace.scores.tolist()), trace.prediction.tolist(), strict=True))
        if (got.scores, got.winner) != (scores, winner)]
    for name, values in expected.items():
        said = of_network[name] if name in of_network else words[name]
        if not np.array_equal(said, values):
            found.append(f"{name} is {said.tolist()}, not {np.asarray(values).tolist()}")
    if sum(int(words[name][0]) for name in CYCLE_COUNTERS) != cycles:
        found.append("the first layer's cycles do not add up")
    return Batch(len(samples), passes, cycles, int(trace.cycles.sum()), clocked, tuple(found))


def has_model(spec: NetworkSpec) -> bool:
    """The cycle model knows inferences of ``spec`` that overlap."""
    return not (spec.readout.early_exit or spec.input.kind is InputKind.CURRENT
                or any(isinstance(layer.recurrent, Linear) for layer in spec.layers))


def predicted(spec: NetworkSpec, folding: Folding, samples: npt.NDArray[Any],
              passes: int) -> dict[str, Any]:
    """``cycles``, and the counters of each layer that need a clock, (layers,) each, of ``passes``
    times ``samples`` without a pause."""
    plans = layer_plans(spec, folding)
    trace: Trace = simulate(spec, samples, engine="golden")

    def joined(each: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.tile(each.reshape(1, -1, each.shape[-1]), (1, passes, 1))

    spikes: Sequence[npt.NDArray[Any]] = [joined(each) for each in trace.spikes]
    times = timeline(plans, traffic(plans, joined(np.asarray(samples)), spikes),
                     inference=samples.shape[1])
    return {"cycles": int(times.cycles[0]), **{
        name: np.array([total(name, getattr(layer, name)) for layer in times.layers])
        for name in (*CYCLE_COUNTERS, "queue_peak")}}
