"""The command ``simulate``, and what commands on run folders have in common."""

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .engines import load_engine
from .engines import simulate as run_engine
from .errors import DataError
from .folding_options import Lanes, Protect, Slices, Ways, folding_of
from .runfolder import RunFolder
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
    protect: Protect = None,
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
    folding = folding_of(lanes, spec, ways, slices, protect)
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


def first_samples(stimulus: Stimulus, samples: int | None) -> Stimulus:
    """The first ``samples`` of ``stimulus``, all if None; DataError if there are none at all."""
    if not len(stimulus):
        raise DataError("there are no samples in the data; give a file with at least one")
    return stimulus if samples is None else stimulus[:samples]
