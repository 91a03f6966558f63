"""What ``spikewright energy`` writes: each picture as PNG and SVG, and all of them with their
tables on one page that needs no net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...gen.errors import SpikewrightError
from ..figures import svg
from ..report.page import Card, Section, render
from ..report.page import Figure as PageFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Dots an inch of a PNG.
_DPI = 150


@dataclass
class Picture:
    """A picture under the ``name`` of its files; ``source`` is the command, with the scope."""

    name: str
    title: str
    caption: str
    figure: Figure
    source: str

    def on_page(self) -> PageFigure:
        """As the page shows it."""
        return PageFigure(self.title, self.source, svg(self.figure, self.title), self.caption)


def write(folder: Path, name: str, title: str, subtitle: str, cards: Sequence[Card],
          sections: Sequence[Section], pictures: Sequence[Picture]) -> list[str]:
    """Writes ``NAME.html`` and the pictures into ``folder``; names of the files.

    Raises
    ------
    SpikewrightError
        If the folder cannot be written.
    """
    written = [f"{name}.html"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / written[0]).write_text(render(title, subtitle, cards, sections), encoding="utf-8")
        for picture in pictures:
            for kind in ("png", "svg"):
                file = f"{picture.name}.{kind}"
                picture.figure.savefig(folder / file, dpi=_DPI, facecolor="white",
                                       metadata={"Title": picture.title})
                written.append(file)
    except OSError as error:
        raise SpikewrightError(f"{folder} cannot be written ({error.strerror}); give another "
                               f"--output") from error
    return written
