"""``spikewright demo``: the whole way on the embedded data, from handwritten digits to a bitstream.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ..gen import cli, console
from ..gen.runfolder import RunFolder

BOARD = "icebreaker"

#: MHz: one placement. What `build` asks for by default, the highest that timing proves, takes two
#: or three.
CLOCK = "24"


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="RUN", help="Run folder; written anew.")
    ] = Path("runs/demo"),
    samples: Annotated[
        int | None,
        typer.Option(min=1, show_default=False,
                     help="Samples for every engine. [default: 10 for amaranth, all for others]"),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default="the recipe's", help="Passes of training.")
    ] = None,
    json: console.Json = False,
) -> None:
    """Train on the embedded digits, quantise to INT4, build for the iCEBreaker, prove, report.

    Every step is a command of its own, and is shown. The simulated hardware is that of the
    bitstream, lane for lane. Exit code 1 if engines disagree or the bitstream is too slow.

    Example: `spikewright demo -o runs/demo`
    """
    begun = time.perf_counter()
    steps = Steps(output)
    steps.run("train", f"digits -o {output} --overwrite",
              recipe="digits", output=output, epochs=epochs, overwrite=True)
    steps.run("compile", f"{output} --bits 4 --method qat", run=output, bits=4, method="qat")
    steps.run("build", f"{output} --board {BOARD} --clock {CLOCK}", run=output, board=BOARD,
              clock=CLOCK)
    built = steps.results()["build"][BOARD]
    lanes, ways = (",".join(map(str, built[name])) for name in ("lanes", "ways"))
    shape = f"--lanes {lanes} --ways {ways}"
    simulated = shape + (f" --samples {samples}" if samples else "")
    steps.run("check", f"{output} --engines torch,golden,amaranth {simulated}",
              run=output, engines="torch,golden,amaranth", lanes=lanes, ways=ways, samples=samples)
    steps.run("simulate", f"{output} --engine golden", run=output)
    steps.run("simulate", f"{output} --engine amaranth {simulated}",
              run=output, engine="amaranth", lanes=lanes, ways=ways, samples=samples)
    steps.run("generate", f"{output} {shape}", run=output, lanes=lanes, ways=ways)
    steps.finish(time.perf_counter() - begun)
    steps.run("report", f"{output}", run=output)
    figures = steps.results()["demo"]
    console.finish({"run": str(output), **figures}, _table(output, figures), as_json=json)
    if steps.failed:
        raise typer.Exit(1)


class Steps:
    """Runs commands one after another, and remembers how long each took and which failed."""

    def __init__(self, output: Path):
        self.output = output
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def run(self, command: str, shown: str, **arguments: Any) -> None:
        """Runs ``command``, which ``shown`` are the arguments of on a command line."""
        console.say(f"$ spikewright {command} {shown}")
        begun = time.perf_counter()
        try:
            cli.run(command, **arguments)
        except typer.Exit:
            # A check that failed has said why, and recorded it; the report is to show it.
            self.failed.append(command)
        took = time.perf_counter() - begun
        self.seconds[command] = round(self.seconds.get(command, 0.0) + took, 1)

    def results(self) -> dict[str, Any]:
        """All that the commands recorded."""
        return RunFolder.open(self.output).read_json("results.json", "demo")

    def finish(self, seconds: float) -> None:
        """Records the figures that sum the run up."""
        r = self.results()
        build, hardware = r["build"][BOARD], r["simulate"]["amaranth"]
        cycles = hardware["cycles"]["mean"]
        RunFolder.open(self.output).record("demo", {
            "float_accuracy": r["compile"]["float_accuracy"],
            "accuracy": r["compile"]["accuracy"],
            "held_back_samples": r["compile"]["samples"],
            "engines": r["check"]["engines"],
            "samples": r["check"]["samples"],
            "samples_per_engine": r["check"]["samples_per_engine"],
            "mismatches": r["check"]["mismatches"],
            "lanes": build["lanes"],
            "ways": build["ways"],
            "cycles": hardware["cycles"],
            "input_spikes_per_sample": hardware["input_spikes"] / hardware["samples"],
            "utilisation": hardware["utilisation"],
            "board": build["board"],
            "clock_mhz": build["clock_mhz"],
            "fmax_mhz": min(build["fmax_mhz"].values()),
            "latency_us": cycles / build["clock_mhz"],
            "resources": build["utilisation"],
            "bitstream": f"boards/{BOARD}/{build['bitstream']}",
            "failed": self.failed,
            "seconds": round(seconds, 1),
            "seconds_per_command": self.seconds,
        })


def _table(output: Path, figures: dict[str, Any]) -> Any:
    layers = ", ".join(f"{name} {share:.0%}" for name, share in figures["utilisation"].items())
    rows = [
        ("accuracy, floats", f"{figures['float_accuracy']:.2%}"),
        ("accuracy, INT4", f"{figures['accuracy']:.2%} of {figures['held_back_samples']} samples"),
        ("samples that differ from golden", f"{figures['mismatches']}, checked " + ", ".join(
            f"{count} {engine}" for engine, count in figures["samples_per_engine"].items()
            if engine != "golden")),
        ("input spikes a sample", f"{figures['input_spikes_per_sample']:.0f}"),
        ("cycles an inference", f"{figures['cycles']['mean']:.0f} "
                                f"({figures['cycles']['min']} to {figures['cycles']['max']})"),
        ("lanes", ", ".join(map(str, figures["lanes"]))),
        ("useful work of the lanes", layers),
        (f"latency at {figures['clock_mhz']:g} MHz", f"{figures['latency_us']:.0f} µs"),
        (f"Fmax on {figures['board']}", f"{figures['fmax_mhz']:.1f} MHz"),
        *((what, f"{row['used']:,} of {row['available']:,}")
          for what, row in figures["resources"].items()),
        ("bitstream", f"{output}/{figures['bitstream']}"),
        ("report", f"{output}/report.html"),
        ("time", f"{figures['seconds']:.0f} s"),
    ]
    return console.table(f"{output}: from digits to a bitstream", ("figure", "value"), rows)
