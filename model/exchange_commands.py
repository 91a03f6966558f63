"""Command ``export``, and what ``compile`` does with a net that no run of ours trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ..gen.console import Json, finish
from ..gen.errors import RecipeError, RunFolderError, SpikewrightError
from ..gen.runfolder import RunFolder

_MARKS = {"exact": "maps", "changed": "maps, but", "refused": "does not map"}


#: Files of torch.
SUFFIXES = (".pt", ".pth", ".pt2")


def is_model(argument: str) -> bool:
    """Whether ``argument`` of compile is a net, and no run folder."""
    path = Path(argument)
    return path.suffix in (".nir", *SUFFIXES) or (":" in argument and not path.exists())


def compile_own(
    model: str, options: dict[str, Any], data: str | None, *, as_json: bool
) -> None:
    """``spikewright compile MODEL``; ``options`` are those of the command, None if not given."""
    from . import own_net
    from .quantisation.settings import Quantisation

    name = _name(model)
    quantisation = {key: options[key] for key in Quantisation.model_fields
                    if options.get(key) is not None}
    read = own_net.read(
        model, code=options["net"], trust=bool(options["trust"]),
        input_shape=_shape(options["input_shape"]), timesteps=options["timesteps"],
        dt=options["dt"], discretisation=options["discretisation"], readout=options["readout"],
        encoding=options["input"], input_bits=options["input_bits"],
    )
    if options["check"]:
        result = own_net.check(read, name, quantisation)
        finish({"model": model, **result}, _table(model, result), as_json=as_json)
        if not result["maps"]:
            raise typer.Exit(1)
        return
    run = _fresh(options["output"] or Path("runs") / name, bool(options["overwrite"]))
    result = own_net.compile_to(run, read, name, quantisation, _stimulus(data),
                                options["samples"] or 8, model)
    from .commands import layer_table

    lines = [f"{part['part']}: {part['why']}" for part in result["parts"]
             if part["status"] == "changed"]
    lines += [f"warning: {warning}" for warning in result["warnings"]]
    if result["random_samples"]:
        lines.append(f"{run.path} holds {result['samples']} samples of random spikes, for check "
                     f"and simulate; give --data spikes:FILE.npz for your own")
    finish({"run": str(run.path), **result},
           layer_table(f"compiled {model} to {run.path}", result["layers"]), *lines,
           as_json=as_json)


def export(
    run: Annotated[Path, typer.Argument(
        metavar="RUN", help="Run folder that `spikewright train` made.")],
    nir: Annotated[Path, typer.Option(metavar="FILE.nir", help="Where to write.")],
    dt: Annotated[float, typer.Option(
        help="How long a timestep lasts, in seconds, for the time constants.")] = 1e-4,
    json: Json = False,
) -> None:
    """Write a trained net, in real numbers, as a NIR file for other frameworks.

    `spikewright compile FILE.nir` reads it back bit for bit.

    Example: `spikewright export runs/digits --nir digits.nir`
    """
    from . import own_net

    if dt <= 0:
        raise SpikewrightError(f"--dt is {dt}; give a time above 0, in seconds")
    result = own_net.export(RunFolder.open(run), nir, dt)
    lines = [f"{nir} holds {len(result['layers'])} layers; spikewright reads them back exactly"]
    finish(result, *lines, *result["differences"], as_json=json)


def _table(model: str, result: dict[str, Any]) -> Table:
    table = Table(title=f"{model}: " + ("everything maps" if result["maps"] else "does NOT map"),
                  title_justify="left")
    for heading in ("part", "kind", "", "becomes", "why"):
        table.add_column(heading, overflow="fold")
    for part in result["parts"]:
        table.add_row(part["part"], part["kind"], _MARKS[part["status"]], part["becomes"],
                      part["why"])
    return table


def _name(model: str) -> str:
    """An identifier for the network, after its file or the code's own name."""
    stem = model.rpartition(":")[2] if ":" in model else Path(model).stem
    name = "".join(c if c.isalnum() else "_" for c in stem)
    return name if name.isidentifier() else f"net_{name}"


def _shape(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    sides = given.split(",")
    if not all(side.strip().isdecimal() and int(side) for side in sides):
        raise RecipeError(f"--input-shape is {given!r}; give whole numbers above 0, as in 2,34,34")
    return tuple(map(int, sides))


def _stimulus(data: str | None) -> Any:
    from ..gen.stimulus import from_file

    if data is None:
        return None
    scheme, _, path = data.partition(":")
    if scheme != "spikes" or not path:
        raise RecipeError(f"--data is {data!r}; a net of your own says nothing about encoding, so "
                          f"give samples that are encoded, as spikes:FILE.npz")
    return from_file(path)


def _fresh(path: Path, overwrite: bool) -> RunFolder:
    run = RunFolder.create(path)
    if run.names() and not overwrite:
        raise RunFolderError(f"{path} holds a run already; add --overwrite to replace it, or give "
                             f"another -o")
    return run
