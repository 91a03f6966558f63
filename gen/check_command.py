"""The command ``check``: every engine against the golden model."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from . import console
from .commands import DEFAULT_SAMPLES, Run, Samples, first_samples
from .engines import available_engines, load_engine
from .engines import simulate as run_engine
from .errors import SpikewrightError, ToolError
from .folding import Folding, Loadable
from .folding_options import (
    AllLoadable,
    Lanes,
    Protect,
    Slices,
    Ways,
    WeightsLoadable,
    folded,
    folding_of,
    from_json,
    loadable_of,
)
from .runfolder import RunFolder
from .spec import NetworkSpec
from .stimulus import Stimulus
from .trace import Difference, Trace, first_difference, mismatched_samples

#: The engine that every other one is compared with, and the same with a clock, for those that
#: have one.
REFERENCE, CLOCKED = "golden", "cycles"

#: What the engines of this package run. Others are described by the first line of their docstring.
SIMULATES = {
    "golden": "the contract, in NumPy",
    "cycles": "the contract and its clock, in NumPy",
    "torch": "the quantised torch module",
    "amaranth": "the hardware, in Amaranth's simulator",
    "verilator": "the hardware, compiled by Verilator",
    "cxxrtl": "the hardware, compiled by CXXRTL",
    "synthesis": "the board's design after synthesis, through its serial line",
    "netlist": "the board's design after place-and-route, through its serial line",
}

#: Engines that simulate a built board.
_OF_BOARDS = ("synthesis", "netlist")

#: Samples run at a time, so that a whole data set's spikes and membranes need not fit in memory.
_BATCH = 256


@dataclass
class Row:
    """One engine's part of the table."""

    engine: str
    samples: int
    compared: list[str]
    mismatches: int = 0
    spilled: int = 0
    seconds: float = 0.0
    first: Difference | None = None


