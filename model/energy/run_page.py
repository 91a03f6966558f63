"""The page of ``energy run``. Three scopes, and no figure of two: what an engine counted, what it
costs by the hardware settings, and what the FPGA is estimated to take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..report.page import Card, Section, Table
from . import figures as drawings
from .exactness import Exactness
from .page import Picture, write
from .power import SCOPE, Estimate
from .verdict import Verdict, in_units, nanojoules
from .waveform import Toggles


def write_run(folder: Path, run: Path, figures: dict[str, Any], verdicts: Sequence[Verdict],
              exactness: Exactness, fpga: tuple[Estimate, Toggles] | None) -> list[str]:
    """Writes the page of ``figures`` and its pictures; names of the files."""
    source = f"spikewright energy run {run}"
    counted = f"counted by engine {figures['engine']}, {figures['samples']:,} samples"
    built = Picture(
        "layers", "As built", f"A hop takes an event to all neurons of a slice. "
        f"{verdicts[0].hardware.scope}; {counted}.", drawings.layers(verdicts[0]), source)
    unicast = Picture(
        "layers_unicast", "A hop for each neuron", "The mapping of arXiv 2409.08290: every event "
        f"is sent to every neuron. {verdicts[1].hardware.scope}; {counted}.",
        drawings.layers(verdicts[1]), source)
    pictures = [built, unicast]
    scope = f"Scope: {verdicts[0].hardware.scope}, {verdicts[0].hardware.name} hardware."
    energies = [_energies(verdict, source) for verdict in figures["verdicts"]]
    sections = [
        Section("Energy as built", f"{verdicts[0].sentence()} {scope}", tables=energies[:1],
                figures=[built.on_page()]),
        Section("Energy with a hop for each neuron", f"{verdicts[1].sentence()} {scope}",
                tables=energies[1:], figures=[unicast.on_page()]),
        Section("Are they one function?", _exactness_text(exactness),
                tables=[_deviations(exactness, source)]),
        Section("What was counted", f"An inference, on the mean: {counted}.",
                tables=[_counted(figures["verdicts"][0], source)]),
    ]
    if fpga is not None:
        picture = Picture("fpga", "Dynamic energy on the FPGA", f"{SCOPE}; the whisker is the "
                          f"uncertainty.", drawings.fpga(fpga[0]), source)
        pictures.append(picture)
        sections.append(Section("On the FPGA", _fpga_text(*fpga), figures=[picture.on_page()]))
    ratio = figures["verdicts"][0]["ratio"]
    cards = [
        Card("costs less, as built", figures["verdicts"][0]["winner"]),
        Card("energy, SNN ÷ QNN", "–" if ratio is None else f"{ratio:.2f}"),
        *(Card(f"accuracy, {who}", f"{value:.2%}") for who, value in (
            ("SNN", exactness.snn_accuracy), ("QNN twin", exactness.qnn_accuracy),
            ("SNN made of the QNN", exactness.back_accuracy)) if value is not None),
    ]
    title = f"{run.name}: spiking, or quantised?"
    subtitle = (f"{figures['timesteps']} timesteps against activations of "
                f"{figures['twins']['bits']} bits, the same weights")
    return write(folder, "energy", title, subtitle, cards, sections, pictures)


def _energies(verdict: dict[str, Any], source: str) -> Table:
    rows = []
    for layer in verdict["layers"]:
        snn, qnn = layer["snn"], layer["qnn"]
        flip = layer["flip_rate"]
        rows.append((
            layer["layer"], nanojoules(snn["total_pj"]), nanojoules(qnn["total_pj"]),
            "–" if layer["ratio"] is None else f"{layer['ratio']:.2f}", layer["winner"],
            f"{layer['rate']:.2%}", "never" if flip is None else f"{flip:.2%}",
            f"{layer['density']:.1%}", f"{snn['movement']}, {qnn['movement']}"))
    return Table(("layer", "SNN, nJ", "QNN, nJ", "ratio", "cheaper", "spike rate",
                  "flips at", "density", "movement"), rows, source)


def _exactness_text(exactness: Exactness) -> str:
    text = (f"{exactness.sentence()} Where Lemma 2 speaks for a neuron, {exactness.violations} "
            f"differ.")
    if exactness.back_refused is not None:
        return f"{text} The way back is refused: {exactness.back_refused}."
    return (f"{text} Back from the QNN, neurons without leak predict what it does for "
            f"{exactness.back_agreement:.1%} of the samples.")


def _deviations(exactness: Exactness, source: str) -> Table:
    return Table(
        ("layer", "Lemma 2 speaks", "equal, same input", "equal, from the start",
         "mean difference", "largest"),
        [(layer.layer, f"{layer.lawful:.1%}", f"{layer.equal:.1%}", f"{layer.equal_through:.1%}",
          f"{layer.mean_difference:+.3f}", f"{layer.largest_difference:+d}")
         for layer in exactness.layers], source)


def _counted(verdict: dict[str, Any], source: str) -> Table:
    rows = []
    for layer in verdict["layers"]:
        c = layer["counted"]
        rows.append((
            layer["layer"], f"{layer['fan_in']:,.1f}", f"{c['events']:,.1f}", f"{c['synops']:,.0f}",
            f"{c['weights_fetched']:,.0f}", _number(c["snn_reuse"]), _number(c["hops_per_synop"]),
            f"{c['spikes']:,.1f}", f"{c['qnn_activations']:,.1f}", f"{c['qnn_macs']:,.0f}"))
    return Table(("layer", "fan-in", "events", "synaptic operations", "weights fetched", "reuse",
                  "hops a synop", "spikes", "QNN activations", "QNN MACs"), rows, source)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _fpga_text(estimate: Estimate, switched: Toggles) -> str:
    low, high = map(in_units, estimate.range_pj)
    return (
        f"Scope: {SCOPE}, nothing measured. {in_units(estimate.total_pj)} of dynamic energy an "
        f"inference on {estimate.board} ({estimate.fabric.name}), give or take a factor of "
        f"{estimate.fabric.factor:g}: {low} to {high}, {estimate.milliwatts:.2g} mW at "
        f"{estimate.clock_hz / 1e6:g} MHz. {estimate.cells:,} cells, of whose signals "
        f"{switched.activity:.1%} toggle in a cycle ({switched.toggles:,} toggles of "
        f"{switched.bits:,} bits in {switched.cycles:,} cycles of a waveform). Leakage, pins and "
        f"glitches are left out. Not to be compared with the figures above, which are of another "
        f"technology.")
