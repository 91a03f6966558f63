"""The command ``generate``: the accelerator as Verilog, for other people's projects."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import console
from .commands import Run
from .errors import DataError, SpikewrightError
from .folding_options import (
    AllLoadable,
    Lanes,
    Protect,
    Slices,
    Ways,
    WeightsLoadable,
    folded,
    folding_of,
    loadable_of,
)
from .runfolder import RunFolder

#: Samples that a test bench checks unless told otherwise.
_SAMPLES = 10


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
    protect: Protect = None,
    loadable: AllLoadable = False,
    loadable_weights: WeightsLoadable = False,
    axi: Annotated[
        bool, typer.Option("--axi", help="Also write it with AXI4-Stream and AXI4-Lite ports.")
    ] = False,
    testbench: Annotated[
        bool, typer.Option("--testbench", help="Also write a Verilog test bench that checks "
                                               "itself, in Icarus Verilog or Verilator.")
    ] = False,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help=f"How many of the run's samples the test bench checks, from the "
                                 f"first. [default: {_SAMPLES}]", show_default=False),
    ] = None,
    json: console.Json = False,
) -> None:
    """Write the accelerator as one Verilog file that needs nothing else.

    Example: `spikewright generate runs/demo --lanes 64,10 --testbench --axi`
    """
    from . import verilog
    from .rtl.network import Network

    folder = RunFolder.open(run)
    spec = folder.spec()
    folding = folding_of(lanes, spec, ways, slices, protect,
                         loadable_of(loadable, loadable_weights))
    if samples is not None and not testbench:
        raise SpikewrightError("samples are given, but nothing checks them; add --testbench")
    network = Network(spec, folding)
    with console.progress("writing Verilog", 1 + axi + testbench) as advance:
        texts = {f"{spec.name}.v": verilog.convert(network)}
        ports: dict[str, Any] = {"ports": _table(verilog.ports(network))}
        advance()
        if axi:
            from . import axi as axi_verilog
            from .rtl.axi import AxiNetwork

            wrapped = AxiNetwork(spec, folding)
            texts[f"{spec.name}_axi.v"] = axi_verilog.convert(wrapped)
            ports["axi_ports"] = _table(axi_verilog.ports(wrapped))
            advance()
        if testbench:
            from . import testbench as bench

            stimulus = folder.stimulus()[:samples or _SAMPLES]
            if not len(stimulus):
                raise DataError("there are no samples in the run; compile it with some, or leave "
                                "out --testbench")
            texts |= bench.convert(network, folding, stimulus.spikes)
            advance()
        where = folder.path / "verilog" if output is None else output
        if output is None:
            with folder.writing("generate") as staging:
                _write(staging / "verilog", texts)
            kept = {f"verilog/{name}" for name in texts}
            # A test bench of other hardware would fail.
            folder.discard(name for name in folder.names()
                           if name.startswith("verilog/") and name not in kept)
        else:
            _place(output, texts)
    written = where / f"{spec.name}.v"
    figures = {
        "verilog": str(written),
        "module": spec.name,
        "lines": texts[written.name].count("\n"),
        "digest": spec.digest,
        "files": [str(where / name) for name in texts],
        "samples": len(stimulus) if testbench else 0,  # pyright: ignore[reportPossiblyUnbound]
        **folded(spec, folding),
        **ports,
    }
    folder.record("generate", figures)
    console.finish(
        {"run": str(run), **figures},
        console.table(f"{where}", ("file", "lines"),
                      [(name, text.count("\n")) for name, text in texts.items()]),
        *(console.table(f"module {spec.name}{suffix}", ("port", "direction", "bits", "meaning"),
                        [tuple(port.values()) for port in ports[key]])
          for key, suffix in (("ports", ""), ("axi_ports", "_axi")) if key in ports),
        as_json=json,
    )


def _table(ports) -> list[dict[str, Any]]:
    return [{"name": port.name, "direction": port.direction, "width": port.width,
             "meaning": port.meaning} for port in ports]


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _place(folder: Path, texts: Mapping[str, str]) -> None:
    """``texts`` into ``folder``, all of them or none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".", dir=folder))
        try:
            _write(staging, texts)
            for name in texts:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, folder / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise SpikewrightError(f"{folder} cannot be written ({error.strerror})") from error
