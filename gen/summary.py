"""What ``simulate`` reports of a trace, as figures and as tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import console
from .counters import layer_counters, total
from .folding import Folding
from .folding_options import folded
from .spec import NetworkSpec
from .stimulus import Stimulus
from .trace import Trace


def summary(
    spec: NetworkSpec, folding: Folding, stimulus: Stimulus, traces: Iterable[Trace]
) -> dict[str, Any]:
    """What ``simulate`` reports of ``traces``, which follow one another through ``stimulus``;
    everything JSON can hold.

    One trace is held at a time, so that a data set's spikes need not fit in memory.

    ``utilisation`` of a layer is its synaptic operations ÷ (adders × cycles): 1 would be a new
    weight for every adder in every cycle. There are lanes × ways adders, in a convolution lanes ×
    banks.
    """
    names = [layer.name for layer in spec.layers]
    engine, spikes, ranges = "", dict.fromkeys(names, 0), {}
    predictions, cycle_counts, processed, counts = [], [], [], {}
    for trace in traces:
        engine = trace.engine
        predictions.append(trace.prediction)
        for name, fired in zip(names, trace.spikes, strict=True):
            spikes[name] += int(np.count_nonzero(fired))
        if trace.membranes is not None:
            for name, m in zip(names, trace.membranes, strict=True):
                if trace.timesteps is not None:
                    m = m[np.arange(m.shape[1]) < trace.timesteps[:, np.newaxis]]
                low, high = ranges.get(name, (m.min(), m.max()))
                ranges[name] = int(min(low, m.min())), int(max(high, m.max()))
        for counter, values in trace.counters.items():
            counts.setdefault(counter, []).append(values)
        processed.append(np.full(len(trace), trace.spikes[0].shape[1])
                         if trace.timesteps is None else trace.timesteps)
        if trace.cycles is not None:
            cycle_counts.append(trace.cycles)
    counters = {counter: np.concatenate(parts) for counter, parts in counts.items()}
    samples, timesteps = len(stimulus), spec.steps(stimulus.spikes)
    ran = np.concatenate(processed)
    known = stimulus.labels >= 0
    right = np.concatenate(predictions) == stimulus.labels
    events = np.count_nonzero(stimulus.spikes, axis=(1, 2))
    figures: dict[str, Any] = {
        "engine": engine,
        "samples": samples,
        "timesteps": timesteps,
        "timesteps_run": float(ran.mean()),
        "accuracy": float(right[known].mean()) if known.any() else None,
        "labelled": int(known.sum()),
        "input_spikes": int(events.sum()),
        "input_rate": float(events.sum() / stimulus.spikes.size),
        "spikes_per_layer": spikes,
        "rate_per_layer": {layer.name: spikes[layer.name] / (int(ran.sum()) * layer.neurons)
                           for layer in spec.layers},
        "synops": int(counters["synops"].sum()),
        "counters": {
            name: {
                counter.name: total(counter.name, counters[counter.name][:, i])
                for counter in layer_counters(protected=True) if counter.name in counters
            }
            for i, name in enumerate(names)
        },
        "cycles": None,
    }
    if ranges:
        figures["membranes"] = {
            name: {"low": ranges[name][0], "high": ranges[name][1],
                   "proven": list(bounds.membrane)}
            for name, bounds in zip(names, spec.bounds, strict=True)
        }
    if cycle_counts:
        cycles = np.concatenate(cycle_counts)
        figures["cycles"] = {"mean": float(cycles.mean()), "min": int(cycles.min()),
                             "max": int(cycles.max())}
        figures |= folded(spec, folding)
        figures["utilisation"] = {
            name: int(counters["synops"][:, i].sum()) / (figures["adders"][name]
                                                         * int(cycles.sum()))
            for i, name in enumerate(names)
        }
        figures["per_sample"] = {"input_spikes": events.tolist(), "cycles": cycles.tolist()}
    return figures


def tables(spec: NetworkSpec, figures: dict[str, Any]) -> Sequence[Any]:
    """What :func:`summary` found, as tables for the terminal: of figures, counters, membranes."""
    accuracy, cycles = figures["accuracy"], figures["cycles"]
    rows = [
        ("samples", figures["samples"]),
        ("timesteps", figures["timesteps"]),
        ("timesteps run, mean", figures["timesteps_run"]),
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
        # Counters are many and layers few, so this way round it fits a terminal.
        console.table("All samples, per layer", ("figure", *layers), [
            ("spikes", *(figures["spikes_per_layer"][name] for name in layers)),
            ("rate", *(figures["rate_per_layer"][name] for name in layers)),
            *((counter.replace("_", " "), *(figures["counters"][name][counter]
                                            for name in layers)) for counter in counters),
        ]),
    ]
    if "membranes" in figures:
        tables.append(console.table(
            "Membranes", ("layer", "lowest", "highest", "proven lowest", "proven highest"),
            [(name, m["low"], m["high"], *m["proven"])
             for name, m in figures["membranes"].items()],
        ))
    return tables
