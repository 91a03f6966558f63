"""How a study's report says things: figures in their units, links, verdicts in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .figures import UNITS
from .statistics import Correlation, Interval
from .store import Row

if TYPE_CHECKING:
    from markupsafe import Markup


def value(name: str, interval: Interval | None) -> str:
    """A figure in the unit of :data:`.figures.UNITS`."""
    if interval is None:
        return "–"
    scale = UNITS[name][1]
    return interval.text(scale, 2 if scale == 100 else None)


def unit(name: str) -> str:
    """What figure ``name`` is called, and its unit."""
    return UNITS[name][0]


def strength(each: Correlation) -> str:
    """What the correlation of accuracy and cycles says."""
    rank = f"rank correlation of accuracy and cycles is {each.spearman:+.2f} " \
           f"({each.low:+.2f} to {each.high:+.2f})"
    if each.low <= 0 <= each.high:
        return f"{rank}: 0 is not ruled out, so these choices leave open what accuracy tells."
    more = "more" if each.spearman > 0 else "fewer"
    return (f"{rank}: more accurate choices tend to take {more} cycles; accuracy explains "
            f"{each.spearman**2:.0%} of the ranks' variance.")


def link(row: Row) -> Markup:
    """The number of a trial, leading to its figures."""
    from markupsafe import Markup

    return Markup('<a href="{}/trials/{}.json">{}</a>').format(
        row.run, row.key[:16], row.number)


def titled(name: str, title: str) -> str:
    """``title`` of the part about task ``name``, "" where there is only one."""
    return f"{name}: {title[0].lower()}{title[1:]}" if name else title


def links(rows: Iterable[Row]) -> Markup:
    """Those of all ``rows``."""
    from markupsafe import Markup

    return Markup(" ").join(link(row) for row in rows)


def listed(names: Iterable[str]) -> str:
    """With commas."""
    return ", ".join(names)
