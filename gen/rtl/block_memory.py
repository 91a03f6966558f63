"""Block memory without the logic that makes simultaneous reads and writes of a word agree."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .tables import table_cell

#: Of a memory whose contents are exchanged in a finished bitstream.
LEAST_ROWS = 32


class BlockMemory(wiring.Component):
    """A memory of one read and one write port.

    A word that is read in the cycle in which it is written is undefined in hardware; a simulation
    reads what was there before. Amaranth's own synchronous ports promise the word before (or
    after) the write, which block memories with two addresses do not do: Yosys adds two flip-flops
    and a LUT per bit, or one of each. It leaves them out for an asynchronous port with a register
    behind it, which it merges into the memory, if the attribute says that nobody minds.

    Parameters
    ----------
    shape : shape
    depth : int
    init : sequence
        Its first contents; zeros if not given.

    Members
    -------
    read_address : In
    read_data : Out, shape
        A cycle after the address.
    write : In
    write_address : In
    write_data : In, shape
    """

    def __init__(self, shape: ShapeLike, depth: int, init: Sequence[Any] = ()):
        self.shape = shape
        self.depth = depth
        self.init = init
        super().__init__({
            "read_address": In(range(depth)), "read_data": Out(shape),
            "write": In(1), "write_address": In(range(depth)), "write_data": In(shape),
        })

    def elaborate(self, platform):
        m = Module()
        attributes: dict[str, Any] = {"no_rw_check": 1}
        # What a finished bitstream exchanges is found by its columns, which few rows do not tell
        # apart; a block memory has more of them in any case.
        few = table_cell(platform) is not None and len(self.init) > 0
        depth = max(self.depth, LEAST_ROWS) if few else self.depth
        # Kept as an attribute so that simulations can look inside.
        m.submodules.words = self.words = words = memory.Memory(
            shape=self.shape, depth=depth, init=self.init, attrs=attributes)
        read, write = words.read_port(domain="comb"), words.write_port()
        data = Signal(self.shape, reset_less=True)
        m.d.sync += data.eq(read.data)
        m.d.comb += [
            read.addr.eq(self.read_address), self.read_data.eq(data),
            write.en.eq(self.write), write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        return m
