"""The golden model with a clock: what it computes, and the cycles in which hardware would."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..counters import COUNTERS, CYCLE_COUNTERS
from ..cycles import timeline
from ..errors import SpikewrightError
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
    if spec.readout.early_exit:
        raise SpikewrightError(
            f"network {spec.name} exits early, which the cycle model does not follow; use engine "
            f"amaranth, or give it a Readout without early_exit for the cycles of whole inferences"
        )
    plans = layer_plans(spec, options.folding)
    trace = golden.run(spec, signals, options)
    times = timeline(plans, traffic(plans, signals, trace.spikes))
    counted = dict(trace.counters)
    for name in (*CYCLE_COUNTERS, "queue_peak"):
        each = [getattr(layer, name) for layer in times.layers]
        counted[name] = np.stack(each, axis=1).astype(np.int64)
    return replace(
        trace,
        engine="cycles",
        counters={counter.name: counted[counter.name] for counter in COUNTERS},
        cycles=times.cycles.astype(np.int64),
        first_spike=times.first_spike(trace.spikes[-1]).astype(np.int64),
        decision=times.decision(spec, trace.spikes[-1]).astype(np.int64),
    )
