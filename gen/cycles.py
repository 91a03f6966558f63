"""The cycle model: when every layer does what, exactly as the hardware does it.

Between two layers a timestep passes as a whole, so every cycle follows from how many beats each
timestep has, and not from where its spikes are. In timestep t, with all cycles counted from that
of the first input beat (0), layer l

* takes the first beat in cycle ``first``: when the queue before it has the timestep, and at the
  earliest in the cycle in which it finished timestep t − 1;
* adds its beats, each in ``event_cycles`` cycles, and is done in cycle ``finish``. Sums in memory
  have two halves: no beat of t is added before the sums of t − 2 are released, and the sweep of
  t − 1 takes ``takes`` of the cycles. Sums in registers are moved aside: the last beat of t waits
  until those of t − 1 are released;
* sweeps over its neurons from cycle ``begin`` on, for ``steps`` cycles: when its sums are
  available, ``sweep_cycles`` after the sweep before, and when layer l + 1 has taken timestep t − 2;
* has its last spikes leave in cycle ``end``, ``latency`` cycles behind the last step.

Every quantity is a maximum of sums of earlier ones (a max-plus recurrence), computed for all
samples at once; the only loop runs over timesteps and layers. The cycles that a sweep takes from
the events stand in closed form, see :class:`~.layer_cycles.SweepCycles`. No constant is fitted: all
come from the :class:`~.plan.LayerPlan` and the components that hardware is made of.

Nothing of this depends on what comes later. So an early exit changes only how many timesteps there
are, see :mod:`~.exit_cycles`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .layer_cycles import CHUNK, LayerCycles
from .plan import LayerPlan
from .rtl.readout import answer_latency
from .rtl.router import queue_latency
from .spec import NetworkSpec
from .timeline import Timeline
from .traffic import LayerTraffic, traffic


def timeline(plans: Sequence[LayerPlan], beats: Sequence[LayerTraffic],
             processed: npt.NDArray[np.integer] | None = None, *,
             inference: int | None = None) -> Timeline:
    """When each layer of ``plans`` does what, for the ``beats`` that reach it.

    Counters and cycles are those of the first ``processed`` (samples,) timesteps of each sample,
    all if not given; moments of later ones are those that nothing would come to.

    Input beats are offered one after another without a pause and results are taken at once, as
    simulations do. Each sample starts on idle hardware. It may be several inferences, one behind
    the other without a pause, each of ``inference`` timesteps: if nothing is recurrent, no input
    held, and no exit early.
    """
    timesteps, samples = beats[0].below.shape
    timesteps *= plans[0].sweeps
    kind = _cycle_type(plans, beats, timesteps)
    layers = [LayerCycles(plan, given, timesteps, kind, processed)
              for plan, given in zip(plans, beats, strict=True)]
    if inference is not None:
        # The readout takes no sweep before it has answered.
        layers[-1].answered = inference, _answered(plans[-1], layers[-1])
    for start in range(0, samples, CHUNK):
        chunk = slice(start, min(start + CHUNK, samples))
        for layer in layers:
            layer.select(chunk)
        for t in range(timesteps):
            for below, layer, behind in zip([None, *layers], layers, [*layers[1:], None],
                                            strict=False):
                layer.timestep(t, below, behind)
        for below, layer in zip([None, *layers], layers, strict=False):
            layer.count(below)
    last = plans[-1]
    # The first of these cycles has number 0.
    final = timesteps - 1 if processed is None else processed - 1
    cycles = layers[-1].begin[final, np.arange(samples)] + _answered(last, layers[-1])
    return Timeline(tuple(layer.result(cycles) for layer in layers), cycles, last)


def _answered(plan: LayerPlan, cycles: LayerCycles) -> int:
    """From the beginning of an inference's last sweep to the cycle after its last result beat."""
    return cycles.last_spikes + answer_latency(plan.layer.neurons) + 1


def cycle_limit(spec: NetworkSpec, plans: Sequence[LayerPlan], steps: int) -> int:
    """More cycles than a sample of ``steps`` timesteps can take: twice those of one in which
    every input and every neuron spikes in every timestep, and the reading of the counters."""
    signals = np.ones((1, steps, spec.inputs), np.bool_)
    timesteps = spec.steps(signals)
    spikes = [np.ones((1, timesteps, layer.neurons), np.bool_) for layer in spec.layers]
    most = timeline(plans, traffic(plans, signals, spikes)).cycles
    return 2 * int(most[0]) + 10_000


def _cycle_type(plans: Sequence[LayerPlan], beats: Sequence[LayerTraffic], timesteps: int):
    """The smallest type that holds every cycle number: no more cycles pass than if all that is
    done were done one after another."""
    most = 0
    for plan, given in zip(plans, beats, strict=True):
        counts = [given.below] if given.own is None else [given.below, given.own]
        most += sum(int(count.max(initial=1)) for count in counts) * plan.synapses.event_cycles
        most += plan.synapses.available_cycles + plan.synapses.takes
        most += plan.sweep_cycles + plan.latency + 2 * queue_latency(plan.units) + 2
    return np.int32 if most * timesteps + plans[-1].layer.neurons < 1 << 30 else np.int64
