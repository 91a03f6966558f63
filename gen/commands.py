"""The commands of the hardware side: ``simulate``, ``check`` and ``generate``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from . import console
from .convolution import Conv2dPlan
from .counters import COUNTERS, total
from .engines import load_engine
from .engines import simulate as run_engine
from .errors import DataError, FoldingError, SpikewrightError
from .folding import Folding, LayerFolding
from .plan import layer_plans
from .runfolder import RunFolder, write_output
from .spec import Conv2d, Layer, NetworkSpec
from .stimulus import Stimulus, from_argument
from .trace import Difference, Trace, first_difference, mismatched_samples

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)]
Samples = Annotated[
    int | None,
    typer.Option(min=1, help="How many samples, from the first. "
                             "[default: all; 10 on engine amaranth]", show_default=False),
]
Lanes = Annotated[
    str | None,
    typer.Option(help="Neurons that an event is added to per cycle; of convolutions, output "
                      "channels. One number for all layers, or one per layer, as in 64,10. "
                      "[default: all]", show_default=False),
]
Ways = Annotated[
    str | None,
    typer.Option(help="Events added per cycle, of all-to-all layers: one number for all of them, "
                      "or one per layer, as in 4,1. [default: 1]", show_default=False),
]

#: The engine that every other one is compared with.
REFERENCE = "golden"

#: Samples that an engine runs unless told otherwise; those not named run all.
DEFAULT_SAMPLES = {"amaranth": 10}

#: Samples compared at a time, so that a whole data set's membranes need not fit in memory.
_BATCH = 256


def folding_of(lanes: str | None, spec: NetworkSpec, ways: str | None = None) -> Folding:
    """What ``--lanes`` and ``--ways`` mean for ``spec``.

    A single number of lanes is cut down where a layer has fewer, or to what divides a
    convolution's channels; a single number of ways is that of every all-to-all layer.

    Raises
    ------
    FoldingError
        If one is no list of numbers, of another length than the layers, or cannot be built.
    """
    chosen_lanes, chosen_ways = _per_layer(lanes, "lanes", spec), _per_layer(ways, "ways", spec)
    folding = Folding.each(*(
        LayerFolding(lanes=each_lanes, ways=1 if each_ways is None else each_ways)
        for each_lanes, each_ways in zip(chosen_lanes, chosen_ways, strict=True)
    ), spec=spec)
    layer_plans(spec, folding)
    return folding


def _per_layer(text: str | None, what: str, spec: NetworkSpec) -> list[int | None]:
    """The numbers of a comma-separated list, one per layer; None where there is no choice."""
    if text is None:
        return [None] * len(spec.layers)
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise FoldingError(
            f"{what} {text!r} is not understood; give a number, or one per layer, as in 4,1"
        ) from None
    if len(numbers) == 1 and len(spec.layers) > 1:
        return [_applied(numbers[0], what, layer) for layer in spec.layers]
    if len(numbers) != len(spec.layers):
        raise FoldingError(
            f"{len(numbers)} {what.removesuffix('s')} counts for {len(spec.layers)} layers; give "
            f"one per layer, or one for all"
        )
    return list(numbers)


def _applied(number: int, what: str, layer: Layer) -> int | None:
    """What a number meant for every layer is for this one."""
    if not isinstance(layer.synapse, Conv2d):
        return number if what == "ways" else min(number, layer.neurons)
    if what == "ways":
        return None
    channels = layer.synapse.weight.shape[0] // layer.synapse.groups
    return next((n for n in range(min(number, channels), 0, -1) if channels % n == 0), number)


def folded(spec: NetworkSpec, folding: Folding) -> dict[str, dict[str, int]]:
    """What is built of each layer: ``lanes``, ``ways``, neuron ``units``, and ``adders``, the
    synaptic operations that one cycle can do; each layer → number."""
    figures: dict[str, dict[str, int]] = {"lanes": {}, "ways": {}, "units": {}, "adders": {}}
    for plan in layer_plans(spec, folding):
        synapses, name = plan.synapses, plan.layer.name
        conv = isinstance(synapses, Conv2dPlan)
        figures["lanes"][name] = synapses.lanes
        figures["ways"][name] = 1 if conv else synapses.ways
        figures["units"][name] = plan.units
        figures["adders"][name] = synapses.most_synops if conv else synapses.lanes * synapses.ways
    return figures


def simulate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Option(metavar="SCHEME:PATH", show_default=False,
                     help="Other samples: spikes:FILE.npz, events:FILE.npz, dataset:NAME. "
                          "[default: the run's held-back samples]"),
    ] = None,
    engine: Annotated[str, typer.Option(help="golden, torch, amaranth, …")] = REFERENCE,
    samples: Samples = None,
    lanes: Lanes = None,
    ways: Ways = None,
    membranes: Annotated[
        bool, typer.Option("--membranes", help="Report the range of every layer's membrane.")
    ] = False,
    waveform: Annotated[
        Path | None,
        typer.Option(metavar="FILE.vcd", show_default=False,
                     help="Record every signal (engine amaranth)."),
    ] = None,
    json: console.Json = False,
) -> None:
    """Run samples through the integer network: accuracy, spikes, counters and cycles.

    Results on the run's own samples are kept in its results.json, one entry per engine.

    Example: `spikewright simulate runs/demo --engine amaranth --samples 5`
    """
    folder = RunFolder.open(run)
    spec = folder.spec()
    folding = folding_of(lanes, spec, ways)
    load_engine(engine)
    stimulus = folder.stimulus() if data is None else from_argument(data, folder)
    stimulus = _first(stimulus, samples or DEFAULT_SAMPLES.get(engine))
    with console.progress(f"simulating on {engine}", len(stimulus)) as advance:
        trace = run_engine(spec, stimulus.spikes, engine=engine, folding=folding,
                           membranes=membranes, waveform=waveform, progress=advance)
    figures = summary(spec, folding, stimulus, trace)
    if data is None:
        kept = folder.read_json("results.json", "simulate") if "results.json" in folder else {}
        folder.record("simulate", {**kept.get("simulate", {}), engine: figures})
    console.finish({"run": str(run), "data": data, **figures},
                   *_tables(spec, figures), as_json=json)


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


def check(
    run: Run,
    engines: Annotated[
        str | None,
        typer.Option(help="Engines to compare with golden. [default: torch, amaranth, as far as "
                          "their packages are installed]", show_default=False),
    ] = None,
    samples: Samples = None,
    lanes: Lanes = None,
    ways: Ways = None,
    json: console.Json = False,
) -> None:
    """Prove that the engines agree: spikes and membranes of every layer, readout, counters.

    Equality, never tolerance. Exit code 1 and the first difference if there is one. `samples` in
    the JSON is what every engine ran; faster ones may have run more.

    Example: `spikewright check runs/demo --engines torch,golden,amaranth --samples 20`
    """
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    folding = folding_of(lanes, spec, ways)
    names, left_out = _engines(engines)
    compared: dict[str, int] = {}
    mismatches: dict[str, int] = {}
    first = None
    for name in names:
        tried = _first(stimulus, samples or DEFAULT_SAMPLES.get(name))
        compared[name] = len(tried)
        mismatches[name], difference = _compare(spec, folding, tried, name)
        first = first or difference
    result = {
        "run": str(run),
        "samples": min(compared.values()),
        "mismatches": sum(mismatches.values()),
        "engines": names,
        "samples_per_engine": compared,
        "mismatches_per_engine": mismatches,
        "left_out": left_out,
        "timesteps": spec.steps(stimulus.spikes),
        **folded(spec, folding),
        "first_difference": None if first is None else {
            "what": first.what, "sample": first.sample, "layer": first.layer,
            "timestep": first.timestep, "neuron": first.neuron,
            "values": dict(zip(first.engines, first.values, strict=True)),
        },
    }
    folder.record("check", {key: value for key, value in result.items() if key != "run"})
    for name, reason in left_out.items():
        console.say(f"left out: {name} ({reason})")
    if first is not None:
        console.say(f"first difference: {first}")
    console.finish(
        result,
        console.table(f"{run}: " + ("all equal" if first is None else "NOT equal"),
                      ("engine", "samples", f"differ from {REFERENCE}"),
                      [(name, compared[name], mismatches[name])
                       for name in names if name != REFERENCE]),
        as_json=json,
    )
    if first is not None:
        raise typer.Exit(1)


def _engines(listed: str | None) -> tuple[list[str], dict[str, str]]:
    """Engines to compare, and why engines that were only asked for by default are left out."""
    left_out = {}
    if listed is not None:
        names = list(dict.fromkeys(part.strip() for part in listed.split(",")))
        for name in names:
            load_engine(name)
    else:
        names = []
        for name in ("torch", REFERENCE, "amaranth"):
            try:
                load_engine(name)
                names.append(name)
            except SpikewrightError as error:
                left_out[name] = str(error)
    if not set(names) - {REFERENCE}:
        raise SpikewrightError(
            f"nothing to compare {REFERENCE} with; name another engine, as in --engines amaranth"
            + "".join(f"; {reason}" for reason in left_out.values())
        )
    return [*(name for name in names if name != REFERENCE), REFERENCE], left_out


def _compare(
    spec: NetworkSpec, folding: Folding, stimulus: Stimulus, engine: str
) -> tuple[int, Difference | None]:
    """Samples on which ``engine`` differs from the golden model, and the first difference."""
    if engine == REFERENCE:
        return 0, None
    wrong, first = 0, None
    with console.progress(f"{engine} = {REFERENCE}?", len(stimulus)) as advance:
        for start in range(0, len(stimulus), _BATCH):
            spikes = stimulus.spikes[start : start + _BATCH]
            reference = run_engine(spec, spikes, engine=REFERENCE, membranes=True)
            trace = run_engine(spec, spikes, engine=engine, folding=folding, membranes=True,
                               progress=advance)
            if trace.membranes is None:
                raise SpikewrightError(f"engine {engine!r} reports no membranes to compare")
            wrong += int(mismatched_samples(reference, trace).sum())
            found = first_difference(reference, trace, [layer.name for layer in spec.layers])
            if first is None and found is not None:
                first = Difference(found.what, start + found.sample, found.layer, found.timestep,
                                   found.neuron, found.engines, found.values)
    return wrong, first


def generate(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", show_default=False,
                     help="Where to write. [default: RUN/verilog]"),
    ] = None,
    lanes: Lanes = None,
    ways: Ways = None,
    json: console.Json = False,
) -> None:
    """Write the accelerator as one Verilog file that needs nothing else.

    Example: `spikewright generate runs/demo --lanes 64,10`
    """
    from . import verilog

    folder = RunFolder.open(run)
    spec = folder.spec()
    folding = folding_of(lanes, spec, ways)
    name = f"{spec.name}.v"
    with console.progress("writing Verilog", 1) as advance:
        text = verilog.convert(spec, folding)
        if output is None:
            with folder.writing("generate") as staging:
                (staging / "verilog").mkdir()
                (staging / "verilog" / name).write_text(text, encoding="utf-8")
            written = folder.path / "verilog" / name
        else:
            written = output / name
            write_output(written, text)
        advance()
    ports = [{"name": port.name, "direction": port.direction, "width": port.width,
              "meaning": port.meaning} for port in verilog.ports(spec)]
    figures = {
        "verilog": str(written),
        "module": spec.name,
        "lines": text.count("\n"),
        "digest": spec.digest,
        **folded(spec, folding),
        "ports": ports,
    }
    folder.record("generate", figures)
    console.finish(
        {"run": str(run), **figures},
        console.table(f"{written}: module {spec.name}", ("port", "direction", "bits", "meaning"),
                      [tuple(port.values()) for port in ports]),
        as_json=json,
    )


def _first(stimulus: Stimulus, samples: int | None) -> Stimulus:
    if not len(stimulus):
        raise DataError("there are no samples in the data; give a file with at least one")
    return stimulus if samples is None else stimulus[:samples]


def _tables(spec: NetworkSpec, figures: dict[str, Any]) -> Sequence[Any]:
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
