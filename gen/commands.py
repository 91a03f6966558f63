"""Commands of the hardware side: ``simulate`` and ``generate``."""

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .engines import load_engine
from .engines import simulate as run_engine
from .errors import DataError
from .folding_options import Lanes, Slices, Ways, folded, folding_of
from .runfolder import RunFolder, write_output
from .stimulus import Stimulus, from_argument
from .summary import summary, tables

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)]
Samples = Annotated[
    int | None,
    typer.Option(min=1, help="How many samples, from the first. "
                             "[default: all; 10 on engines amaranth and synthesis, "
                             "100 on netlist]", show_default=False),
]

#: Samples that an engine runs unless told otherwise; those not named run all.
DEFAULT_SAMPLES = {"amaranth": 10, "synthesis": 10, "netlist": 100}

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
    ] = "golden",
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
    stimulus = first_samples(stimulus, samples or DEFAULT_SAMPLES.get(engine))
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


def first_samples(stimulus: Stimulus, samples: int | None) -> Stimulus:
    """As many of ``stimulus``, from the first; DataError if there is none."""
    if not len(stimulus):
        raise DataError("there are no samples in the data; give a file with at least one")
    return stimulus if samples is None else stimulus[:samples]
