"""The work of both twins on a generated accelerator, from its counters: nothing is assumed that a
counter says.

What the hardware does to a layer in one inference, as the model of :mod:`.costs` wants it:

====================  ==========================================================================
operations            ``synops``
weights fetched       ``busy`` cycles that had events × adders, so lanes without a neuron count;
                      ``synops`` on engines without a clock
reuse k               operations that the net asks for ÷ weights fetched. An input that is held for
                      T timesteps is added up once, so it asks for T times what the hardware does
hops                  as built, an event makes one to each slice of the next layer, whatever number
                      of neurons it meets there: ``events_in`` × slices. The paper's mapping instead
                      sends a copy to each neuron: ``synops``
comparisons           neurons × timesteps, where there is a threshold
subtractions          spikes
====================  ==========================================================================

The QNN twin runs on the same hardware in thought: one pass, an event for each activation that is
not 0, fetches in the same proportion to operations.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...gen.coding import InputKind
from ...gen.engines import simulate
from ...gen.folding import Folding
from ...gen.layers import Layer
from ...gen.plan import LayerPlan, layer_plans
from ...gen.spec import NetworkSpec
from ...gen.stimulus import Stimulus
from ...gen.trace import Trace
from ..conversion.qnn import Qnn
from ..conversion.twins import qnn_twin
from .costs import Work, activation_bits

#: Samples that are run together, so that a data set's spikes need not fit in memory.
BATCH = 256


@dataclass
class LayerCounts:
    """Totals of one layer over all samples.

    Attributes
    ----------
    connections
        Synapses: inputs × the neurons that each reaches.
    phases
        Timesteps in which signals reach it: 1 where an input is held.
    events, operations, fetched, spikes, cycles
        Of the SNN; ``cycles`` are those with events, 0 without a clock.
    activations, products
        Of the QNN: inputs that are not 0, and these × the neurons that each reaches.
    """

    layer: Layer
    adders: int
    slices: int
    timesteps: int
    phases: int
    operand_bits: int
    twin_bits: int
    connections: int
    events: int = 0
    operations: int = 0
    fetched: int = 0
    spikes: int = 0
    cycles: int = 0
    activations: int = 0
    products: int = 0

    @property
    def fetches_per_operation(self) -> float:
        """Weights read for each that is used; 1 of a silent layer."""
        return self.fetched / self.operations if self.operations else 1.0

    @property
    def fires(self) -> bool:
        """Whether the layer has a threshold to compare with."""
        return self.layer.neuron.threshold is not None


@dataclass
class Counts:
    """What ``samples`` inferences of a spec and of its twin did."""

    spec: NetworkSpec
    twin: Qnn
    engine: str
    timesteps: int
    layers: list[LayerCounts]
    samples: int = 0
    labelled: int = 0
    snn_right: int = 0
    qnn_right: int = 0
    agreeing: int = 0
    cycles: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def snn_accuracy(self) -> float | None:
        """Of labelled samples; None if none is."""
        return self.snn_right / self.labelled if self.labelled else None

    def qnn_accuracy(self) -> float | None:
        """Likewise of the twin."""
        return self.qnn_right / self.labelled if self.labelled else None

    def mean_cycles(self) -> float | None:
        """Clock cycles an inference; None without a clock."""
        return float(np.concatenate(self.cycles).mean()) if self.cycles else None


def count(spec: NetworkSpec, stimulus: Stimulus, folding: Folding, *, engine: str = "cycles",
          build: Path | None = None,
          progress: Callable[[int], None] = lambda samples: None) -> Counts:
    """Runs ``stimulus`` on ``engine`` and on the twin; ``build`` is for engines that run a build.

    Where an engine sees the hardware from outside, and so no spikes, those that thresholds are
    subtracted for are the golden model's; all else is the engine's.

    Raises
    ------
    SpecError
        If the network has no twin: it recurs, or its first spike decides.
    """
    steps = spec.steps(stimulus.spikes)
    twin = qnn_twin(spec, steps)
    held = spec.input.kind is InputKind.CURRENT
    plans = layer_plans(spec, folding)
    layers = [_layer(spec, plan, n, steps, held) for n, plan in enumerate(plans)]
    counts = Counts(spec, twin, engine, steps, layers)
    for start in range(0, len(stimulus), BATCH):
        part = stimulus[start : start + BATCH]
        trace = simulate(spec, part.spikes, engine=engine, folding=folding, build=build,
                         progress=progress)
        if not trace.spikes:
            golden = simulate(spec, part.spikes, engine="golden")
            trace = replace(trace, spikes=golden.spikes)
        _add_snn(counts, part, trace)
        _add_qnn(counts, part, trace, steps if held else 1)
    return counts


def _layer(spec: NetworkSpec, plan: LayerPlan, number: int, steps: int, held: bool) -> LayerCounts:
    first = number == 0
    twin_bits = int(activation_bits(steps))
    if first:
        # A current is the value itself; spikes or counts of T timesteps add up to one.
        twin_bits = spec.input.bits if held else int(activation_bits(steps * spec.input.most))
    return LayerCounts(
        layer=plan.layer, adders=plan.synapses.most_synops, slices=len(plan.slices),
        timesteps=steps, phases=1 if first and held else steps,
        operand_bits=spec.input.bits if first else 1, twin_bits=twin_bits,
        connections=int(plan.layer.fan_out.sum()),
    )


def _add_snn(counts: Counts, part: Stimulus, trace: Trace) -> None:
    counts.samples += len(part)
    known = part.labels >= 0
    counts.labelled += int(known.sum())
    counts.snn_right += int((trace.prediction == part.labels)[known].sum())
    if trace.cycles is not None:
        counts.cycles.append(trace.cycles)
    for n, (found, reaching) in enumerate(zip(
            counts.layers, _reaching(part.spikes, trace), strict=True)):
        operations = int(trace.counters["synops"][:, n].sum())
        found.events += int(trace.counters["events_in"][:, n].sum())
        found.operations += operations
        found.spikes += int(np.count_nonzero(trace.spikes[n]))
        if "busy" not in trace.counters:
            found.fetched += operations
            continue
        events = found.layer.arriving(reaching).any(axis=2)
        # A timestep without events is busy for one cycle, and reads no weight in it.
        cycles = int(trace.counters["busy"][:, n].sum()) - int((~events).sum())
        found.cycles += cycles
        found.fetched += cycles * found.adders


def _add_qnn(counts: Counts, part: Stimulus, trace: Trace, held: int) -> None:
    values = part.spikes.sum(axis=1, dtype=np.int64) * held
    activations = counts.twin.run(values)
    prediction = counts.twin.scores(activations[-1]).argmax(axis=1)
    known = part.labels >= 0
    counts.qnn_right += int((prediction == part.labels)[known].sum())
    counts.agreeing += int((prediction == trace.prediction).sum())
    for found, below in zip(counts.layers, [values, *activations[:-1]], strict=True):
        there = found.layer.arriving(below)
        found.activations += int(np.count_nonzero(there))
        found.products += int((there.sum(axis=0) * found.layer.fan_out).sum())


def _reaching(signals: npt.NDArray, trace: Trace) -> Sequence[npt.NDArray]:
    return [signals, *trace.spikes[:-1]]


def works(found: LayerCounts, samples: int, *, unicast: bool = False,
          rate_factor: float = 1.0) -> tuple[Work, Work]:
    """What a layer does in a mean inference, as SNN and as QNN.

    ``unicast``: a hop for each synapse, instead of one for each slice. ``rate_factor`` multiplies
    all spikes that reach the layer and leave it.
    """
    layer, ratio = found.layer, found.fetches_per_operation
    compared = layer.neurons if found.fires else 0
    operations = rate_factor * found.operations / samples
    products = found.products / samples
    if unicast:
        sent, every, activations = operations, found.connections, products
    else:
        sent = rate_factor * found.events / samples * found.slices
        every = layer.fan_out.size * found.slices
        activations = found.activations / samples * found.slices
    return (
        _work(operations, found.operand_bits, compared * found.timesteps,
              rate_factor * found.spikes / samples if found.fires else 0.0, ratio, sent,
              found.phases * found.connections, found.phases * every),
        _work(products, found.twin_bits, 2 * compared, 0.0, ratio, activations,
              found.connections, every),
    )


def _work(operations: float, bits: int, comparisons: float, subtractions: float, ratio: float,
          sent: float, connections: float, every: float) -> Work:
    numbers: Iterator[npt.NDArray] = map(np.asarray, (
        operations, bits, comparisons, subtractions, ratio * operations, sent * bits,
        ratio * connections, every * bits))
    return Work(*numbers)
