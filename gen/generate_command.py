"""The command ``generate``: the accelerator as Verilog, for other people's projects."""

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .commands import Run
from .folding_options import Lanes, Slices, Ways, folded, folding_of
from .runfolder import RunFolder, write_output


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
