"""The pictures of ``spikewright energy``; each function turns settings or verdicts into one
Matplotlib figure, drawn in the report's style. Blue is the SNN's side, red the QNN's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from ..figures import COLOURS, INK, drawn
from .conditions import breakeven_rate
from .costs import Energy, activation_bits, qnn_energy, qnn_work, snn_energy, snn_work
from .hardware import Hardware
from .power import SCOPE, Estimate
from .published import SOFTWARE, SoftwareCase
from .rates import CODINGS, density_of
from .verdict import Verdict, nanojoules

_SNN, _QNN = COLOURS[0], COLOURS[1]
_PARTS = ("compute", "weights", "signals")
_SHADES = (1.0, 0.62, 0.3)
#: With a step where both cost the same, so that its place is seen.
_SIDES = LinearSegmentedColormap.from_list("sides", [
    (0.0, _SNN), (0.5, "#d5e1ee"), (0.5, "#fcdfe2"), (1.0, _QNN)])

#: Colours of maps saturate where one twin costs so many times the other.
_SATURATED = 8


def _parts(energy: Energy) -> tuple[float, float, float]:
    return float(energy.compute_pj), float(energy.weights_pj), float(energy.signals_pj)


def _stack(axis, place: float, energy: Energy, colour: str, *, flat: bool = False) -> float:
    """A stacked bar; its total."""
    bottom = 0.0
    for value, shade in zip(_parts(energy), _SHADES, strict=True):
        if flat:
            axis.barh(place, value, left=bottom, color=colour, alpha=shade, linewidth=0)
        else:
            axis.bar(place, value, bottom=bottom, color=colour, alpha=shade, linewidth=0)
        bottom += value
    return bottom


def _scoped(figure: Figure, *scopes: str) -> Figure:
    """``figure`` with what its numbers are, so that it says so by itself."""
    figure.supxlabel("; ".join(dict.fromkeys(scopes)), fontsize=7)
    return figure


def _legend(figure: Figure) -> None:
    """Which colour and shade is what, above all panels."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, alpha=shade, linewidth=0, label=f"{who}: {part}")
               for who, colour in (("SNN", _SNN), ("QNN", _QNN))
               for part, shade in zip(_PARTS, _SHADES, strict=True)]
    figure.legend(handles=handles, ncols=2, fontsize=8, loc="outside upper center")


@drawn
def landscape(hardware: Sequence[Hardware], weight_bits: int, fan_in: int) -> Figure:
    """A panel for each software case and hardware: the SNN beside its twin at the densities that
    the best, average and worst coding give it; a dash where no twin has such a density."""
    figure = Figure(figsize=(5.6, 1.2 + 1.6 * len(hardware)), layout="constrained")
    rows = figure.subplots(len(hardware), len(SOFTWARE), squeeze=False)
    for axes, setting in zip(rows, hardware, strict=True):
        for axis, case in zip(axes, SOFTWARE, strict=True):
            _panel(axis, case, setting, weight_bits, fan_in)
        axes[0].set_ylabel(f"{setting.name}\npJ a neuron")
    for axis, case in zip(rows[0], SOFTWARE, strict=True):
        axis.set_title(f"{case.name}\nT = {case.timesteps}, s = {case.rate:g}")
    _legend(figure)
    return _scoped(figure, *(setting.scope for setting in hardware))


def _panel(axis, case: SoftwareCase, hardware: Hardware, weight_bits: int, fan_in: int) -> None:
    snn = snn_energy(snn_work(case.timesteps, case.rate, fan_in), hardware, weight_bits)
    totals = [_stack(axis, 0, snn, _SNN)]
    for place, coding in enumerate(CODINGS, start=1):
        density = float(density_of(case.rate, case.timesteps, coding))
        if density > 1:
            axis.text(place, 0, "–", ha="center", va="bottom")
            continue
        qnn = qnn_energy(qnn_work(density, fan_in, activation_bits(case.timesteps)), hardware,
                         weight_bits)
        totals.append(_stack(axis, place, qnn, _QNN))
        axis.annotate(f"{totals[0] / totals[-1]:.2f}", (place, totals[-1]), (0, 2),
                      textcoords="offset points", ha="center", fontsize=7)
    axis.set(xticks=range(4), xticklabels=("SNN", "best", "avg", "worst"), xlim=(-0.6, 3.6),
             ylim=(0, 1.18 * max(totals)))
    axis.tick_params(labelsize=7, length=0)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-1, 4))
    axis.yaxis.get_offset_text().set_fontsize(7)
    axis.locator_params(axis="y", nbins=4)


