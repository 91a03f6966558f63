"""Small faults in the Python source of hardware components: all there can be, and a fair sample.

A fault is put into the syntax tree of a function or method, so that every one is a program.
"""

import ast
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .kinds import KINDS
from .places import Place, places

#: Hardware outside ``gen/rtl``.
BOARDS = ("uart", "spi", "hostlink", "command_decoder", "reply_encoder", "cobs", "frames", "buffer",
          "recovery", "stage", "top")


@dataclass(frozen=True)
class Fault:
    """One small change of a source file.

    Attributes
    ----------
    file : str
        Relative to the project.
    line : int
    number : int
        Its place among the faults that the file can have.
    kind : str
        One of :data:`~.kinds.KINDS`.
    before, after : str
        What stands there, and what is put there.
    """

    file: str
    line: int
    number: int
    kind: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """Names the fault as long as its file stays as it is."""
        return f"{self.file}:{self.line} {self.kind} {self.number}"


def sources(root: Path) -> dict[str, str]:
    """The hardware components: source texts by file, relative to ``root``."""
    files = [*sorted((root / "gen" / "rtl").glob("[!_]*.py")),
             *(root / "boards" / f"{name}.py" for name in BOARDS)]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}


def faults(file: str, source: str) -> list[Fault]:
    """Every fault that ``source`` can have."""
    return [
        Fault(file, place.node.lineno, number, kind, ast.unparse(place.node), ast.unparse(changed))
        for number, (kind, place, changed) in enumerate(_changes(ast.parse(source)))
    ]


def apply(source: str, number: int) -> ast.Module:
    """``source`` with fault ``number`` of :func:`faults` in it."""
    tree = ast.parse(source)
    _, place, changed = list(_changes(tree))[number]
    place.put(changed)
    return ast.fix_missing_locations(tree)


def _changes(tree: ast.Module) -> Iterator[tuple[str, Place, ast.AST]]:
    for place in places(tree):
        for kind, change in KINDS.items():
            for changed in change(place):
                if ast.unparse(changed) != ast.unparse(place.node):
                    yield kind, place, changed


def sample(texts: Mapping[str, str], count: int, seed: int) -> list[Fault]:
    """About ``count`` faults: every file has its share of all that there can be, and within a file
    every kind has a turn before any has another. The same seed gives the same ones as long as a
    file stays as it is, whatever the other files are."""
    possible = {file: faults(file, text) for file, text in texts.items()}
    total = sum(map(len, possible.values()))
    return [fault for file, all_of_it in possible.items()
            for fault in _turns(all_of_it, -(-count * len(all_of_it) // total),
                                random.Random(f"{seed} {file}"))]


def _turns(possible: list[Fault], count: int, chance: random.Random) -> list[Fault]:
    """``count`` of them, kind after kind."""
    piles: dict[str, list[Fault]] = {}
    for fault in chance.sample(possible, len(possible)):
        piles.setdefault(fault.kind, []).append(fault)
    chosen: list[Fault] = []
    while len(chosen) < min(count, len(possible)):
        chosen += [pile.pop() for pile in piles.values() if pile][: count - len(chosen)]
    return sorted(chosen, key=lambda fault: fault.number)
