"""What a design needs of a part, told from the design itself before any tool runs.

Amaranth's RTLIL lists every memory, register and operator. Which memories become block memories is
decided as Yosys decides it, so their number is exact but for memories of about 100 bits, where
Yosys sees through to the bits in use; what logic becomes of operators is a linear estimate, 4 %
off on average over the designs it was fitted to and 7 to 9 % over designs it has not seen (worst
32 %), as `make bench` measures.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .registry import ECP5, ICE40, Family


@dataclass(frozen=True)
class Estimate:
    """``logic``: 4-input LUTs, or logic cells of an iCE40. ``blocks``: block memories. ``large``:
    memories of an UltraPlus that were asked for by name. ``multipliers``: most that an ECP5 needs,
    as one operand may turn out to be constant; designs for an iCE40 are built without."""

    logic: int
    blocks: int
    large: int
    multipliers: int


#: What a family's logic is made of, in its own cells: fitted to the designs of tests/bench.
_COSTS = {
    ECP5.name: {
        "registers": 0.416, "chains": 5.76, "choices": 0.203, "products": 0.0125,
        "memory": 0.0958, "rom": 0.0685,
    },
    ICE40.name: {
        "one": 134, "registers": 0.947, "arithmetic": 0.228, "choices": 0.0832, "products": 1.14,
        "memory": 1.69, "rom": 0.135,
    },
}

_MEMORY = re.compile(r"^  memory width (\d+) size (\d+) \\(\S+)$", re.M)
_HELD = re.compile(
    r'cell \$meminit_v2 \S+\n    parameter \\MEMID "\\\\([^"]+)"\n(?:    parameter .*\n)*'
    r"    connect \\ADDR \{  \}\n    connect \\DATA \d+'0*1")
_WRITTEN = re.compile(r'cell \$memwr_v2 .*\n(?:    .*\n)*?    parameter \\MEMID "\\\\([^"]+)"')
_CELL = re.compile(r"^  cell (\S+) \S+\n((?:    .*\n)*)", re.M)
_MUL = re.compile(r"^  cell \$mul \S+\n((?:    .*\n)*)", re.M)
_OPERAND = re.compile(r"parameter \\[AB]_WIDTH (\d+)")
_WIDTH = re.compile(r"parameter \\(?:Y_WIDTH|WIDTH) (\d+)")

#: Largest memory, in bits, that is made of logic where block memories are short.
_SPILLED = 256

#: Width of an operand of an ECP5's multiplier.
_MULTIPLIER_BITS = 18

#: Operators → what they are counted as; shifts by constants and the like cost nothing, and gates
#: disappear in the LUTs of their neighbours.
_KINDS = {
    **dict.fromkeys(("$add", "$sub", "$neg", "$gt", "$lt", "$ge", "$le"), "arithmetic"),
    "$mux": "choices", "$pmux": "choices",
    **dict.fromkeys(("$dff", "$dffe", "$sdff", "$sdffe"), "registers"),
}


@dataclass(frozen=True)
class Memory:
    """A memory of a design. ``written``: it is no ROM. ``held``: it begins with contents."""

    width: int
    depth: int
    written: bool
    held: bool = field(default=False, compare=False)

    def blocks(self, family: Family) -> int:
        """Block memories that Yosys makes of it; 0 if it prefers logic."""
        needed = family.blocks_of(self.width, self.depth)
        if not self.written:
            return 0 if family.in_tables(self.width, self.depth) else needed
        price = family.block_price * needed
        if family is ICE40:
            # Reading a word that is being written takes logic beside the memory.
            price += min(self.width, 16)
        return needed if self._elsewhere(family) > price else 0

    def _elsewhere(self, family: Family) -> float:
        """What a written memory costs outside of block memories, by Yosys' measure."""
        if family is ECP5:
            # LUTs of 16 × 4 bits, and multiplexers where it is deeper.
            words = -(-self.depth // 16)
            return 4 * -(-self.width // 4) * words + (words > 1) * self.width
        return self.width * self.depth


def memories(rtlil: str) -> Iterator[Memory]:
    """Every memory of a design in RTLIL."""
    for module in rtlil.split("\nmodule ")[1:]:
        for _, memory in module_memories(module):
            yield memory


def module_memories(module: str) -> Iterator[tuple[str, Memory]]:
    """Every memory of a module, and its name."""
    written, held = set(_WRITTEN.findall(module)), set(_HELD.findall(module))
    for width, depth, name in _MEMORY.findall(module):
        yield name, Memory(int(width), int(depth), name in written, name in held)


def spilled(found: Sequence[Memory], family: Family, blocks: float) -> set[int]:
    """Which of the memories of a design are made of logic because they are more than so many
    ``blocks``: small ones, and none that begins with contents, which are to be exchanged."""
    needed = [memory.blocks(family) for memory in found]
    short = sum(needed) - blocks
    gone: set[int] = set()
    for n in sorted(range(len(found)), key=lambda n: found[n].width * found[n].depth):
        memory = found[n]
        if short <= 0 or memory.width * memory.depth > _SPILLED:
            break
        if needed[n] and memory.written and not memory.held:
            gone.add(n)
            short -= needed[n]
    return gone if short <= 0 else set()


def _multiplications(rtlil: str) -> Iterator[tuple[int, int]]:
    """Widths of the operands of every multiplication."""
    for body in _MUL.findall(rtlil):
        first, second = map(int, _OPERAND.findall(body))
        yield first, second


def multipliers(rtlil: str, family: Family) -> int:
    """Most multipliers that Yosys uses: on an ECP5, for all operands wider than a bit."""
    if family is not ECP5:
        return 0
    return sum(-(-a // _MULTIPLIER_BITS) * -(-b // _MULTIPLIER_BITS)
               for a, b in _multiplications(rtlil) if min(a, b) > 1)


def features(rtlil: str, family: Family, blocks: float = math.inf) -> dict[str, float]:
    """What the logic of a design is estimated from: bits of each kind of operator, of the partial
    products of multiplications, and of memories that become logic."""
    return _features(rtlil, _placed(rtlil, family, blocks)[0])


def _placed(rtlil: str, family: Family, blocks: float) -> tuple[list[Memory], int]:
    """Memories that become logic, and how many block memories the others take."""
    found = list(memories(rtlil))
    gone = spilled(found, family, blocks)
    needed = [0 if n in gone else memory.blocks(family) for n, memory in enumerate(found)]
    return [memory for memory, count in zip(found, needed, strict=True) if not count], sum(needed)


def _features(rtlil: str, in_logic: list[Memory]) -> dict[str, float]:
    found: Counter[str] = Counter()
    for kind, body in _CELL.findall(rtlil):
        if kind in _KINDS:
            width = _WIDTH.search(body)
            found[_KINDS[kind]] += int(width[1]) if width else 1
            if _KINDS[kind] == "arithmetic":
                found["chains"] += 1
    found["products"] = sum(a * b for a, b in _multiplications(rtlil) if min(a, b) > 1)
    for memory in in_logic:
        found["memory" if memory.written else "rom"] += memory.width * memory.depth
    return {"one": 1, **found}


def estimate(rtlil: str, family: Family, blocks: float = math.inf) -> Estimate:
    """What ``rtlil`` needs of a part of ``family`` with so many block memories."""
    coefficients = _COSTS[family.name]
    in_logic, needed = _placed(rtlil, family, blocks)
    found = _features(rtlil, in_logic)
    # What was asked for by name is built as it is.
    tables = rtlil.count(f"cell \\{family.table} ")
    return Estimate(
        logic=tables + round(sum(coefficients[name] * found.get(name, 0)
                                 for name in coefficients)),
        blocks=needed,
        large=rtlil.count("cell \\SB_SPRAM256KA "),
        multipliers=multipliers(rtlil, family),
    )
