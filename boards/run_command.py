"""The command ``run``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..gen.commands import Run, Samples, first_samples
from ..gen.console import Json, finish, say
from ..gen.errors import SpikewrightError
from ..gen.runfolder import RunFolder
from . import BAUD, connect

if TYPE_CHECKING:
    from ..gen.spec import NetworkSpec
    from .link import Connection
    from .target import Target

#: Samples that a simulated board runs unless told otherwise.
VIRTUAL_SAMPLES, SIMULATED_SAMPLES = 100, 3

#: Seconds that boards may be silent; simulated ones compute longer.
PORT_TIMEOUT, VIRTUAL_TIMEOUT = 5.0, 60.0

Divisor = Annotated[
    int | None,
    typer.Option(min=4, show_default=False,
                 help="Clock cycles per bit of a virtual board's line; with fewer, less of the "
                      "simulation is spent on it. [default: the board's]"),
]


def run(
    run: Run,
    port: Annotated[
        str | None, typer.Option(help="Serial port of a board, or an SPI controller, "
                                      "/dev/spidevBUS.SELECT.", show_default=False)
    ] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="A virtual board, at a pseudo-terminal.")
    ] = False,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The same in Amaranth's simulator, which needs no "
                                               "C++ compiler, and is slow.")
    ] = False,
    board: Annotated[str, typer.Option(help="Which board it is.")] = "icebreaker",
    built: Annotated[
        Path | None,
        typer.Option(metavar="RUN", show_default=False,
                     help="The run that the board was built from with --loadable: this one's "
                          "training is loaded. [default: found beside this run]"),
    ] = None,
    samples: Samples = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="SCHEME:PATH", show_default=False,
                     help="Other samples, as of `simulate`. [default: the run's held-back ones]"),
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="Of the serial port; of a controller, Hz of SCK.")
    ] = BAUD,
    divisor: Divisor = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N[xPASSES]", show_default=False,
                     help="Instead: the first N samples stay in the board's buffer and run PASSES "
                          "times (100) back to back, without the wire: how fast the hardware is."),
    ] = None,
    inside: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", show_default=False,
                     help="Instead: of the first N samples, the spikes and membranes of every "
                          "layer in every timestep, from a board that was built with --observe."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, show_default=False,
                     help="Seconds that the board may be silent. [default: 5; 60 of simulated "
                          "boards]"),
    ] = None,
    json: Json = False,
) -> None:
    """Run samples through a board, real or virtual, and compare every answer with the golden model.

    Scores, predictions, spikes and all other counters of every layer, and cycles: by equality. Exit
    code 1 and the first difference if there is one. In a terminal, accuracy, cycles, spikes and
    stalls are shown while it runs. Of a real board, clock and folding are those that `build` left
    in the run folder. A board that was built with --loadable from another run of the same shape
    gets this one's training first.

    Examples: `spikewright run runs/demo --virtual --board icebreaker`,
    `spikewright run runs/second --port /dev/ttyUSB1 --built runs/demo`,
    `spikewright run runs/demo --virtual --batch 1x100`,
    `spikewright run runs/demo --virtual --inside 1`
    """
    from ..gen.stimulus import from_argument
    from .batch import parse
    from .play import Tally, play, prepare
    from .target import builder, builds, was_built
    from .view import figures, tables, view

    chosen = {"--port": port is not None, "--virtual": virtual, "--simulated": simulated}
    if sum(chosen.values()) != 1:
        raise SpikewrightError(
            f"{' and '.join(name for name, given in chosen.items() if given) or 'no board'} given; "
            f"give one of --port DEVICE (a board that is plugged in), --virtual and --simulated"
        )
    if divisor is not None and not virtual:
        raise SpikewrightError("--divisor is of virtual boards; others have the one that was built")
    if batch is not None and inside is not None:
        raise SpikewrightError("--batch and --inside given; give one of them")
    gathered, passes = (None, 0) if batch is None else parse(batch)
    folder = RunFolder.open(run)
    spec = folder.spec()
    stimulus = folder.stimulus() if data is None else from_argument(data, folder)
    default = {"--virtual": VIRTUAL_SAMPLES, "--simulated": SIMULATED_SAMPLES}
    kind = next(name for name, given in chosen.items() if given)
    stimulus = first_samples(stimulus, gathered or inside or samples or default.get(kind))
    hardware = folder if built is None else RunFolder.open(built)
    if port is not None and not (was_built(hardware, board) if built else any(
            builds(folder, board))):
        raise SpikewrightError(
            f"{hardware.path} has no build for {board}{'' if built else ', nor a run beside it'}, "
            f"so nobody knows what the board at {port} should do; run: spikewright build "
            f"{hardware.path} --board {board}")
    wait = timeout or (PORT_TIMEOUT if port is not None else VIRTUAL_TIMEOUT)
    with _connection(hardware, board, port, baud, divisor, simulated, wait,
                     observe=inside is not None, loads=built is not None) as (line, where):
        if port is not None and built is None and (
                found := builder(folder, line.identity.shape, board)) is not None:
            hardware, _ = found
        made_of = hardware.spec()
        target = _target(hardware, made_of, board, loads=built is not None)
        prepare(line, spec, target.folding, made_of)
        tally = Tally(spec, target.folding, stimulus, kind.removeprefix("--"))
        hz = line.identity.clock_hz
        title = f"{spec.name} on {board} at {where}"
        said = {"run": str(run), "board": board, "link": kind.removeprefix("--"),
                "built": target.built, "device": where, "clock_mhz": hz / 1e6}
        if gathered is not None:
            _batch(line, spec, target, stimulus.spikes, passes, title, said, json)
            return
        if inside is not None:
            _inside(line, spec, target, stimulus.spikes, title, said, json)
            return
        with view(tally, title, hz) as shown:
            play(line, tally, shown.update)
            seconds = shown.seconds
    shown = figures(tally, hz, seconds)
    result: dict[str, Any] = {
        **said, **shown,
        "first_difference": None if tally.first is None else str(tally.first),
    }
    if data is None:
        folder.record("run", {key: value for key, value in result.items() if key != "run"})
    if tally.first is not None:
        say(f"first difference: {tally.first}")
    finish(result, *tables(shown, title), as_json=json)
    if tally.mismatches:
        raise typer.Exit(1)


def _batch(
    line: "Connection", spec: "NetworkSpec", target: "Target", samples: Any, passes: int,
    title: str, said: dict[str, Any], json: bool,
) -> None:
    from ..gen.console import table
    from .batch import run_batch

    done = run_batch(line, spec, target.folding, samples, passes)
    hz, alone = line.identity.clock_hz, done.alone / done.samples
    each = done.cycles_an_inference
    compared = "scores, counters, cycles" if done.clocked else "scores, counters"
    rates = {"inferences_per_second": hz / each, "one_by_one_per_second": hz / alone} if hz else {}
    rows = [
        ("inferences", f"{done.samples}, {done.passes} times"),
        ("cycles", done.cycles),
        ("cycles an inference, back to back", round(each, 1)),
        ("one by one", round(alone, 1)),
        ("faster by", f"{alone / each:.2f} times"),
        *((f"inferences a second at {hz / 1e6:g} MHz, {how}", int(rate)) for how, rate in
          zip(("back to back", "one by one"), rates.values(), strict=False)),
        (f"{compared} that differ", len(done.differences)),
    ]
    for difference in done.differences:
        say(f"differs: {difference}")
    finish({**said, "samples": done.samples, "passes": done.passes, "cycles": done.cycles,
            "cycles_an_inference": each, "one_by_one": alone, **rates,
            "compared": compared.split(", "), "differences": list(done.differences)},
           table(f"{title}, without the wire", ("figure", "value"), rows), as_json=json)
    if done.differences:
        raise typer.Exit(1)


def _inside(
    line: "Connection", spec: "NetworkSpec", target: "Target", samples: Any, title: str,
    said: dict[str, Any], json: bool,
) -> None:
    from ..gen.console import progress, table
    from .inside import compared

    rows, differences = [], []
    with progress("asking for every timestep of every layer", len(samples)) as advance:
        for number, sample in enumerate(samples):
            found = compared(line, spec, target.folding, sample)
            differences += [f"sample {number}, {each}" for each in found.differences]
            rows.append((number, found.timesteps, found.spikes, found.membranes,
                         len(found.differences)))
            advance(1)
    headings = ("sample", "timesteps", "spikes", "membranes compared", "differ")
    for difference in differences:
        say(f"differs: {difference}")
    finish({**said, "samples": [dict(zip(headings, row, strict=True)) for row in rows],
            "differences": differences}, table(f"inside {title}", headings, rows), as_json=json)
    if differences:
        raise typer.Exit(1)


def _target(folder: RunFolder, spec: "NetworkSpec", board: str, *, loads: bool) -> "Target":
    from ..gen.folding import Loadable
    from .target import Target

    return Target.of(folder, spec, board, Loadable.ALL if loads else Loadable.NOTHING)


@contextmanager
def _connection(
    folder: RunFolder, board: str, port: str | None, baud: int, divisor: int | None,
    simulated: bool, timeout: float, *, observe: bool, loads: bool,
) -> Iterator[tuple["Connection", str]]:
    """The board with the hardware of ``folder``, and where it is. One that is not built is made
    so that spikes and membranes can be read, and that it ``loads``, if that is asked for."""
    if port is not None:
        with connect(port, baud=baud, timeout=timeout) as line:
            yield line, port
        return
    spec = folder.spec()
    target = _target(folder, spec, board, loads=loads)
    if observe and not target.built:
        target = replace(target, observe=True)
    if simulated:
        from .link_simulated import SimulatedLink
        from .link_simulated_spi import SimulatedSpiLink
        from .wires import SPI

        made_of = SimulatedSpiLink if target.board.link == SPI else SimulatedLink
        link = made_of(spec, target.folding, window=target.board.window,
                       buffer=target.board.buffer, observe=target.observe)
        with connect(link, timeout=timeout) as line:
            yield line, "this process"
    else:
        from .virtual import VirtualBoard

        say(f"compiling {target.board.name}; the next time it is ready at once")
        with (VirtualBoard(spec, target.board, target.folding, divisor=divisor,
                           observe=target.observe) as made,
              connect(made.device, timeout=timeout) as line):
            yield line, made.device
