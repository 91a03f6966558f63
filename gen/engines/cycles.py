"""The golden model with a clock: what it computes, and the cycles in which hardware would."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..counters import CYCLE_COUNTERS, PROTECTION_COUNTERS, layer_counters
from ..cycles import timeline
from ..errors import SpikewrightError
from ..exit_cycles import processed_timesteps
from ..plan import layer_plans
from ..spec import NetworkSpec
from ..trace import Trace
from ..traffic import traffic
from . import Options, golden


def run(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """The ``cycles`` engine; see :func:`spikewright.gen.simulate` and :mod:`~..cycles`."""
    if options.waveform is not None:
        raise SpikewrightError(
            "the cycle model has no signals, so no waveform; use engine amaranth"
        )
    plans = layer_plans(spec, options.folding)
    trace = golden.run(spec, signals, options)
    beats = traffic(plans, signals, trace.spikes)
    times = timeline(plans, beats)
    if spec.readout.early_exit:
        processed = processed_timesteps(
            plans[0], beats[0], times.layers[0], times.first_spike(trace.spikes[-1]))
        times = timeline(plans, beats, processed)
        trace = golden.run(spec, signals, replace(options, timesteps=processed,
                                                  progress=lambda samples: None))
    counted = dict(trace.counters)
    for name in (*CYCLE_COUNTERS, "queue_peak"):
        each = [getattr(layer, name) for layer in times.layers]
        counted[name] = np.stack(each, axis=1).astype(np.int64)
    protected = any(plan.synapses.protected for plan in plans)
    for counter in PROTECTION_COUNTERS:  # without flips there is nothing to find
        counted.setdefault(counter.name, np.zeros_like(counted["busy"]))
    return replace(
        trace,
        engine="cycles",
        counters={counter.name: counted[counter.name] for counter in layer_counters(protected)},
        cycles=times.cycles.astype(np.int64),
        first_spike=times.first_spike(trace.spikes[-1]).astype(np.int64),
        decision=times.decision(spec, trace.spikes[-1]).astype(np.int64),
    )