def _ratio(timesteps: npt.ArrayLike, rate: npt.ArrayLike, hardware: Hardware, weight_bits: int,
           fan_in: int, **movement: npt.ArrayLike) -> npt.NDArray:
    """log₂ of SNN ÷ QNN at average coding; NaN where no twin has such a density."""
    density = density_of(rate, timesteps, "average")
    hops = movement.get("hops", 1.0)
    snn = snn_energy(snn_work(timesteps, rate, fan_in, hops=hops,
                              reuse=movement.get("snn_reuse", 1.0)), hardware, weight_bits)
    qnn = qnn_energy(qnn_work(density, fan_in, activation_bits(timesteps), hops=hops,
                              reuse=movement.get("qnn_reuse", 1.0)), hardware, weight_bits)
    return np.where(density > 1, np.nan, np.log2(snn.total_pj / qnn.total_pj))


def _map(axis, x: npt.NDArray, y: npt.NDArray, log_ratio: npt.NDArray):
    """Colours; what the colour bar needs. ``x`` may be the edges of its cells."""
    edge = np.log2(_SATURATED)
    return axis.pcolormesh(x, y, log_ratio, cmap=_SIDES, norm=TwoSlopeNorm(0, -edge, edge),
                           rasterized=True)


def _bar(figure: Figure, mesh, axes) -> None:
    bar = figure.colorbar(mesh, ax=axes, extend="both", location="bottom", aspect=40, pad=0.02)
    ticks = np.arange(-3, 4)
    bar.set_ticks(ticks.tolist(), labels=[f"{2.0 ** tick:g}" for tick in ticks])
    bar.set_label("energy, SNN ÷ QNN (blue: the SNN costs less)")
    bar.outline.set_linewidth(0)  # pyright: ignore[reportCallIssue]


@drawn
def rate_maps(hardware: Sequence[Hardware], weight_bits: int, fan_in: int) -> Figure:
    """SNN ÷ QNN against timesteps and spike rate, a map for each hardware; dots are the cases."""
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(hardware), sharey=True, squeeze=False)[0]
    timesteps, edges = np.arange(1, 33), np.geomspace(0.005, 1, 161)
    rate = np.sqrt(edges[1:] * edges[:-1])
    mesh = None
    for axis, setting in zip(axes, hardware, strict=True):
        mesh = _map(axis, np.arange(33) + 0.5, edges,
                    _ratio(timesteps, rate[:, None], setting, weight_bits, fan_in))
        for case in SOFTWARE:
            axis.plot(case.timesteps, case.rate, "o", color=INK, markersize=3.5)
        axis.set(xlabel="timesteps T", title=setting.name, xscale="log", yscale="log",
                 xlim=(0.5, 36))
        axis.set_xticks([1, 2, 4, 8, 16, 32], labels=["1", "2", "4", "8", "16", "32"])
        axis.minorticks_off()
        axis.set_yticks([0.01, 0.1, 1], labels=["1 %", "10 %", "100 %"])
    axes[0].set_ylabel("spike rate s")
    _bar(figure, mesh, axes)
    return _scoped(figure, *(setting.scope for setting in hardware))


