"""What the network does: spikes and membranes of a sample, and whether all engines agree."""

import numpy as np

from ...gen.engines import simulate
from .. import figures
from .page import Figure, Section, Table
from .run import RunData

#: Membranes drawn of one layer.
_TRACES = 5


def behaviour(run: RunData) -> Section:
    """Spikes and membranes of one sample; how often neurons fire in all, and what is confused."""
    one = run.stimulus[run.sample : run.sample + 1]
    trace = simulate(run.spec, one.spikes, engine="golden", membranes=True)
    assert trace.membranes is not None
    label = int(one.labels[0])
    names = [layer.name for layer in run.spec.layers]
    section = Section(
        "Spikes",
        f"Held-back sample {run.sample}"
        + (f", labelled {label}" if label >= 0 else "")
        + f", predicted {int(trace.prediction[0])}. "
        f"A sample brings {np.count_nonzero(run.stimulus.spikes) / len(run.trace):,.0f} "
        f"input events and "
        f"{run.trace.synops / len(run.trace):,.0f} synaptic operations on average.",
    )
    rasters = {"input": one.spikes[0]} | {
        name: s[0] for name, s in zip(names, trace.spikes, strict=True)
    }
    section.figures.append(Figure(
        "Spike raster", "stimulus.npz", figures.svg(figures.raster(rasters), "Spike raster"),
        "every spike of one sample; layers by the golden model.",
    ))
    for layer, m, s in zip(run.spec.layers, trace.membranes, trace.spikes, strict=True):
        fires = layer.neuron.threshold is not None
        activity = s[0].sum(axis=0) if fires else m[0].sum(axis=0)
        busiest = np.sort(np.argsort(-activity, kind="stable")[:_TRACES]).tolist()
        thresholds = layer.neuron.per_neuron("threshold", layer.neurons) if fires else None
        section.figures.append(Figure(
            f"Membranes of {layer.name}", "stimulus.npz",
            figures.svg(figures.membranes(m[0], s[0], thresholds, busiest),
                        f"Membranes of {layer.name}"),
            f"the {len(busiest)} neurons that fired most; a dot is a spike, the dashes the "
            f"threshold." if fires else
            f"the {len(busiest)} neurons of the highest membranes; they never fire.",
        ))
    rates = {layer.name: s.mean(axis=(0, 1)) for layer, s in
             zip(run.spec.layers, run.trace.spikes, strict=True)
             if layer.neuron.threshold is not None}
    if rates:
        section.figures.append(Figure(
            "How often neurons fire", "stimulus.npz",
            figures.svg(figures.spike_rates(rates), "Spike rates of the neurons"),
            f"how many neurons spike how often in a timestep, on the mean of {len(run.trace):,} "
            f"samples.",
        ))
    known = run.stimulus.labels >= 0
    if known.any():
        picture = figures.confusion(run.stimulus.labels[known], run.trace.prediction[known],
                                    run.spec.classes)
        section.figures.append(Figure("Confusion", "stimulus.npz",
                                      figures.svg(picture, "Confusion matrix"),
                                      "held-back samples by label and prediction."))
    return section


def equality(run: RunData) -> Section:
    """What `check` compared, and the first difference if there was one."""
    section = Section("Equality")
    check = run.results.get("check")
    if check is None:
        section.missing.append(run.command("check"))
        return section
    first = check["first_difference"]
    section.text = "Compared: spikes and membranes of every layer, readout, counters. " + (
        "No difference was found." if first is None else
        f"First difference: {first['what']} of sample {first['sample']}, layer "
        f"{first['layer']}, timestep {first['timestep']}, neuron {first['neuron']}: "
        + ", ".join(f"{engine} has {value}" for engine, value in first["values"].items()) + "."
    ) + "".join(f" Left out: {name} ({why})." for name, why in check["left_out"].items())
    section.tables.append(Table(
        ("engine", "samples", "that differ from golden"),
        [(name, f"{n:,}", f"{check['mismatches_per_engine'][name]:,}")
         for name, n in check["samples_per_engine"].items() if name != "golden"],
        "results.json",
    ))
    return section