def check(
    run: Run,
    engines: Annotated[
        str | None,
        typer.Option(help="Engines to compare with golden, or all. [default: torch, amaranth, as "
                          "far as their packages are installed, and netlist with --board]",
                     show_default=False),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(help="Built board whose netlist, and whose lanes and ways, are checked.",
                     show_default=False),
    ] = None,
    samples: Samples = None,
    lanes: Lanes = None,
    ways: Ways = None,
    slices: Slices = None,
    protect: Protect = None,
    loadable: AllLoadable = False,
    loadable_weights: WeightsLoadable = False,
    json: console.Json = False,
) -> None:
    """Prove that the engines agree: spikes and membranes of every layer, readout, counters, cycles.

    Equality, never tolerance. Exit code 1 and the first difference if there is one. What an engine
    does not show is not compared: boards show scores, predictions and counters. `samples` in the
    JSON is what every engine ran; faster ones may have run more.

    Example: `spikewright check runs/demo --engines all --board icebreaker`
    """
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    what = loadable_of(loadable, loadable_weights)
    build = _build(folder, spec, board)
    folding = folding_of(lanes, spec, ways, slices, protect, what)
    if build is not None:
        if (lanes, ways, slices, what) != (None, None, None, Loadable.NOTHING):
            raise SpikewrightError(f"board {board} has lanes, ways and slices of its own; leave "
                                   f"out either --board or the others")
        folding = from_json(spec, folder.read_json(
            f"boards/{board}/build.json", f"build --board {board}")["folding"])
    names, left_out = _engines(engines, build)
    rows = []
    for name in [*names]:
        tried = first_samples(stimulus, samples or DEFAULT_SAMPLES.get(name))
        try:
            rows.append(_compare(spec, folding, build, tried, name))
        except ToolError as error:
            if engines != "all":
                raise
            names.remove(name)
            left_out[name] = str(error)
    first = next((row.first for row in rows if row.first is not None), None)
    result = {
        "run": str(run),
        "board": board,
        "samples": min(row.samples for row in rows),
        "mismatches": sum(row.mismatches for row in rows),
        "engines": names,
        "samples_per_engine": {row.engine: row.samples for row in rows},
        "mismatches_per_engine": {row.engine: row.mismatches for row in rows},
        "compared_per_engine": {row.engine: row.compared for row in rows},
        "spilled_per_engine": {row.engine: row.spilled for row in rows if row.spilled},
        "seconds_per_engine": {row.engine: round(row.seconds, 2) for row in rows},
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
    for row in rows:
        if row.spilled:
            console.say(f"{row.engine}: {row.spilled} samples are longer than the board's buffer, "
                        f"so what needs a clock was not compared of them")
    if first is not None:
        console.say(f"first difference: {first}")
    console.finish(
        result,
        console.table(f"{run}: " + ("all equal" if first is None else "NOT equal"),
                      ("engine", "simulates", "compared", "samples", f"differ from {REFERENCE}",
                       "seconds"),
                      [(row.engine, _simulates(row.engine), ", ".join(row.compared), row.samples,
                        row.mismatches, row.seconds) for row in rows if row.engine != REFERENCE]),
        as_json=json,
    )
    if first is not None:
        raise typer.Exit(1)


def _build(folder: RunFolder, spec: NetworkSpec, board: str | None) -> Path | None:
    """The folder of the run's build for ``board``, every file of it verified."""
    if board is None:
        return None
    again, place = f"build --board {board}", f"boards/{board}/"
    folder.file(f"{place}build.json", again)
    for name in folder.names():
        if name.startswith(place):
            folder.file(name, again)
    return folder.path / "boards" / board


def _engines(listed: str | None, build: Path | None) -> tuple[list[str], dict[str, str]]:
    """Engines to compare, and why engines that were not asked for by name are left out."""
    left_out = {}
    if listed is not None and listed != "all":
        names = list(dict.fromkeys(part.strip() for part in listed.split(",")))
        for name in names:
            load_engine(name)
    else:
        names = []
        usual = ("torch", REFERENCE, "amaranth", *(["netlist"] if build else []))
        for name in available_engines() if listed else usual:
            try:
                load_engine(name)
            except SpikewrightError as error:
                left_out[name] = str(error)
                continue
            if name in _OF_BOARDS and build is None:
                left_out[name] = "it simulates a built board; name one with --board"
            else:
                names.append(name)
    if not set(names) - {REFERENCE}:
        raise SpikewrightError(
            f"nothing to compare {REFERENCE} with; name another engine, as in --engines amaranth"
            + "".join(f"; {reason}" for reason in left_out.values())
        )
    return [*(name for name in names if name != REFERENCE), REFERENCE], left_out


def _simulates(engine: str) -> str:
    if engine in SIMULATES:
        return SIMULATES[engine]
    return (load_engine(engine).__doc__ or "").partition("\n")[0]


def _compare(
    spec: NetworkSpec, folding: Folding, build: Path | None, stimulus: Stimulus, engine: str
) -> Row:
    """``engine`` against the golden model, or against the golden model with a clock, if it has
    one."""
    row = Row(engine, len(stimulus), [])
    if engine == REFERENCE:
        return row
    with console.progress(f"{engine} = {REFERENCE}?", len(stimulus)) as advance:
        for start in range(0, len(stimulus), _BATCH):
            spikes = stimulus.spikes[start : start + _BATCH]
            begun = time.monotonic()
            trace = run_engine(spec, spikes, engine=engine, folding=folding, membranes=True,
                               build=build if engine in _OF_BOARDS else None, progress=advance)
            row.seconds += time.monotonic() - begun
            if trace.spikes and trace.membranes is None:
                raise SpikewrightError(f"engine {engine!r} reports no membranes to compare")
            clocked = trace.cycles is not None and engine != CLOCKED
            reference = run_engine(
                spec, spikes, engine=CLOCKED if clocked else REFERENCE, folding=folding,
                membranes=True, timesteps=None if clocked else trace.timesteps)
            row.compared = _compared(trace)
            row.mismatches += int(mismatched_samples(reference, trace).sum())
            row.spilled += 0 if trace.spilled is None else int(trace.spilled.sum())
            found = first_difference(reference, trace, [layer.name for layer in spec.layers])
            if row.first is None and found is not None:
                row.first = replace(found, sample=start + found.sample)
    return row


def _compared(trace: Trace) -> list[str]:
    """What of ``trace`` there is to compare."""
    return [*(["spikes", "membranes"] if trace.spikes else []), "scores", "counters",
            *(["cycles"] if trace.cycles is not None else [])]