@drawn
def movement_maps(hardware: Hardware, weight_bits: int, fan_in: int) -> Figure:
    """SNN ÷ QNN at T = 4 against hops and spike rate, and, at the typical case, against how often
    each twin uses a weight that it has read."""
    figure = Figure(figsize=(5.6, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    hops, rate = np.geomspace(0.01, 10, 140), np.geomspace(0.005, 0.6, 140)
    mesh = _map(left, hops, rate,
                _ratio(4, rate[:, None], hardware, weight_bits, fan_in, hops=hops))
    left.set(xscale="log", yscale="log", xlabel="hops h", ylabel="spike rate s",
             title="T = 4, no reuse")
    left.set_yticks([0.01, 0.1, 0.5], labels=["1 %", "10 %", "50 %"])
    left.set_xticks([0.01, 0.1, 1, 10], labels=["0.01", "0.1", "1", "10"])
    reuse = np.geomspace(1, 1000, 140)
    _map(right, reuse, reuse, _ratio(
        4, 0.1, hardware, weight_bits, fan_in, hops=0.1, qnn_reuse=reuse,
        snn_reuse=reuse[:, None]))
    right.set(xscale="log", yscale="log", xlabel="QNN's reuse of a weight",
              ylabel="SNN's reuse of a weight", title="T = 4, s = 10 %, h = 0.1")
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks([1, 10, 100, 1000], labels=["1", "10", "100", "1000"])
    _bar(figure, mesh, [left, right])
    return _scoped(figure, hardware.scope)


@drawn
def breakeven(hardware: Hardware, density: float, weight_bits: Sequence[int],
              fan_ins: Sequence[int], timesteps: npt.NDArray[np.int64]) -> Figure:
    """The spike rate below which the SNN costs less, against timesteps."""
    figure = Figure(figsize=(4.8, 3.0), layout="constrained")
    axis = figure.subplots()
    for colour, bits in zip(np.resize(COLOURS, len(weight_bits)), weight_bits, strict=True):
        # Sizes hardly differ, so one is a line and others are marks upon it.
        for style, fan_in in zip(np.resize(["-", "o", "x"], len(fan_ins)), fan_ins, strict=True):
            rates = breakeven_rate(timesteps, density, fan_in, hardware, bits)
            axis.plot(timesteps, 100 * rates, style, color=colour, markersize=4, linewidth=1,
                      fillstyle="none", label=f"{bits}-bit weights, N = {fan_in}")
    axis.set(xlabel="timesteps T", ylabel="break-even spike rate (%)", yscale="log")
    axis.set_yticks([2, 5, 10, 20, 50], labels=["2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.locator_params(axis="x", integer=True)
    axis.legend()
    return _scoped(figure, hardware.scope)


@drawn
def lifetime(rate: npt.NDArray, hours: dict[str, tuple[npt.NDArray, npt.NDArray]],
             cases: dict[str, tuple[float, float]], scope: str) -> Figure:
    """Hours against spike ``rate``: for each net those of the SNN and of its best twin, and a dot
    for each of the ``cases`` (rate, hours)."""
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axis = figure.subplots()
    for colour, (name, (snn, qnn)) in zip(np.resize(COLOURS, len(hours)), hours.items(),
                                          strict=True):
        axis.plot(100 * rate, snn, color=colour, label=f"SNN, {name}")
        axis.plot(100 * rate, qnn, "--", color=colour, label="its best twin")
    for name, (s, value) in cases.items():
        axis.plot(100 * s, value, "o", color=INK, markersize=4)
        # Lines fall from left to right, so there is room above them, and beneath far right.
        right = s < 0.05
        axis.annotate(f"{name}: {value:.3g} h", (100 * s, value), (6, 6) if right else (-2, -15),
                      ha="left" if right else "right", textcoords="offset points", fontsize=8,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
    axis.set(xlabel="spike rate s (%)", ylabel="battery life (h)", xscale="log", yscale="log")
    axis.set_ylim(bottom=0.25 * min(value for _, value in cases.values()))
    axis.set_xticks([1, 10, 100], labels=["1", "10", "100"])
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend(fontsize=8, ncols=len(hours), loc="lower left", bbox_to_anchor=(0, 1))
    return _scoped(figure, scope)


@drawn
def layers(verdict: Verdict) -> Figure:
    """Both twins' energy an inference, layer by layer, stacked by what it is spent on."""
    names = [layer.counts.layer.name for layer in verdict.layers]
    figure = Figure(figsize=(4.8, 1.3 + 0.62 * len(names)), layout="constrained")
    axis = figure.subplots()
    most = 0.0
    for place, layer in enumerate(verdict.layers):
        for shift, energy, colour in ((-0.2, layer.snn, _SNN), (0.2, layer.qnn, _QNN)):
            scaled = Energy(*(part / 1000 for part in energy))
            figures = axis.containers
            total = _stack(axis, place + shift, scaled, colour, flat=True)
            for bars in figures[-3:]:
                bars[0].set_height(0.36)
                bars[0].set_y(place + shift - 0.18)
            axis.annotate(nanojoules(1000 * total), (total, place + shift), (3, 0), va="center",
                          textcoords="offset points", fontsize=8)
            most = max(most, total)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel="nJ an inference",
             xlim=(0, 1.15 * most))
    axis.invert_yaxis()
    _legend(figure)
    return _scoped(figure, verdict.hardware.scope)


@drawn
def fpga(estimate: Estimate) -> Figure:
    """A bar of the estimate's parts, with its uncertainty."""
    figure = Figure(figsize=(4.8, 1.9), layout="constrained")
    axis = figure.subplots()
    left = 0.0
    for colour, (name, pj) in zip(COLOURS[2:], (
        ("clock", estimate.clock_pj), ("logic", estimate.logic_pj),
        ("memories", estimate.memory_pj),
    ), strict=False):
        axis.barh(0, pj / 1e3, left=left, color=colour, label=name, linewidth=0, height=0.5)
        left += pj / 1e3
    low, high = (pj / 1e3 for pj in estimate.range_pj)
    axis.errorbar(left, 0, xerr=[[left - low], [high - left]], color=INK, capsize=4, linewidth=1)
    axis.set(yticks=[], ylim=(-0.5, 0.5), xlabel="nJ an inference, dynamic",
             xlim=(0, 1.05 * high))
    axis.legend(ncols=3, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))
    return _scoped(figure, SCOPE)
