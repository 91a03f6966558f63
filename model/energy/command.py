"""The commands ``energy landscape|breakeven|table|lifetime``. None imports anything heavy before it
runs; ``energy run`` is in :mod:`.run_command`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gen.console import Json, finish, table
from .run_command import run

if TYPE_CHECKING:
    from ..report.page import Section
    from .page import Picture

energy = typer.Typer(
    name="energy", rich_markup_mode="markdown", no_args_is_help=True,
    help="When does spiking pay? The energy of a spiking net and of its quantised twin: a model "
         "with 22 nm constants, on cases and on what a run's accelerator counts. Each takes --json."
         "\n\nExample: `spikewright energy run runs/demo --json`",
)
energy.command("run")(run)

Output = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="DIR", show_default=False,
    help="Where to write pictures (PNG, SVG) and a page (HTML). [default: nowhere]")]
Settings = Annotated[list[str] | None, typer.Option(
    "--hardware", help="minimum, typical, worst or a .toml file; may be given more than once. "
                       "[default: all three]", show_default=False)]
Setting = Annotated[str, typer.Option("--hardware", help="minimum, typical, worst or a .toml "
                                                         "file.")]
WeightBits = Annotated[int, typer.Option(min=1, max=32, help="Bits of a weight.")]
FanIn = Annotated[int, typer.Option(min=1, help="Inputs of a neuron.")]


@energy.command("landscape")
def landscape(hardware: Settings = None, weight_bits: WeightBits = 8, fan_in: FanIn = 4096,
              output: Output = None, json: Json = False) -> None:
    """Compare the twins: three software cases on three kinds of hardware, and maps around them.

    Example: `spikewright energy landscape -o runs/energy`
    """
    from .hardware import Hardware, bundled
    from .landscape import cases

    settings = [Hardware.load(name) for name in hardware or bundled()]
    found = cases(settings, weight_bits, fan_in)
    result: dict[str, Any] = {"weight_bits": weight_bits, "fan_in": fan_in, "cases": found}
    rows = [(case["hardware"], case["software"], f"{case['snn_pj']:,.1f}",
             *("–" if twin["ratio"] is None else f"{twin['qnn_pj']:,.1f} ({twin['ratio']:.2f}×)"
               for twin in case["twins"])) for case in found]
    headings = ("hardware", "software", "SNN", *(f"QNN, {twin['coding']}" for twin in
                                                 found[0]["twins"]))
    if output is not None:
        from . import figures
        from .page import Picture

        source = "spikewright energy landscape"
        middle = settings[min(1, len(settings) - 1)]
        scopes = _scopes(settings)
        pictures = [
            Picture("landscape", "Landscape", f"One neuron with {fan_in} inputs and "
                    f"{weight_bits}-bit weights; its twin at the density that each coding gives "
                    f"it, and SNN ÷ QNN above. {scopes}",
                    figures.landscape(settings, weight_bits, fan_in), source),
            Picture("rates", "Timesteps and spike rate", f"Average coding; white is where no twin "
                    f"has such a density. {scopes}",
                    figures.rate_maps(settings, weight_bits, fan_in), source),
            Picture("movement", "Hops and reuse", f"Average coding, {middle.name} hardware. "
                    f"{middle.scope}.", figures.movement_maps(middle, weight_bits, fan_in), source),
        ]
        result["written"] = _write(output, "landscape", "When does spiking pay?", scopes,
                                   _section("Cases", headings, rows, source), pictures)
    finish(result, table(f"pJ a neuron (SNN ÷ QNN); {_scopes(settings)}", headings, rows),
           as_json=json)


@energy.command("breakeven")
def breakeven(
    hardware: Setting = "typical",
    density: Annotated[float, typer.Option(min=0, max=1, help="Share of the twin's activations "
                                                              "that are not 0.")] = 0.2,
    timesteps: Annotated[int, typer.Option(min=1, max=1024, help="Most timesteps.")] = 16,
    weight_bits: Annotated[list[int] | None, typer.Option(
        min=1, max=32, help="Bits of a weight; may be given more than once. [default: 4 and 8]",
        show_default=False)] = None,
    fan_in: Annotated[list[int] | None, typer.Option(
        min=1, help="Inputs of a neuron; may be given more than once. [default: 64 and 4096]",
        show_default=False)] = None,
    output: Output = None, json: Json = False,
) -> None:
    """Show the spike rate below which the SNN costs less, against timesteps.

    Example: `spikewright energy breakeven --density 0.1 -o runs/energy`
    """
    import numpy as np

    from .conditions import breakeven_rate
    from .hardware import Hardware

    setting, steps = Hardware.load(hardware), np.arange(1, timesteps + 1)
    bits, sizes = weight_bits or [4, 8], fan_in or [64, 4096]
    lines = [(b, n, breakeven_rate(steps, density, n, setting, b)) for b in bits for n in sizes]
    result: dict[str, Any] = {
        "hardware": setting.name, "scope": setting.scope, "density": density,
        "timesteps": steps.tolist(),
        "lines": [{"weight_bits": b, "fan_in": n,
                   "rates": [None if np.isnan(rate) else float(rate) for rate in rates]}
                  for b, n, rates in lines],
    }
    headings = ("T", *(f"{b} bits, N = {n}" for b, n, _ in lines))
    rows = [(int(t), *(None if np.isnan(rates[i]) else f"{rates[i]:.2%}" for _, _, rates in lines))
            for i, t in enumerate(steps)]
    if output is not None:
        from . import figures
        from .page import Picture

        source = "spikewright energy breakeven"
        result["written"] = _write(
            output, "breakeven", "Break-even spike rate", f"{setting.scope}.",
            _section("Rates", headings, rows, source),
            [Picture("breakeven", "Break-even spike rate", f"Below its line the SNN costs less "
                     f"than a twin of density {density:g} on {setting.name} hardware. "
                     f"{setting.scope}.",
                     figures.breakeven(setting, density, bits, sizes, steps), source)])
    finish(result, table(f"break-even spike rate, twin of density {density:g}; {setting.scope}",
                         headings, rows), as_json=json)


@energy.command("table")
def published_table(output: Output = None, json: Json = False) -> None:
    """Print every number that arXiv 2409.08290 publishes beside the one computed here.

    Exit code 1 if one of them differs by more than its tolerance.

    Example: `spikewright energy table --json`
    """
    from .published import table as entries

    found = [entry.figures() for entry in entries()]
    differing = [entry["name"] for entry in found if entry["within"] is False]
    result: dict[str, Any] = {"entries": found, "compared": sum(
        entry["within"] is not None for entry in found), "differing": differing}
    headings = ("number", "unit", "paper", "here", "within")
    rows = [(entry["name"], entry["unit"],
             f"{entry['paper']:,}" if isinstance(entry["paper"], float) else _shown(entry["paper"]),
             _shown(entry["ours"]),
             {None: "–", True: "yes", False: "no"}[entry["within"]]) for entry in found]
    notes = [(entry["name"], entry["note"]) for entry in found if entry["note"]]
    scope = found[0]["scope"]
    if output is not None:
        source = "spikewright energy table"
        section = _section("arXiv 2409.08290", headings, rows, source)
        section.tables += _section("", ("number", "note"), notes, source).tables
        result["written"] = _write(output, "table", "Published numbers, and ours", f"{scope}.",
                                   section, [])
    finish(result, table(f"arXiv 2409.08290; {scope}", headings, rows),
           *(f"{name}: {note}." for name, note in notes), as_json=json)
    if differing:
        raise typer.Exit(1)


@energy.command("lifetime")
def lifetime(
    hardware: Setting = "typical",
    battery: Annotated[float, typer.Option(min=1e-9, help="Energy of the battery in J.")] = 4000,
    rate: Annotated[float, typer.Option(min=1e-9, help="Neurons computed a second.")] = 100e6,
    weight_bits: WeightBits = 8, fan_in: FanIn = 4096,
    output: Output = None, json: Json = False,
) -> None:
    """Show how long a battery lasts if it does nothing but compute neurons.

    Example: `spikewright energy lifetime --battery 4000 --rate 1e8`
    """
    from .hardware import Hardware
    from .landscape import lifetimes

    setting = Hardware.load(hardware)
    found = lifetimes(setting, battery, rate, weight_bits, fan_in)
    rows = [(case["software"], case["timesteps"], f"{case['rate']:.0%}", case["snn_hours"],
             case["density"], case["qnn_hours"]) for case in found]
    notes = [f"{case['software']}: {case['note']}." for case in found if case["note"]]
    headings = ("software", "T", "spike rate", "SNN, h", "twin's density", "QNN, h")
    result: dict[str, Any] = {"hardware": setting.name, "scope": setting.scope,
                              "battery_joules": battery, "rate_hz": rate, "cases": found}
    if output is not None:
        from . import figures
        from .landscape import lifetime_curves
        from .page import Picture

        source = "spikewright energy lifetime"
        curves = lifetime_curves(setting, battery, rate, weight_bits, fan_in)
        dots = {case["software"]: (case["rate"], case["snn_hours"]) for case in found}
        result["written"] = _write(
            output, "lifetime", "Battery life", f"{setting.scope}.",
            _section("Cases", headings, rows, source, " ".join(notes)),
            [Picture("lifetime", "Battery life", f"{battery:g} J, {rate:,.0f} neurons a second, on "
                     f"{setting.name} hardware; the twin at the least density that the rate "
                     f"allows, as far as it exists. {setting.scope}.",
                     figures.lifetime(*curves, dots, setting.scope), source)])
    finish(result, table(f"{battery:g} J at {rate:g} neurons/s; {setting.scope}", headings, rows),
           *notes, as_json=json)


def _scopes(settings: list) -> str:
    return "; ".join(dict.fromkeys(setting.scope for setting in settings)) + "."


def _shown(value: Any) -> str:
    """A cell of a page: floats with as many digits as say something."""
    if isinstance(value, list):
        return " to ".join(_shown(part) for part in value)
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.2f}"
    return "–" if value is None else str(value)


def _section(title: str, headings: tuple[str, ...], rows: list[tuple], source: str,
             text: str = "") -> Section:
    from ..report.page import Section, Table

    cells = [tuple(_shown(cell) for cell in row) for row in rows]
    return Section(title, text, tables=[Table(headings, cells, source)])


def _write(output: Path, name: str, title: str, subtitle: str, section: Section,
           pictures: list[Picture]) -> list[str]:
    from ..report.page import Section
    from .page import write

    drawn = Section("Pictures", figures=[picture.on_page() for picture in pictures])
    return write(output, name, title, subtitle, (), [*([drawn] if pictures else []), section],
                 pictures)
