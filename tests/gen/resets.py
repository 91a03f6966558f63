"""Which registers of a design a reset leaves alone."""

import re
from typing import Any

from amaranth.hdl import Elaboratable, Fragment


def kept(design: Elaboratable, platform: Any = None) -> dict[str, set[str]]:
    """By component the registers of ``design`` that keep their value in a reset, as it is built
    for ``platform``; numbers in names are N. What memories hold is not among them."""
    found: dict[str, set[str]] = {}

    def look(fragment: Fragment, component: str):
        for origin in fragment.origins or ():
            if type(origin).__module__.startswith("spikewright."):
                component = type(origin).__name__
        names = {
            re.sub(r"\d+", "N", signal.name)
            for domain, statements in fragment.statements.items() if domain != "comb"
            for statement in statements for signal in statement._lhs_signals()
            if signal.reset_less
        }
        if names:
            found.setdefault(component, set()).update(names)
        for inner, *_ in fragment.subfragments:
            look(inner, component)

    look(Fragment.get(design, platform), "")
    return found
