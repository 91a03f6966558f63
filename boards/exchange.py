"""Other contents for a finished design: found once in what the tools made, exchanged at any time.

A design that was built with random placeholders shows where each bit of each memory and table went:
into which cell of the netlist, which bit of it, and which place of the bitstream. Everything is
compared, nothing is taken for granted: a design of which one bit is not where it must be is no
:class:`Exchange`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..gen.rtl.tables import CELLS
from .block_bits import BlockBits, Cell, Ecp5Bits, Ice40Bits
from .chip_texts import ChipText, Ecp5Text, ExchangeError, Ice40Text
from .contents import Contents, permuted
from .registry import ICE40, Family


@dataclass(frozen=True)
class Block:
    """A block memory. ``source[n]``: what its bit n holds, as bit of ``memory`` counted word by
    word, -1 if none; ``place``: in the bitstream's text."""

    cell: str
    memory: str
    place: str
    source: npt.NDArray[np.int32]

    def filled(self, contents: Contents, bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """``bits`` with the memory's contents in place."""
        used = self.source >= 0
        filled = bits.copy()
        filled[used] = contents.memories[self.memory].reshape(-1)[self.source[used]]
        return filled


@dataclass(frozen=True)
class Table:
    """A truth table. ``order``: of its inputs in the chip."""

    cell: str
    place: str
    order: tuple[int, ...]


@dataclass(frozen=True)
class Exchange:
    """Where the contents of a design are."""

    family: Family
    blocks: tuple[Block, ...]
    tables: tuple[Table, ...]

    @classmethod
    def find(cls, family: Family, placeholders: Contents, synthesised: Cell, placed: Cell,
             chip: ChipText) -> "Exchange":
        """Finds ``placeholders`` in Yosys' netlist, nextpnr's, and the bitstream's text.

        Raises
        ------
        ExchangeError
            If one bit of them is not there, or could be in two places.
        """
        blocks = _block_bits(family)
        before, after = (netlist["modules"]["top"]["cells"] for netlist in (synthesised, placed))
        found = []
        for memory, bits in placeholders.memories.items():
            cells = {name: cell for name, cell in before.items()
                     if cell["type"] == blocks.cell and name.startswith(f"{memory}.")}
            for name, source in _sources(memory, bits, cells, blocks).items():
                block = Block(name, memory, "", source)
                filled = block.filled(placeholders, np.zeros(blocks.count, np.bool_))
                place = chip.memory_place(_cell(after, name + chip.memory_suffix), filled)
                found.append(replace(block, place=place))
        tables = []
        for name, table in placeholders.tables.items():
            if int(_cell(before, name)["parameters"][_parameter(family)], 2) != table:
                raise ExchangeError(f"table {name} is another one in the netlist")
            cell = _cell(after, name + chip.table_suffix)
            if int(cell["parameters"][chip.table_parameter], 2) != table:
                raise ExchangeError(f"table {name} is another one in nextpnr's netlist")
            place = chip.table_place(cell)
            tables.append(Table(name, place, _turned(
                name, table, placeholders.inputs[name], chip.table(place))))
        return cls(family, tuple(found), tuple(tables))

    def save(self, path: Path) -> None:
        """Writes what :meth:`load` reads."""
        said = {"blocks": [[block.cell, block.memory, block.place] for block in self.blocks],
                "tables": [[table.cell, table.place, table.order] for table in self.tables]}
        np.savez_compressed(path, said=np.array(json.dumps(said)), source=np.array(
            [block.source for block in self.blocks], np.int32))

    @classmethod
    def load(cls, path: Path, family: Family) -> "Exchange":
        """Reads what :meth:`save` wrote."""
        with np.load(path) as file:
            said, source = json.loads(str(file["said"])), file["source"]
        return cls(family, tuple(Block(cell, memory, place, source[n]) for n, (cell, memory, place)
                                 in enumerate(said["blocks"])),
                   tuple(Table(cell, place, tuple(order)) for cell, place, order in
                         said["tables"]))

    def into_chip(self, chip: ChipText, contents: Contents) -> None:
        """Changes the bitstream's text."""
        for block in self.blocks:
            chip.set_memory(block.place, block.filled(contents, chip.memory(block.place)))
        for table in self.tables:
            chip.set_table(table.place, permuted(contents.tables[table.cell], table.order))

    def into_synthesised(self, netlist: Cell, contents: Contents) -> None:
        """Changes Yosys' netlist."""
        self._into(netlist["modules"]["top"]["cells"], contents, "", "", _parameter(self.family))

    def into_placed(self, netlist: Cell, contents: Contents, chip: type[ChipText]) -> None:
        """Changes nextpnr's netlist."""
        self._into(netlist["modules"]["top"]["cells"], contents, chip.memory_suffix,
                   chip.table_suffix, chip.table_parameter)

    def _into(self, cells: Cell, contents: Contents, memory_suffix: str, table_suffix: str,
              parameter: str) -> None:
        blocks = _block_bits(self.family)
        for block in self.blocks:
            cell = cells[block.cell + memory_suffix]
            blocks.write(cell, block.filled(contents, blocks.read(cell)))
        for table in self.tables:
            cells[table.cell + table_suffix]["parameters"][parameter] = (
                f"{contents.tables[table.cell]:016b}")


def chip_text(family: Family) -> type[ChipText]:
    """How the bitstreams of ``family`` are written as text."""
    return Ice40Text if family is ICE40 else Ecp5Text


def _block_bits(family: Family) -> BlockBits:
    return Ice40Bits() if family is ICE40 else Ecp5Bits()


def _parameter(family: Family) -> str:
    return CELLS[family.table][0]


def _cell(cells: dict[str, Any], name: str) -> Cell:
    try:
        return cells[name]
    except KeyError:
        raise ExchangeError(f"the tools left {name} out") from None


def _turned(name: str, table: int, inputs: int, built: int) -> tuple[int, ...]:
    """Which inputs of the chip's table those of ``table`` became."""
    # A single signal may come in anywhere; its table is all 0 or all 1 in the end.
    orders: Iterable[tuple[int, ...]] = (
        permutations(range(4)) if inputs else product(range(4), repeat=4))
    found = {order[:inputs]: order for order in orders if permuted(table, order) == built}
    if len(found) != 1:
        raise ExchangeError(f"table {name} is another one in the bitstream")
    return next(iter(found.values()))


def _sources(
    memory: str, bits: npt.NDArray[np.bool_], cells: dict[str, Cell], blocks: BlockBits
) -> dict[str, npt.NDArray[np.int32]]:
    """Of each of a memory's cells, which bit of the memory each of its bits holds."""
    sources, known, short = {}, {}, []
    for name, cell in cells.items():
        filled = blocks.read(cell)
        found = [(number, words, begin, order)
                 for number, words in enumerate(blocks.layouts(cell))
                 for begin in range(0, len(bits), len(words))
                 if (order := _order(bits[begin : begin + len(words)], filled[words])) is not None]
        if len(found) == 1:
            number, words, begin, order = found[0]
            known[number, order] = words
            sources[name] = _source(bits, words, blocks.count, begin, order)
        else:
            short.append((name, filled))
    for name, filled in short:
        # Few rows do not tell the columns apart, but they lie as elsewhere in the memory.
        found = [(words, begin, order) for (_, order), words in known.items()
                 if _is(bits[(begin := len(bits) // len(words) * len(words)):], filled[words],
                        order)]
        if len(found) != 1:
            raise ExchangeError(f"what memory {name} holds cannot be told")
        words, begin, order = found[0]
        sources[name] = _source(bits, words, blocks.count, begin, order)
    covered = np.zeros(bits.size, np.bool_)
    for source in sources.values():
        covered[source[source >= 0]] = True
    if not covered.all():
        raise ExchangeError(f"{covered.size - covered.sum()} bits of memory {memory} were not "
                            f"found")
    return sources


def _order(
    chunk: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]
) -> tuple[int, ...] | None:
    """Which column of ``chunk`` each column of ``held`` is, -1 for those that hold nothing; None if
    one is none of them, or could be several."""
    rows = len(chunk)
    order = []
    for column in held.T:
        if not column.any():
            order.append(-1)
            continue
        alike = np.flatnonzero((chunk == column[:rows, np.newaxis]).all(axis=0))
        if len(alike) != 1 or column[rows:].any():
            return None
        order.append(int(alike[0]))
    return tuple(order)


def _is(chunk: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_], order: Iterable[int]) -> bool:
    expected = np.zeros_like(held)
    for n, column in enumerate(order):
        if column >= 0:
            expected[: len(chunk), n] = chunk[:, column]
    return bool((expected == held).all())


def _source(
    bits: npt.NDArray[np.bool_], words: npt.NDArray[np.int64], count: int, begin: int,
    order: tuple[int, ...],
) -> npt.NDArray[np.int32]:
    source = np.full(count, -1, np.int32)
    rows = min(len(words), len(bits) - begin)
    for n, column in enumerate(order):
        if column >= 0:
            source[words[:rows, n]] = (begin + np.arange(rows)) * bits.shape[1] + column
    return source
