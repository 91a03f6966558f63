"""Small read-only contents that can be told from the logic around them in a finished bitstream."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

#: Entries of a table of the chip.
_ENTRIES = 16

#: Cell that is one table → its parameter, and its inputs and output.
CELLS = {
    "SB_LUT4": ("LUT_INIT", ("I0", "I1", "I2", "I3"), "O"),
    "LUT4": ("INIT", ("A", "B", "C", "D"), "Z"),
}


def table_cell(platform: Any) -> str | None:
    """What ``platform`` calls a table that is built as it is and stays apart from all other logic;
    None if it has none."""
    return getattr(platform, "table_cell", None)


def in_tables(platform: Any, width: int, depth: int) -> bool:
    """Whether a read-only memory is made of :class:`Tables` on ``platform``: where its tools would
    make logic of it, in which its contents could not be exchanged."""
    return table_cell(platform) is not None and platform.in_tables(width, depth)


class Tables(wiring.Component):
    """``words`` in tables of the chip: a table for each bit of sixteen words, and multiplexers.

    Other logic is made of tables, too, but Yosys sees through it: a table of the chip that is asked
    for by name keeps its contents to itself, so that they can be exchanged in a finished bitstream.
    Latency: none; a single word is there one cycle after power-on. On platforms without such tables
    the words are plain logic.

    Parameters
    ----------
    words : sequence of int
    width : int

    Members
    -------
    address : In
    data : Out, width bits
    """

    def __init__(self, words: Sequence[int], width: int):
        self.words, self.width = words, width
        super().__init__({"address": In(range(max(2, len(words)))), "data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        cell = table_cell(platform)
        if cell is None:
            m.d.comb += self.data.eq(
                Array([C(word, self.width) for word in self.words])[self.address])
            return m
        init, inputs, output = CELLS[cell]
        levels = min(4, (len(self.words) - 1).bit_length())
        # nextpnr leaves out a table whose inputs are all constant, so a single word's have its own
        # value, from a register that costs nothing behind a table.
        held = Signal(self.width, reset_less=True)
        groups = []
        for first in range(0, len(self.words), _ENTRIES):
            group = self.words[first : first + _ENTRIES]
            out = Signal(self.width, name=f"group_{first}")
            for bit in range(self.width):
                # Entries that no address reaches repeat the others.
                table = sum((group[n % (1 << levels) % len(group)] >> bit & 1) << n
                            for n in range(_ENTRIES))
                above = C(0, 1) if levels else held[bit]
                ports: dict[str, Any] = {
                    f"i_{name}": self.address[n] if n < levels else above
                    for n, name in enumerate(inputs)}
                m.submodules[f"table_{first}_{bit}"] = Instance(
                    cell, a_keep=1, **{f"p_{init}": C(table, _ENTRIES), f"o_{output}": out[bit]},
                    **ports)
            groups.append(out)
        if not levels:
            m.d.sync += held.eq(groups[0])
            groups = [held]
        m.d.comb += self.data.eq(
            Array(groups)[self.address[4:]] if len(groups) > 1 else groups[0])
        return m
