"""Pictures of a study, in the style of :mod:`..figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..figures import COLOURS, drawn
from .statistics import Choice, Interval, Sensitivity

#: Units that figures are drawn in → their part of the stored ones.
UNITS = {"accuracy": ("accuracy, %", 100.0), "latency_us": ("latency, µs", 1.0),
         "cycles": ("cycles an inference", 1.0), "synops": ("synaptic operations", 1.0),
         "energy_pj": ("energy, nJ", 1e-3), "logic": ("logic cells or LUTs", 1.0),
         "blocks": ("block memories", 1.0), "weight_bits": ("weight bits", 1.0),
         "spike_rate": ("spikes a neuron and timestep, %", 100.0)}

_MARKERS = "osD^vP*X"

#: Points of a picture from which on their intervals would hide them.
_MANY = 100


@drawn
def front(found: Mapping[str, Sequence[Choice]], best: Sequence[Choice], x: str, y: str) -> Figure:
    """Every choice by its means, by hardware, with intervals; lines join those of ``best``.
    Hardware with the same points has one mark. Of many choices, intervals are pale and may go
    beyond the axes."""
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axis = figure.subplots()
    marks: dict[tuple[tuple[Interval, Interval], ...], list[str]] = {}
    for name, choices in found.items():
        if points := tuple((a, b) for each in choices
                           if (a := each.interval(x)) and (b := each.interval(y))):
            marks.setdefault(points, []).append(name)
    many = sum(map(len, marks)) > _MANY
    for number, (points, names) in enumerate(marks.items()):
        axis.scatter([a.mean * UNITS[x][1] for a, _ in points],
                     [b.mean * UNITS[y][1] for _, b in points],
                     s=8 if many else 16, alpha=0.8, label="\n".join(names),
                     color=COLOURS[number % len(COLOURS)],
                     marker=_MARKERS[number % len(_MARKERS)])
    if many:  # the axes stay those of the means
        axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())
    for number, points in enumerate(marks):
        axis.errorbar([a.mean * UNITS[x][1] for a, _ in points],
                      [b.mean * UNITS[y][1] for _, b in points],
                      [(b.half or 0.0) * UNITS[y][1] for _, b in points],
                      [(a.half or 0.0) * UNITS[x][1] for a, _ in points],
                      fmt="none", ecolor=COLOURS[number % len(COLOURS)], elinewidth=0.6,
                      alpha=0.15 if many else 0.8)
    line = sorted((a.mean * UNITS[x][1], b.mean * UNITS[y][1]) for each in best
                  if (a := each.interval(x)) and (b := each.interval(y)))
    axis.plot(*zip(*line, strict=True), color=COLOURS[-1], linewidth=1.2, zorder=0, label="front")
    axis.set(xlabel=UNITS[x][0], ylabel=UNITS[y][0])
    # Below the axes, where it hides no point on a phone.
    figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure


@drawn
def sensitivities(found: Sequence[Sensitivity]) -> Figure:
    """One axis a figure: its mean and interval at each level of one setting."""
    figure = Figure(figsize=(4.8, 1.7 * len(found) + 0.5), layout="constrained")
    axes = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    labels = [label for label, _ in found[0].levels]
    for number, (axis, each) in enumerate(zip(axes, found, strict=True)):
        title, unit = UNITS[each.figure]
        places = [labels.index(label) for label, _ in each.levels]
        axis.errorbar(places, [level.mean * unit for _, level in each.levels],
                      [(level.half or 0.0) * unit for _, level in each.levels],
                      fmt="o", color=COLOURS[number % len(COLOURS)], capsize=3)
        axis.set_title(title, loc="left")
        axis.locator_params(axis="y", nbins=5)
        axis.margins(x=0.15)
    turned = sum(map(len, labels)) > 40
    axes[-1].set_xticks(np.arange(len(labels)), labels, rotation=30 if turned else 0,
                        ha="right" if turned else "center")
    axes[-1].set(xlabel=found[0].name)
    return figure
