"""A self-contained page: a summary, and sections of text, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any


@dataclass
class Figure:
    """A picture, and the file that it shows."""

    title: str
    source: str
    svg: str
    caption: str = ""


@dataclass
class Table:
    """Rows of ready-made cells, and the file that they are from."""

    headings: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    source: str

    @cached_property
    def words(self) -> list[bool]:
        """Which columns hold words, not figures."""
        return [all(str(row[i])[:1].isalpha() for row in self.rows)
                for i in range(len(self.headings))]


@dataclass
class Section:
    """A part of the page; ``missing`` are the commands that would fill it."""

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass
class Card:
    """One figure of the summary; ``mood`` is good, bad or nothing."""

    name: str
    value: str
    mood: str = ""


def render(title: str, subtitle: str, cards: Sequence[Card], sections: Sequence[Section]) -> str:
    """The page, as HTML that needs no net. Needs jinja2."""
    from jinja2 import Environment, StrictUndefined

    template = resources.files("spikewright.model.report").joinpath("page.html")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(
        template.read_text(encoding="utf-8")).render(
            title=title, subtitle=subtitle, cards=cards, sections=sections)
