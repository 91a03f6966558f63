"""The report's pictures: each function turns arrays into one Matplotlib figure, drawn to SVG.

Text and axes take the colour of the page around them, so that one picture serves light, dark and
paper. Needs matplotlib; nothing of torch.
"""

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..gen.timeline import Timeline

#: Paul Tol's bright scheme: apart for colour-blind eyes, and on white and black alike.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999")

#: Stands for the page's own text colour until the picture is in the page.
INK = "#010203"

_STYLE: Any = {
    "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 9, "figure.facecolor": "none",
    "axes.facecolor": "none", "legend.framealpha": 0.0, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "savefig.facecolor": "none",
    "axes.prop_cycle": cycler(color=COLOURS),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor",
                     "xtick.color", "ytick.color", "patch.edgecolor"), INK),
}

_WIDTH, _HEIGHT = 4.8, 2.7  # inches; small, so that text stays readable on a phone

_Ints = npt.NDArray[np.int64]
_P = ParamSpec("_P")


def svg(figure: Figure, title: str) -> str:
    """``figure`` as an ``<svg>`` element to put into a page, with ``title`` for screen readers."""
    out = io.StringIO()
    # The salt keeps the ids of two pictures in one page apart, and the same from run to run.
    with mpl.rc_context(_STYLE | {"svg.hashsalt": title}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Title": title})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    size = re.compile(r' (width|height)="[^"]*"')
    head, end, body = text.partition(">")
    return f'{size.sub("", head)} role="img" aria-label="{html.escape(title)}"{end}{body}'


class Picture:
    """``figure`` as a notebook shows it: in the page's own text colour, ``title`` for screen
    readers."""

    def __init__(self, figure: Figure, title: str):
        self.svg = svg(figure, title)

    def _repr_html_(self) -> str:
        return f'<div style="max-width: 36rem">{self.svg}</div>'


def _axes(rows: int = 1, *, height: float = _HEIGHT, sharex: bool = False) -> tuple[Figure, list]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(rows, 1, sharex=sharex, squeeze=False)[:, 0])


def drawn(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Runs a drawing function under the report's style."""

    @wraps(draw)
    def styled(*arguments: _P.args, **options: _P.kwargs) -> Figure:
        with mpl.rc_context(_STYLE):
            return draw(*arguments, **options)

    return styled


@drawn
def curves(series: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """Each series over epochs, counted from 1."""
    figure, (axis,) = _axes()
    for name, values in series.items():
        axis.plot(range(1, len(values) + 1), values, label=name,
                  marker="." if len(values) < 40 else None)
    axis.set(xlabel="epoch", ylabel=ylabel)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()
    return figure


@drawn
def raster(layers: Mapping[str, npt.NDArray[np.bool_]]) -> Figure:
    """A dot per spike of one sample; ``layers``: name → bool (timesteps, neurons)."""
    figure, axes = _axes(len(layers), height=1.1 * len(layers) + 0.6, sharex=True)
    for axis, (colour, (name, spikes)) in zip(
        axes, zip(np.resize(COLOURS, len(layers)), layers.items(), strict=True), strict=True
    ):
        t, neuron = np.nonzero(spikes)
        axis.plot(t, neuron, ".", color=colour, markersize=3 if spikes.shape[1] > 20 else 6,
                  markeredgewidth=0, rasterized=len(t) > 2000)
        axis.set(ylabel=name, ylim=(-0.5, spikes.shape[1] - 0.5), xlim=(-0.5, len(spikes) - 0.5))
        axis.locator_params(axis="y", nbins=4, integer=True)
    axes[-1].set(xlabel="timestep")
    axes[-1].locator_params(axis="x", integer=True)
    return figure


@drawn
def membranes(
    traces: _Ints,
    spikes: npt.NDArray[np.bool_],
    thresholds: _Ints | None,
    neurons: Sequence[int],
) -> Figure:
    """Membranes (timesteps, neurons) of the chosen ``neurons``, a dot where one fired, and the
    threshold dashed where all share one; None where there is none."""
    figure, (axis,) = _axes(height=2.9)
    time = np.arange(len(traces))
    for number, neuron in enumerate(neurons):
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(time, traces[:, neuron], color=colour, label=f"{neuron}", linewidth=1)
        fired = np.flatnonzero(spikes[:, neuron])
        axis.plot(fired, traces[fired, neuron], ".", color=colour)
    if thresholds is not None and (thresholds[list(neurons)] == thresholds[neurons[0]]).all():
        axis.axhline(thresholds[neurons[0]], color=INK, linestyle="--", linewidth=0.8)
    axis.set(xlabel="timestep", ylabel="membrane (steps)")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(title="neuron", ncols=5, fontsize=8, title_fontsize=8, loc="lower left",
                bbox_to_anchor=(0, 1))
    return figure


@drawn
def cycle_split(layers: Mapping[str, Mapping[str, int]], samples: int) -> Figure:
    """A bar per layer of its cycles a sample; ``layers``: name → kind of cycle → total."""
    figure, (axis,) = _axes(height=0.9 + 0.4 * len(layers))
    names = list(layers)[::-1]
    left = np.zeros(len(names))
    for number, kind in enumerate(next(iter(layers.values()))):
        width = np.array([layers[name][kind] for name in names]) / samples
        axis.barh(names, width, left=left, label=kind, color=COLOURS[number], linewidth=0)
        left += width
    axis.set(xlabel="cycles a sample")
    axis.legend(ncols=4, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


@drawn
def timeline(times: Timeline, names: Sequence[str], sample: int,
             timesteps: int | None = None) -> Figure:
    """Which cycles each layer spends on the events of each timestep, above, and on its sweep,
    below, of the first ``timesteps`` (all by default); shades alternate from timestep to timestep.
    """
    figure, (axis,) = _axes(height=0.8 + 0.55 * len(names))
    for place, layer in enumerate(times.layers):
        for low, begin, end in ((-0.36, layer.first, layer.finish), (0.02, layer.begin, layer.end)):
            spans = np.broadcast_arrays(begin[:, sample], end[:, sample] + 1)
            for t, (start, stop) in enumerate(zip(*(each[:timesteps] for each in spans),
                                                  strict=True)):
                axis.broken_barh([(int(start), int(stop) - int(start))], (place + low, 0.34),
                                 facecolor=COLOURS[place % len(COLOURS)], linewidth=0,
                                 alpha=0.55 if t % 2 else 1.0)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel="cycle", xlim=(0, None))
    axis.invert_yaxis()
    return figure


@drawn
def cycles_against_spikes(spikes: _Ints, cycles: _Ints, line: tuple[float, float]) -> Figure:
    """A dot per sample, and the fitted ``line`` (slope, intercept)."""
    figure, (axis,) = _axes()
    slope, intercept = line
    axis.plot(spikes, cycles, ".", label="sample")
    ends = np.array([0, spikes.max()])
    axis.plot(ends, slope * ends + intercept, linewidth=1,
              label=f"{slope:.2f} · spikes {'+' if intercept >= 0 else '−'} {abs(intercept):.0f}")
    axis.set(xlabel="input spikes", ylabel="cycles", xlim=(0, None), ylim=(0, None))
    axis.legend()
    return figure


@drawn
def histogram(weights: _Ints, bits: int) -> Figure:
    """How often each value of a ``bits``-wide weight occurs."""
    figure, (axis,) = _axes(height=2.0)
    values = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    counts = np.array([np.count_nonzero(weights == value) for value in values])
    axis.bar(values, counts, width=0.85, linewidth=0)
    axis.set(xlabel="weight (steps)", ylabel="synapses")
    return figure


@drawn
def spike_rates(layers: Mapping[str, npt.NDArray[np.float64]]) -> Figure:
    """How many neurons fire how often; ``layers``: name → spikes a timestep (neurons,)."""
    figure, axes = _axes(len(layers), height=1.1 * len(layers) + 0.6, sharex=True)
    edges = np.linspace(0, max(1e-9, *(float(each.max()) for each in layers.values())), 21)
    for axis, colour, (name, rates) in zip(axes, np.resize(COLOURS, len(layers)), layers.items(),
                                           strict=True):
        axis.hist(rates, edges, color=colour, linewidth=0)
        axis.set(ylabel=name)
        axis.locator_params(axis="y", nbins=4, integer=True)
    axes[-1].set(xlabel="spikes a timestep", xlim=(0, edges[-1]))
    return figure


@drawn
def confusion(labels: _Ints, predictions: _Ints, classes: int) -> Figure:
    """Samples per pair of label and prediction."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    figure, (axis,) = _axes(height=_WIDTH * 0.8)
    # Never so dark that a figure on it is hard to read.
    shades = LinearSegmentedColormap.from_list("ink", ["#4477aa00", "#4477aa99"])
    axis.imshow(matrix, cmap=shades, rasterized=True)
    if classes <= 20:
        for label, prediction in np.argwhere(matrix):
            axis.text(prediction, label, f"{matrix[label, prediction]}", ha="center", va="center",
                      fontsize=8 if classes <= 10 else 6)
        axis.set(xticks=range(classes), yticks=range(classes))
    axis.set(xlabel="prediction", ylabel="label")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


@drawn
def resources(shares: Mapping[str, tuple[int, int]]) -> Figure:
    """A bar per kind of cell: used of available, and the two figures."""
    figure, (axis,) = _axes(height=0.7 + 0.32 * len(shares))
    names = list(shares)[::-1]
    percent = [100 * shares[name][0] / shares[name][1] for name in names]
    axis.barh(names, percent, color=[COLOURS[1] if p > 100 else COLOURS[0] for p in percent],
              linewidth=0)
    for place, (name, p) in enumerate(zip(names, percent, strict=True)):
        used, available = shares[name]
        axis.text(min(p, 100) + 1, place, f"{used:,} / {available:,}", va="center", fontsize=8)
    axis.set(xlim=(0, 135), xlabel="% of the part", xticks=[0, 25, 50, 75, 100])
    return figure
