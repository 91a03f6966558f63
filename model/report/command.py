"""The command ``report``. Needs matplotlib and jinja2, but not torch."""

from pathlib import Path
from typing import Annotated

import typer

from ...gen.console import Json, finish, progress, table
from ...gen.runfolder import RunFolder

PAGE = "report.html"


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)
    ],
    sample: Annotated[
        int, typer.Option(min=0, help="Which held-back sample's spikes and membranes to draw.")
    ] = 0,
    json: Json = False,
) -> None:
    """Write RUN/report.html: accuracy, spikes, cycles and resources on one page that needs no net.

    Example: `spikewright report runs/demo`
    """
    from .behaviour import behaviour, equality
    from .cards import cards
    from .energy import energy
    from .hardware import boards, cycles, verilog
    from .learning import quantisation, training
    from .page import Section, Table, render
    from .run import RunData

    folder = RunFolder.open(run)
    data = RunData(folder, sample)
    parts = (training, quantisation, behaviour, equality, cycles, boards, energy, verilog)
    sections = []
    with progress("drawing the report", len(parts)) as advance:
        for part in parts:
            sections.append(part(data))
            advance()
        sections.append(Section("Files", tables=[Table(
            ("file", "written by"),
            [(name, f"spikewright {folder.written_by(name)}")
             for name in folder.names() if name != PAGE], "run.json")]))
        html = render(f"{data.spec.name}: {data.architecture}", data.subtitle, cards(data),
                      sections)
    with folder.writing("report") as staging:
        (staging / PAGE).write_text(html, encoding="utf-8")
    result = {
        "run": str(run),
        "report": str(folder.path / PAGE),
        "sections": [section.title for section in sections],
        "missing": [command for section in sections for command in section.missing],
    }
    finish(
        result,
        table(result["report"], ("section", "figures", "still missing"),
              [(s.title, len(s.figures), ", ".join(s.missing) or None) for s in sections]),
        as_json=json,
    )
