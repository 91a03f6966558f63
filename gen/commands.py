"""The commands of the hardware side: ``simulate``, ``check`` and ``generate``."""

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .engines import load_engine
from .engines import simulate as run_engine
from .errors import DataError, SpikewrightError
from .folding import Folding
from .folding_options import Lanes, Slices, Ways, folded, folding_of
from .runfolder import RunFolder, write_output
from .spec import NetworkSpec
from .stimulus import Stimulus, from_argument
from .summary import summary, tables
from .trace import Difference, first_difference, mismatched_samples

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)]
Samples = Annotated[
    int | None,
    typer.Option(min=1, help="How many samples, from the first. "
                             "[default: all; 10 on engine amaranth]", show_default=False),
]

#: The engine that every other one is compared with.
REFERENCE = "golden"

#: Samples that an engine runs unless told otherwise; those not named run all.
DEFAULT_SAMPLES = {"amaranth": 10}

#: Samples run at a time, so that a whole data set's spikes and membranes need not fit in memory.
_BATCH = 256


def simulate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Option(metavar="SCHEME:PATH", show_default=False,
                     help="Other samples: spikes:FILE.npz, events:FILE.npz, dataset:NAME. "
                          "[default: the run's held-back samples]"),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="golden, torch, cycles, amaranth, verilator, cxxrtl, …")
    ] = REFERENCE,
    samples: Samples = None,
    lanes: Lanes = None,
    ways: Ways = None,
    slices: Slices = None,
    membranes: Annotated[
        bool, typer.Option("--membranes", help="Report the range of every layer's membrane.")
    ] = False,
    waveform: Annotated[
        Path | None,
        typer.Option(metavar="FILE.vcd|FILE.fst", show_default=False,
                     help="Record every signal, with a layout for GTKWave and Surfer beside it "
                          "(engines amaranth and cxxrtl: VCD; verilator: FST or VCD)."),
    ] = None,
    json: console.Json = False,
) -> None:
    """Run samples through the integer network: accuracy, spikes, counters and cycles.

    Results on the run's own samples are kept in its results.json, one entry per engine. Engines
    verilator and cxxrtl compile the hardware once, and then run a whole data set on every core.

    Example: `spikewright simulate runs/demo --engine verilator`
    """
    folder = RunFolder.open(run)
    spec = folder.spec()
    folding = folding_of(lanes, spec, ways, slices)
    load_engine(engine)
    stimulus = folder.stimulus() if data is None else from_argument(data, folder)
    stimulus = _first(stimulus, samples or DEFAULT_SAMPLES.get(engine))
    with console.progress(f"simulating on {engine}", len(stimulus)) as advance:
        # A waveform is of one run, so its samples are not split.
        size = len(stimulus) if waveform is not None else _BATCH
        traces = (
            run_engine(spec, stimulus.spikes[start : start + size], engine=engine, folding=folding,
                       membranes=membranes, waveform=waveform, progress=advance)
            for start in range(0, len(stimulus), size)
        )
        figures = summary(spec, folding, stimulus, traces)
    if data is None:
        folder.record("simulate", {**folder.results("simulate"), engine: figures})
    console.finish({"run": str(run), "data": data, **figures},
                   *tables(spec, figures), as_json=json)


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
    slices: Slices = None,
    json: console.Json = False,
) -> None:
    """Prove that the engines agree: spikes and membranes of every layer, readout, counters.

    Equality, never tolerance. Exit code 1 and the first difference if there is one. `samples` in
    the JSON is what every engine ran; faster ones may have run more.

    Example: `spikewright check runs/demo --engines torch,cycles,amaranth,verilator`
    """
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    folding = folding_of(lanes, spec, ways, slices)
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
            trace = run_engine(spec, spikes, engine=engine, folding=folding, membranes=True,
                               progress=advance)
            reference = run_engine(spec, spikes, engine=REFERENCE, membranes=True,
                                   timesteps=trace.timesteps)
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
    slices: Slices = None,
    json: console.Json = False,
) -> None:
    """Write the accelerator as one Verilog file that needs nothing else.

    Example: `spikewright generate runs/demo --lanes 64,10`
    """
    from . import verilog
    from .rtl.network import Network

    folder = RunFolder.open(run)
    spec = folder.spec()
    folding = folding_of(lanes, spec, ways, slices)
    name = f"{spec.name}.v"
    with console.progress("writing Verilog", 1) as advance:
        network = Network(spec, folding)
        text = verilog.convert(network)
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
              "meaning": port.meaning} for port in verilog.ports(network)]
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
