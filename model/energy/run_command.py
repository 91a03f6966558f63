"""The command ``energy run``: both twins of a run on the accelerator that was generated of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gen.console import Json, finish, progress, table
from ...gen.errors import RunFolderError, SpikewrightError
from ...gen.folding_options import Lanes, Slices, Ways, folded, folding_of
from ...gen.runfolder import RunFolder

if TYPE_CHECKING:
    from ...gen.folding import Folding
    from ...gen.spec import NetworkSpec
    from ...gen.stimulus import Stimulus
    from .counted import Counts
    from .power import Estimate
    from .waveform import Toggles


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    hardware: Annotated[str, typer.Option(help="minimum, typical, worst or a .toml file: what "
                                               "operations cost.")] = "typical",
    engine: Annotated[str, typer.Option(help="Whose counters to use; cycles counts as the hardware "
                                             "does, netlist is the build for --board.")] = "cycles",
    samples: Annotated[int | None, typer.Option(
        min=1, help="How many held-back samples, from the first. [default: all]",
        show_default=False)] = None,
    lanes: Lanes = None, ways: Ways = None, slices: Slices = None,
    board: Annotated[str | None, typer.Option(
        help="Take lanes, ways and slices from the build for this board, and estimate the dynamic "
             "energy on its FPGA.", show_default=False)] = None,
    waveform_engine: Annotated[str, typer.Option(
        help="Engine whose waveform tells how much a built design switches.")] = "amaranth",
    waveform_samples: Annotated[int, typer.Option(
        min=1, help="Samples in that waveform.")] = 1,
    json: Json = False,
) -> None:
    """Compare a run with its quantised twin: accuracy, and energy layer by layer.

    Which twin wins on the accelerator with these lanes, where, and at what spike rate that turns
    round. Writes RUN/energy: pictures and a page. Exit code 1 if a neuron contradicts the lemma
    that makes twins equal.

    Example: `spikewright energy run runs/mine --lanes 16`
    """
    from .counted import count
    from .exactness import measure
    from .hardware import Hardware
    from .run_page import write_run
    from .verdict import in_units, judge

    setting = Hardware.load(hardware)
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    stimulus = stimulus if samples is None else stimulus[:samples]
    built = None
    if board is not None:
        built = _built(folder, board, lanes or ways or slices)
        lanes, ways, slices = (
            ",".join(map(str, built[name])) if name in built else None
            for name in ("lanes", "ways", "slices"))
    folding = folding_of(lanes, spec, ways, slices)
    with progress(f"counting on {engine}", len(stimulus)) as advance:
        counts = count(
            spec, stimulus, folding, engine=engine, progress=advance,
            build=None if board is None else folder.path / "boards" / board)
    with progress("comparing the twins", 1) as advance:
        exactness = measure(spec, stimulus)
        advance()
    verdicts = [judge(counts, setting, unicast=unicast) for unicast in (False, True)]
    fpga = None if built is None else _fpga(
        spec, stimulus[:waveform_samples], folding, built, counts, waveform_engine)
    figures: dict[str, Any] = {
        "digest": spec.digest, "engine": engine, "samples": counts.samples,
        "timesteps": counts.timesteps, "cycles": counts.mean_cycles(),
        "twins": {"bits": counts.twin.bits, **exactness.figures()},
        "verdicts": [verdict.figures(counts.samples) for verdict in verdicts],
        "fpga": None if fpga is None else {
            **fpga[0].figures(), "waveform_engine": waveform_engine,
            "waveform_samples": waveform_samples, "toggles": fpga[1].toggles,
            "signal_bits": fpga[1].bits, "waveform_cycles": fpga[1].cycles},
        **folded(spec, folding),
    }
    with folder.writing("energy run") as staging:
        write_run(staging / "energy", run, figures, verdicts, exactness, fpga)
    folder.record("energy", figures)
    shown = [_table(verdict) for verdict in figures["verdicts"]]
    said = [verdicts[0].sentence(), exactness.sentence()]
    if fpga is not None:
        low, high = map(in_units, fpga[0].range_pj)
        said.append(
            f"{fpga[0].fabric.name} ({figures['fpga']['scope']}): {in_units(fpga[0].total_pj)} "
            f"of dynamic energy an inference, from {low} to {high}; {fpga[0].milliwatts:.2g} mW at "
            f"{fpga[0].clock_hz / 1e6:g} MHz.")
    finish({"run": str(run), **figures}, *shown, *said, as_json=json)
    if exactness.violations:
        raise typer.Exit(1)


def _built(folder: RunFolder, board: str, shape: str | None) -> dict[str, Any]:
    if shape:
        raise SpikewrightError(f"--board {board} brings its own lanes, ways and slices; drop these "
                               f"options, or --board")
    results = folder.read_json("results.json", "train") if "results.json" in folder else {}
    builds = results.get("build", {})
    if board not in builds:
        raise RunFolderError(
            f"{folder.path} has no build for {board}"
            + (f", but for {', '.join(builds)}" if builds else "")
            + f"; run: spikewright build {folder.path} --board {board}")
    if builds[board].get("digest", folder.spec().digest) != folder.spec().digest:
        raise RunFolderError(f"the build for {board} is of an older network; run: spikewright "
                             f"build {folder.path} --board {board}")
    return builds[board]


def _fpga(spec: NetworkSpec, stimulus: Stimulus, folding: Folding, built: dict[str, Any],
          counts: Counts, engine: str) -> tuple[Estimate, Toggles]:
    """The estimate, and the toggles of ``stimulus`` on ``engine``."""
    from ...gen.engines import simulate
    from ...gen.plan import layer_plans
    from .power import estimate, memory_bits
    from .waveform import toggles

    cycles = counts.mean_cycles()
    if cycles is None:
        raise SpikewrightError(f"engine {counts.engine} has no clock, so --board has no cycles to "
                               f"estimate with; use --engine cycles")
    with (tempfile.TemporaryDirectory() as scratch,
          progress(f"recording {engine}", len(stimulus)) as advance):
        file = Path(scratch) / "run.vcd"
        simulate(spec, stimulus.spikes, engine=engine, folding=folding, waveform=file,
                 progress=advance)
        switched = toggles(file)
    bits = [memory_bits(plan, found, counts.samples) for plan, found in zip(
        layer_plans(spec, folding), counts.layers, strict=True)]
    return estimate(built, cycles, bits, switched), switched


def _table(verdict: dict[str, Any]) -> Any:
    from .verdict import nanojoules

    rows = [(layer["layer"], *(nanojoules(layer[twin]["total_pj"]) for twin in ("snn", "qnn")),
             "–" if layer["ratio"] is None else f"{layer['ratio']:.2f}", layer["winner"],
             f"{layer['rate']:.2%}", _flip(layer["flip_rate"]), f"{layer['density']:.1%}")
            for layer in verdict["layers"]]
    hops = "a hop to each slice" if verdict["hops"] == "as built" else "a hop to each neuron"
    return table(
        f"{verdict['hardware']}, {verdict['scope']}; {hops}",
        ("layer", "SNN, nJ", "QNN, nJ", "ratio", "cheaper", "rate", "flips at", "density"), rows)


def _flip(rate: float | None) -> str:
    """The spike rate at which a verdict turns round."""
    if rate is None:
        return "never"
    return f"{rate:.2%}" if rate else "none"
