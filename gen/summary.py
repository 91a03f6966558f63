"""What ``simulate`` reports of a trace, as figures and as tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import console
from .counters import COUNTERS, total
from .folding import Folding
from .folding_options import folded
from .spec import NetworkSpec
from .stimulus import Stimulus
from .trace import Trace


def summary(
    spec: NetworkSpec, folding: Folding, stimulus: Stimulus, trace: Trace
) -> dict[str, Any]:
    """What ``simulate`` reports of ``trace``; everything JSON can hold.

    ``utilisation`` of a layer is its synaptic operations ÷ (adders × cycles): 1 would be a new
    weight for every adder in every cycle. There are lanes × ways adders, in a convolution lanes ×
    banks.
    """
    known = stimulus.labels >= 0
    names = [layer.name for layer in spec.layers]
    neuron_steps = trace.spikes[0].shape[0] * trace.spikes[0].shape[1]
    spikes = {name: int(s.sum()) for name, s in zip(names, trace.spikes, strict=True)}
    figures: dict[str, Any] = {
        "engine": trace.engine,
        "samples": len(trace),
        "timesteps": trace.spikes[0].shape[1],
        "accuracy": (float((trace.prediction == stimulus.labels)[known].mean())
                     if known.any() else None),
        "labelled": int(known.sum()),
        "input_spikes": int(np.count_nonzero(stimulus.spikes)),
        "input_rate": float(np.count_nonzero(stimulus.spikes) / stimulus.spikes.size),
        "spikes_per_layer": spikes,
        "rate_per_layer": {layer.name: spikes[layer.name] / (neuron_steps * layer.neurons)
                           for layer in spec.layers},
        "synops": trace.synops,
        "counters": {
            name: {
                counter.name: total(counter.name, trace.counters[counter.name][:, i])
                for counter in COUNTERS if counter.name in trace.counters
            }
            for i, name in enumerate(names)
        },
        "cycles": None,
    }
    if trace.membranes is not None:
        figures["membranes"] = {
            name: {"low": int(m.min()), "high": int(m.max()), "proven": list(bounds.membrane)}
            for name, m, bounds in zip(names, trace.membranes, spec.bounds, strict=True)
        }
    if trace.cycles is not None:
        cycles = int(trace.cycles.sum())
        figures["cycles"] = {"mean": cycles / len(trace), "min": int(trace.cycles.min()),
                             "max": int(trace.cycles.max())}
        figures |= folded(spec, folding)
        figures["utilisation"] = {
            name: int(trace.counters["synops"][:, i].sum()) / (figures["adders"][name] * cycles)
            for i, name in enumerate(names)
        }
        figures["per_sample"] = {
            "input_spikes": np.count_nonzero(stimulus.spikes, axis=(1, 2)).tolist(),
            "cycles": trace.cycles.tolist(),
        }
    return figures


def tables(spec: NetworkSpec, figures: dict[str, Any]) -> Sequence[Any]:
    accuracy, cycles = figures["accuracy"], figures["cycles"]
    rows = [
        ("samples", figures["samples"]),
        ("timesteps", figures["timesteps"]),
        ("accuracy", None if accuracy is None else f"{accuracy:.2%}"),
        ("input spikes a sample", figures["input_spikes"] / figures["samples"]),
        ("synaptic operations a sample", figures["synops"] / figures["samples"]),
    ]
    if cycles is not None:
        rows += [(f"cycles, {which}", cycles[which]) for which in ("mean", "min", "max")]
    layers = [layer.name for layer in spec.layers]
    counters = list(next(iter(figures["counters"].values())))
    tables = [
        console.table(f"{spec.name} on {figures['engine']}", ("figure", "value"), rows),
        console.table("All samples, per layer", ("layer", "spikes", "rate", *counters),
                      [(name, figures["spikes_per_layer"][name], figures["rate_per_layer"][name],
                        *figures["counters"][name].values()) for name in layers]),
    ]
    if "membranes" in figures:
        tables.append(console.table(
            "Membranes", ("layer", "lowest", "highest", "proven lowest", "proven highest"),
            [(name, m["low"], m["high"], *m["proven"])
             for name, m in figures["membranes"].items()],
        ))
    return tables
