"""What fills the memories and tables of a design, apart from the design itself.

Two trainings of a network differ in weights, thresholds and biases. Where these are contents of
block memories, or of tables that were asked for by name (:mod:`~spikewright.gen.rtl.tables`), the
design around them is the same, and so are its placement and its routes. So a design is taken apart
before any tool runs: its structure, filled with random bits that can be found again in what the
tools make of it, and the contents that belong there.
"""

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import numpy.typing as npt

from ..gen.rtl.tables import CELLS
from .block_bits import digits, text_of
from .estimate import Memory, memories, module_memories, spilled
from .registry import Family

#: Rows in which the columns of a placeholder differ; of the shallowest block memory, or all.
_ROWS = 256

_INITIAL = re.compile(
    r'cell \$meminit_v2 \S+\n    parameter \\MEMID "\\\\([^"]+)"\n(?:    parameter .*\n)*'
    r"    connect \\ADDR \{  \}\n    connect \\DATA \d+'([01]+)\n")


@dataclass(frozen=True)
class Contents:
    """``memories``: name → bool (depth, width), bit 0 first; ``tables``: name → truth table;
    ``inputs``: name → how many of a table's inputs, the lowest ones, it depends on. Names are those
    that Yosys gives in a flat netlist."""

    memories: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of all of them."""
        hasher = hashlib.sha256(repr(sorted(self.tables.items())).encode())
        for name in sorted(self.memories):
            hasher.update(f"{name} {self.memories[name].shape}".encode())
            hasher.update(np.packbits(self.memories[name]).tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True)
class Separated:
    """``structure``: RTLIL, filled with ``placeholders``; ``contents`` belong there instead."""

    structure: str
    contents: Contents
    placeholders: Contents


def separate(rtlil: str, family: Family, blocks: int) -> Separated:
    """Takes contents out of a design for a part of ``family`` with so many block memories.

    A memory that would become logic is made a block memory as long as there are any to spare, and
    small ones that begin with nothing become logic where there are too few; what is left in logic
    stays with the structure, as does what is nothing but zeros.
    """
    cell = re.compile(rf"cell \\{family.table} \\(\S+)\n    parameter "
                      rf"\\{CELLS[family.table][0]} 16'([01]{{16}})\n((?:    connect .*\n)*)")
    own, placeholders = Contents(), Contents()
    modules = rtlil.split("\nmodule ")
    found = list(memories(rtlil))
    logic = spilled(found, family, blocks)
    left = blocks - sum(memory.blocks(family) for n, memory in enumerate(found) if n not in logic)
    count = itertools.count()
    for number, module in enumerate(modules[1:], 1):
        path = _path(module.partition("\n")[0])
        for name, memory in module_memories(module):
            if next(count) in logic:
                module = _styled(module, name, memory, "registers")
            initial = next((text for of, text in _INITIAL.findall(module) if of == name), "")
            bits = _bits(initial, memory)
            if not bits.any():
                continue
            made = memory.blocks(family)
            if not made and left > 0:
                needed = family.blocks_of(memory.width, memory.depth)
                if needed <= left:
                    left -= needed
                    made = needed
                    module = _styled(module, name, memory, "block")
            full = f"{path}.{name}"
            filler = _placeholder(full, memory) if made else None
            if filler is not None:
                own.memories[full], placeholders.memories[full] = bits, filler
                module = module.replace(f"'{initial}\n", f"'{text_of(filler.reshape(-1))}\n")
        for name, init, connections in cell.findall(module):
            full = f"{path}.{name}"
            inputs = _inputs(connections)
            own.inputs[full] = placeholders.inputs[full] = inputs
            own.tables[full], placeholders.tables[full] = int(init, 2), _table(full, inputs)
        module = cell.sub(lambda found, path=path: found[0].replace(
            f"16'{found[2]}", f"16'{placeholders.tables[f'{path}.{found[1]}']:016b}"), module)
        modules[number] = module
    return Separated("\nmodule ".join(modules), own, placeholders)


def _path(module: str) -> str:
    """What Yosys puts before the names of a module's cells."""
    return module.lstrip("\\").removeprefix("top").lstrip(".")


def _styled(module: str, name: str, memory: Memory, style: str) -> str:
    """``module`` with what Yosys is to make of a memory."""
    line = f"  memory width {memory.width} size {memory.depth} \\{name}\n"
    return module.replace(line, f'  attribute \\ram_style "{style}"\n{line}')


def _bits(text: str, memory: Memory) -> npt.NDArray[np.bool_]:
    """RTLIL's constant, highest bit first, as words."""
    if not text:
        return np.zeros((memory.depth, memory.width), np.bool_)
    return digits(text).reshape(memory.depth, memory.width)


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))


def _placeholder(name: str, memory: Memory) -> npt.NDArray[np.bool_] | None:
    """Random bits, no two columns of which are equal or constant; None if there cannot be."""
    random = _random(name)
    rows = min(memory.depth, _ROWS)
    for _ in range(100):
        bits = random.random((memory.depth, memory.width)) < 0.5
        columns = {column.tobytes() for column in bits[:rows].T}
        plain = {np.full(rows, value).tobytes() for value in (False, True)}
        if len(columns) == memory.width and not columns & plain:
            return bits
    return None


def _inputs(connections: str) -> int:
    """How many inputs of a table say which entry it is; none where all of them are one signal."""
    signals = [line.split(maxsplit=2)[2] for line in connections.splitlines()][:-1]
    driven = [signal for signal in signals if signal != "1'0"]
    return 0 if len(driven) == 4 and len(set(driven)) == 1 else len(driven)


def _table(name: str, inputs: int) -> int:
    """A truth table that tells its inputs apart, and depends on no others."""
    random = _random(name)
    while True:
        size = 1 << (inputs or 4)
        bits = random.integers(2, size=size)
        table = sum(int(bits[n % size]) << n for n in range(16))
        used = {order[:inputs]: permuted(table, order) for order in permutations(range(4))}
        if not inputs or len(set(used.values())) == len(used):
            return table


def permuted(table: int, order: tuple[int, ...]) -> int:
    """The truth table of a cell whose input ``order[n]`` is what input n is of ``table``."""
    return sum((table >> _permuted_entry(entry, order) & 1) << entry for entry in range(16))


def _permuted_entry(entry: int, order: tuple[int, ...]) -> int:
    return sum((entry >> place & 1) << n for n, place in enumerate(order))
