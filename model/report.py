"""``spikewright report``: one self-contained page about a run, for people.

It reads what the run folder holds and nothing else; spikes and membranes are computed by the golden
model from ``spec.json`` and ``stimulus.npz``. A section whose files are missing says which command
makes them. Needs matplotlib and jinja2, but not torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..gen import console
from ..gen.counters import CYCLE_COUNTERS
from ..gen.engines import simulate
from ..gen.runfolder import RunFolder
from ..gen.spec import Conv2d, OneToOne, SumPool2d

if TYPE_CHECKING:
    from ..gen.spec import Layer, NetworkSpec
    from ..gen.stimulus import Stimulus
    from ..gen.trace import Trace

PAGE = "report.html"

#: Membranes drawn of one layer.
_TRACES = 5


#: What decides a build's cycles, as options and figures call it.
_FOLDING = ("lanes", "ways", "slices")


@dataclass
class Figure:
    """A picture, and the file that it shows."""

    title: str
    source: str
    svg: str
    caption: str = ""


@dataclass
class Table:
    """Rows of ready-made cells, and the file that they are from."""

    headings: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    source: str

    @property
    def words(self) -> list[bool]:
        """Which columns hold words, not figures."""
        return [all(str(row[i])[:1].isalpha() for row in self.rows)
                for i in range(len(self.headings))]


@dataclass
class Section:
    """A part of the page; ``missing`` are the commands that would fill it."""

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass
class Card:
    """One figure of the summary; ``mood`` is good, bad or nothing."""

    name: str
    value: str
    mood: str = ""


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)
    ],
    sample: Annotated[
        int, typer.Option(min=0, help="Which held-back sample's spikes and membranes to draw.")
    ] = 0,
    json: console.Json = False,
) -> None:
    """Write RUN/report.html: accuracy, spikes, cycles and resources on one page that needs no net.

    Example: `spikewright report runs/demo`
    """
    folder = RunFolder.open(run)
    page = Page(folder, sample)
    sections = []
    with console.progress("drawing the report", len(page.parts)) as advance:
        for part in page.parts:
            sections.append(part())
            advance()
        html = _render(page, sections)
    with folder.writing("report") as staging:
        (staging / PAGE).write_text(html, encoding="utf-8")
    result = {
        "run": str(run),
        "report": str(folder.path / PAGE),
        "sections": [section.title for section in sections],
        "missing": [command for section in sections for command in section.missing],
    }
    console.finish(
        result,
        console.table(result["report"], ("section", "figures", "still missing"),
                      [(s.title, len(s.figures), ", ".join(s.missing) or None) for s in sections]),
        as_json=json,
    )


def _render(page: Page, sections: list[Section]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = resources.files("spikewright.model").joinpath("report.html")
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        title=f"{page.spec.name}: {page.architecture}", subtitle=page.subtitle,
        cards=page.cards(), sections=sections,
    )


class Page:
    """What the report says about one run folder."""

    def __init__(self, folder: RunFolder, sample: int = 0):
        self.folder = folder
        self.spec: NetworkSpec = folder.spec()
        self.stimulus: Stimulus = folder.stimulus()
        self.sample = min(sample, len(self.stimulus) - 1)
        self.trace: Trace = simulate(self.spec, self.stimulus.spikes, engine="golden")
        self.results = self._json("results.json") or {}
        self.training = self._json("training.json")
        self.compiled = self._json("compile.json")
        #: The clocked engine's figures with the most samples.
        clocked = [figures for figures in self.results.get("simulate", {}).values()
                   if figures.get("cycles")]
        self.hardware = max(clocked, key=lambda figures: figures["samples"], default=None)

    def _json(self, name: str) -> Any:
        return self.folder.read_json(name, "report") if name in self.folder else None

    def _command(self, command: str) -> str:
        return f"spikewright {command} {self.folder.path}"

    @property
    def architecture(self) -> str:
        """Sizes of input and layers, in order."""
        return " → ".join(str(n) for n in (
            "×".join(map(str, self.spec.input_shape)),
            *(layer.neurons for layer in self.spec.layers),
        ))

    @property
    def subtitle(self) -> str:
        """What else identifies the network."""
        return (f"{self.spec.timesteps} timesteps, {self.spec.weights:,} weights, digest "
                f"{self.spec.digest[:16]}…")

    @property
    def parts(self) -> tuple[Callable[[], Section], ...]:
        """What makes the sections of the page, in order."""
        return (self._training, self._quantisation, self._behaviour, self._equality, self._cycles,
                self._boards, self._verilog, self._files)

    def cards(self) -> list[Card]:
        """The figures that people ask for first."""
        labelled = self.stimulus.labels >= 0
        cards = []
        if self.compiled:
            cards.append(Card("accuracy in floats", f"{self.compiled['float_accuracy']:.2%}"))
        if labelled.any():
            right = self.trace.prediction[labelled] == self.stimulus.labels[labelled]
            bits = "/".join(f"INT{b}" for b in sorted({
                layer.synapse.weight_bits for layer in self.spec.layers
            }))
            cards.append(Card(f"accuracy in {bits}, {labelled.sum():,} held-back samples",
                              f"{right.mean():.2%}"))
        if check := self.results.get("check"):
            engines = " = ".join(check["engines"])
            cards.append(Card(f"differences: {engines}, {check['samples']} samples",
                              f"{check['mismatches']}",
                              "bad" if check["mismatches"] else "good"))
        if self.hardware:
            mean = self.hardware["cycles"]["mean"]
            cards.append(Card("cycles an inference, mean", f"{mean:,.0f}"))
        for name, build in self.results.get("build", {}).items():
            clock = build["clock_mhz"]
            if self.hardware and self._is_simulated(build):
                seconds = self.hardware["cycles"]["mean"] / (clock * 1e6)
                cards.append(Card(f"latency on {name} at {clock:g} MHz", _seconds(seconds)))
            what, share = max(
                ((what, row["used"] / row["available"])
                 for what, row in build["utilisation"].items() if row["available"]),
                key=lambda item: item[1],
            )
            cards.append(Card(f"of the {what} of {name}", f"{share:.0%}"))
            cards.append(Card(f"Fmax on {name}", f"{min(build['fmax_mhz'].values()):.1f} MHz",
                              "good" if build["meets_timing"] else "bad"))
        return cards

    def _training(self) -> Section:
        section = Section("Training")
        if not self.training:
            section.missing.append(self._command("train -o"))
            return section
        from . import figures

        history = self.training["history"]
        accuracy = {
            name: [entry[key] for entry in history]
            for key, name in (("accuracy", "training"), ("held_back_accuracy", "held back"))
        }
        samples = self.training["samples"]
        section.text = (
            f"{len(history)} epochs on {samples['train']:,} samples, seed {self.training['seed']}; "
            f"{samples['held_back']:,} samples were held back and never acted upon."
        )
        section.figures += [
            Figure("Accuracy", "training.json",
                   figures.svg(figures.curves(accuracy, "accuracy"), "Accuracy per epoch")),
            Figure("Loss", "training.json", figures.svg(
                figures.curves({"training": [entry["loss"] for entry in history]}, "loss"),
                "Loss per epoch")),
        ]
        return section

    def _quantisation(self) -> Section:
        from . import figures

        section = Section("The network in integers")
        if self.compiled:
            c = self.compiled
            section.text = (
                f"Accuracy on {c['samples']:,} held-back samples: {c['float_accuracy']:.2%} in "
                f"floats, {c['ptq_accuracy']:.2%} rounded, {c['accuracy']:.2%} as built. "
                + " ".join(f"Warning: {warning}." for warning in c["warnings"])
            )
        section.tables.append(Table(
            ("layer", "inputs", "synapses", "neurons", "weight bits", "zero weights", "threshold",
             "decay", "reset", "membrane bits"),
            [(layer.name, f"{layer.inputs:,}", _synapses(layer), f"{layer.neurons:,}",
              layer.synapse.weight_bits, f"{(layer.synapse.weight == 0).mean():.0%}",
              "–" if layer.neuron.threshold is None else _range(layer.neuron.threshold),
              f"{_range(layer.neuron.decay)} / {1 << layer.neuron.decay_fraction}",
              layer.neuron.reset.value + (", delayed" if layer.neuron.reset_delay else ""),
              bounds.membrane_bits)
             for layer, bounds in zip(self.spec.layers, self.spec.bounds, strict=True)],
            "spec.json",
        ))
        for layer in self.spec.layers:
            section.figures.append(Figure(
                f"Weights of {layer.name}", "spec.npz",
                figures.svg(figures.histogram(layer.synapse.weight, layer.synapse.weight_bits),
                            f"Weights of {layer.name}"),
            ))
        return section

    def _behaviour(self) -> Section:
        from . import figures

        one = self.stimulus[self.sample : self.sample + 1]
        trace = simulate(self.spec, one.spikes, engine="golden", membranes=True)
        assert trace.membranes is not None
        label = int(one.labels[0])
        names = [layer.name for layer in self.spec.layers]
        section = Section(
            "Spikes",
            f"Held-back sample {self.sample}"
            + (f", labelled {label}" if label >= 0 else "")
            + f", predicted {int(trace.prediction[0])}. "
            f"A sample brings {np.count_nonzero(self.stimulus.spikes) / len(self.trace):,.0f} "
            f"input events and "
            f"{self.trace.synops / len(self.trace):,.0f} synaptic operations on average.",
        )
        rasters = {"input": one.spikes[0]} | {
            name: s[0] for name, s in zip(names, trace.spikes, strict=True)
        }
        section.figures.append(Figure(
            "Spike raster", "stimulus.npz", figures.svg(figures.raster(rasters), "Spike raster"),
            "every spike of one sample; layers by the golden model.",
        ))
        for layer, m, s in zip(self.spec.layers, trace.membranes, trace.spikes, strict=True):
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
        known = self.stimulus.labels >= 0
        if known.any():
            picture = figures.confusion(self.stimulus.labels[known], self.trace.prediction[known],
                                        self.spec.classes)
            section.figures.append(Figure("Confusion", "stimulus.npz",
                                          figures.svg(picture, "Confusion matrix"),
                                          "held-back samples by label and prediction."))
        return section

    def _equality(self) -> Section:
        section = Section("Equality")
        check = self.results.get("check")
        if check is None:
            section.missing.append(self._command("check"))
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

    def _cycles(self) -> Section:
        section = Section("Cycles")
        hardware = self.hardware
        if hardware is None:
            section.missing.append(self._command("simulate") + " --engine amaranth")
            return section
        from . import figures

        cycles, counters = hardware["cycles"], hardware["counters"]
        section.text = (
            f"{cycles['mean']:,.1f} cycles an inference ({cycles['min']:,} to {cycles['max']:,}) "
            f"over {hardware['samples']} samples on engine {hardware['engine']}. Utilisation is "
            f"synaptic operations ÷ (lanes × cycles)."
        )
        section.tables.append(Table(
            ("layer", "lanes", "utilisation", *next(iter(counters.values()))),
            [(name, f"{hardware['lanes'][name]:,}", f"{hardware['utilisation'][name]:.1%}",
              *(f"{value:,}" for value in counted.values()))
             for name, counted in counters.items()],
            "results.json",
        ))
        split = {name: {kind: counted[kind] for kind in CYCLE_COUNTERS}
                 for name, counted in counters.items()}
        section.figures.append(Figure(
            "What each layer did", "results.json",
            figures.svg(figures.cycle_split(split, hardware["samples"]), "Cycles of each layer"),
            "the four kinds add up to the cycles of an inference.",
        ))
        spikes = np.array(hardware["per_sample"]["input_spikes"])
        taken = np.array(hardware["per_sample"]["cycles"])
        if len(set(spikes.tolist())) > 1:
            slope, intercept = np.polyfit(spikes, taken, 1).tolist()
            section.figures.append(Figure(
                "Cost follows spikes", "results.json",
                figures.svg(figures.cycles_against_spikes(spikes, taken, (slope, intercept)),
                            "Cycles against input spikes"),
                "cycles of each sample, and the least-squares line back to no spikes.",
            ))
        return section

    def _boards(self) -> Section:
        section = Section("Boards")
        builds = self.results.get("build", {})
        if not builds:
            section.missing.append(self._command("build") + " --board icebreaker")
            return section
        from . import figures

        for name, build in builds.items():
            shares = {what: (row["used"], row["available"])
                      for what, row in build["utilisation"].items() if row["available"]}
            folding = {each: ",".join(map(str, build[each])) for each in _FOLDING
                       if each in build}
            fmax = ", ".join(f"{value:g}" for value in build["fmax_mhz"].values())
            section.figures.append(Figure(
                name, f"boards/{name}/build.json",
                figures.svg(figures.resources(shares), f"Resources of {name}"),
                f"{build['device']}, {', '.join(f'{n} {value}' for n, value in folding.items())}; "
                f"Fmax {fmax} MHz, clocked at {build['clock_mhz']:g} MHz.",
            ))
            if not self._is_simulated(build):
                section.text = "The cycles above are not of the lanes of every board."
                section.missing.append(
                    self._command("simulate")
                    + " --engine amaranth"
                    + "".join(f" --{name} {value}" for name, value in folding.items())
                )
        return section

    def _is_simulated(self, build: dict[str, Any]) -> bool:
        """Whether the cycles of the report are those of this build's hardware."""
        return self.hardware is not None and build["network"] == self.spec.digest and all(
            list(self.hardware[name].values()) == build[name] for name in _FOLDING
            if name in build
        )

    def _verilog(self) -> Section:
        section = Section("Verilog")
        generated = self.results.get("generate")
        if generated is None:
            section.missing.append(self._command("generate"))
            return section
        section.text = f"{generated['lines']:,} lines, module {generated['module']}."
        section.tables.append(Table(
            ("port", "direction", "bits", "meaning"),
            [tuple(port.values()) for port in generated["ports"]], "results.json",
        ))
        return section

    def _files(self) -> Section:
        section = Section("Files")
        section.tables.append(Table(
            ("file", "written by"),
            [(name, f"spikewright {self.folder.written_by(name)}")
             for name in self.folder.names() if name != PAGE],
            "run.json",
        ))
        return section


def _synapses(layer: Layer) -> str:
    """Pooling, kind of synapse and recurrence in a few words."""
    said = []
    if layer.pool is not None:
        kind = "sum" if isinstance(layer.pool, SumPool2d) else "max"
        said.append(f"{kind} pooling {'×'.join(map(str, layer.pool.kernel))}")
    if isinstance(layer.synapse, Conv2d):
        channels, _, height, width = layer.synapse.weight.shape
        stride = "×".join(map(str, layer.synapse.stride))
        said.append(f"{channels} kernels {height}×{width}, stride {stride}")
    else:
        said.append("all to all")
    if layer.recurrent is not None:
        said.append("recurrent " + (
            "one to one" if isinstance(layer.recurrent, OneToOne) else "all to all"))
    return "; ".join(said)


def _range(value: Any) -> str:
    """One integer, or the lowest and highest of one per neuron."""
    low, high = int(np.min(value)), int(np.max(value))
    return f"{low:,}" if low == high else f"{low:,} … {high:,}"


def _seconds(seconds: float) -> str:
    """With a unit that leaves one to three digits before the point."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
