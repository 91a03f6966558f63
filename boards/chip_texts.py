"""The text forms of a bitstream, before they are packed: memories and tables, read and changed.

iCE40: IceStorm's ASCII format, https://prjicestorm.readthedocs.io; ECP5: Project Trellis' textual
configuration, https://prjtrellis.readthedocs.io.
"""

import re
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..gen.errors import SpikewrightError
from .block_bits import Bits


class ExchangeError(SpikewrightError):
    """A design in which contents were not found."""


class ChipText(ABC):
    """A bitstream as text. ``cell``: of the netlist that nextpnr wrote."""

    #: What nextpnr calls the file.
    file: str
    #: What nextpnr adds to the names of memories and tables, and calls a table's contents.
    memory_suffix, table_suffix, table_parameter = "", "", ""

    def __init__(self, text: str):
        self.lines = text.split("\n")

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)

    @abstractmethod
    def memory_place(self, cell: dict[str, Any], bits: Bits) -> str:
        """Where the memory that is filled with ``bits`` is; ExchangeError if it is nowhere, or
        could be in two places."""

    @abstractmethod
    def table_place(self, cell: dict[str, Any]) -> str:
        """Where a table is."""

    @abstractmethod
    def memory(self, place: str) -> Bits:
        """What the memory at ``place`` is filled with."""

    @abstractmethod
    def set_memory(self, place: str, bits: Bits) -> None:
        """Fills it."""

    @abstractmethod
    def table(self, place: str) -> int:
        """The truth table at ``place``."""

    @abstractmethod
    def set_table(self, place: str, table: int) -> None:
        """Changes it."""

    @staticmethod
    def _bel(cell: dict[str, Any], pattern: str) -> re.Match[str]:
        found = re.fullmatch(pattern, bel := cell["attributes"].get("NEXTPNR_BEL", "nowhere"))
        if found is None:
            raise ExchangeError(f"nextpnr placed a cell at {bel}, which is not known")
        return found


class Ice40Text(ChipText):
    """IceStorm's."""

    file = "top.asc"
    memory_suffix, table_suffix, table_parameter = "_RAM", "_LC", "LUT_INIT"

    def __init__(self, text: str):
        super().__init__(text)
        self._blocks = {line: number for number, line in enumerate(self.lines)
                        if line.startswith((".ram_data ", ".logic_tile ", ".device "))}
        self._device = next(line.split()[1] for line in self._blocks if line[:7] == ".device")

    def memory_place(self, cell: dict[str, Any], bits: Bits) -> str:
        place = ".ram_data {} {}".format(*self._bel(cell, r"X(\d+)/Y(\d+)/ram").groups())
        if not (self.memory(place) == bits).all():
            raise ExchangeError(f"the memory at {place} is filled with something else")
        return place

    def table_place(self, cell: dict[str, Any]) -> str:
        return "{} {} {}".format(*self._bel(cell, r"X(\d+)/Y(\d+)/lc(\d)").groups())

    def memory(self, place: str) -> Bits:
        begin = self._blocks[place] + 1
        # 16 words a line, the last one first.
        words = [int(line[at : at + 4], 16) for line in self.lines[begin : begin + 16]
                 for at in range(60, -1, -4)]
        return (np.array(words)[:, np.newaxis] >> np.arange(16) & 1).astype(np.bool_).reshape(-1)

    def set_memory(self, place: str, bits: Bits) -> None:
        words = (bits.reshape(16, 16, 16) * (1 << np.arange(16))).sum(axis=2)
        begin = self._blocks[place] + 1
        for number, row in enumerate(words):
            self.lines[begin + number] = "".join(f"{word:04x}" for word in row[::-1])

    def _table_bits(self, place: str) -> list[tuple[int, int]]:
        """Line and column of each entry."""
        from .netlists.ice40 import TABLE_BITS
        from .netlists.ice40_chip import ice40_chip

        x, y, z = place.split()
        begin = self._blocks[f".logic_tile {x} {y}"] + 1
        bits = ice40_chip(self._device).configuration("logic")[f"LC_{z}"]
        return [(begin + bits[n][0], bits[n][1]) for n in TABLE_BITS]

    def table(self, place: str) -> int:
        return sum((self.lines[line][column] == "1") << n
                   for n, (line, column) in enumerate(self._table_bits(place)))

    def set_table(self, place: str, table: int) -> None:
        for n, (line, column) in enumerate(self._table_bits(place)):
            old = self.lines[line]
            self.lines[line] = f"{old[:column]}{table >> n & 1}{old[column + 1 :]}"


class Ecp5Text(ChipText):
    """Project Trellis'."""

    file = "top.config"
    table_parameter = "INITVAL"

    def __init__(self, text: str):
        super().__init__(text)
        self._blocks = {line: number for number, line in enumerate(self.lines)
                        if line.startswith((".bram_init ", ".tile "))}

    def memory_place(self, cell: dict[str, Any], bits: Bits) -> str:
        # The text numbers memories as nextpnr does while it writes, which no netlist tells.
        places = [place for place in self._blocks if place.startswith(".bram_init")
                  and (self.memory(place) == bits).all()]
        if len(places) != 1:
            raise ExchangeError(f"{len(places)} memories are filled alike")
        return places[0]

    def table_place(self, cell: dict[str, Any]) -> str:
        x, y, part, which = self._bel(cell, r"X(\d+)/Y(\d+)/SLICE([A-D])\.[A-Z]+([01])").groups()
        return f".tile R{y}C{x}:PLC2 SLICE{part}.K{which}.INIT"

    def _memory_lines(self, place: str) -> tuple[int, int]:
        begin = end = self._blocks[place] + 1
        while re.fullmatch(r"[0-9a-f ]+", self.lines[end]):
            end += 1
        return begin, end

    def memory(self, place: str) -> Bits:
        begin, end = self._memory_lines(place)
        words = np.array([int(word, 16) for line in self.lines[begin:end]
                          for word in line.split()])
        return (words[:, np.newaxis] >> np.arange(9) & 1).astype(np.bool_).reshape(-1)

    def set_memory(self, place: str, bits: Bits) -> None:
        begin, end = self._memory_lines(place)
        words = iter((bits.reshape(-1, 9) * (1 << np.arange(9))).sum(axis=1).tolist())
        for number in range(begin, end):
            length = len(self.lines[number].split())
            self.lines[number] = " ".join(f"{next(words):03x}" for _ in range(length))

    def _table_line(self, place: str) -> tuple[int, bool]:
        """The line of a table in its tile, and whether it is there; where it would be if not."""
        tile, name = place.rsplit(" ", 1)
        number = self._blocks[tile] + 1
        while self.lines[number] and not self.lines[number].startswith("."):
            if self.lines[number].startswith(f"word: {name} "):
                return number, True
            number += 1
        return number, False

    def table(self, place: str) -> int:
        number, there = self._table_line(place)
        if not there:
            raise ExchangeError(f"the configuration has no {place}")
        return int(self.lines[number].split()[2], 2)

    def set_table(self, place: str, table: int) -> None:
        number, _ = self._table_line(place)
        head = self.lines[number].rsplit(" ", 1)[0]
        self.lines[number] = f"{head} {table:016b}"
