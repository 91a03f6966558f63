"""Where the bits of a block memory's words are, in a netlist's cell and in the chip.

iCE40: Lattice, "Memory Usage Guide for iCE40 Devices" (FPGA-TN-02002); ECP5: "ECP5 and ECP5-5G
Memory Usage Guide" (FPGA-TN-02204), and the order that nextpnr's bitstream writer has them in.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

#: A cell of Yosys' JSON format.
Cell = dict[str, Any]

Bits = npt.NDArray[np.bool_]


class BlockBits(ABC):
    """A family's block memory: all its bits in a row, as the bitstream lists them."""

    #: What netlists call it, and its length.
    cell: str
    count: int

    @abstractmethod
    def read(self, cell: Cell) -> Bits:
        """What a netlist's cell is filled with; what does not matter is 0."""

    @abstractmethod
    def write(self, cell: Cell, bits: Bits) -> None:
        """Fills a netlist's cell."""

    @abstractmethod
    def layouts(self, cell: Cell) -> list[npt.NDArray[np.int64]]:
        """What a bit of a word may be, (words, width) each: how the chip numbers words depends on
        which of its address lines is which of the memory's."""


def digits(text: str) -> Bits:
    """The bits of ``text``, which has the highest one first."""
    return np.frombuffer(text[::-1].encode(), np.uint8) == ord("1")


def text_of(bits: Bits) -> str:
    """As :func:`digits` takes them."""
    return (bits[::-1] + np.uint8(ord("0"))).tobytes().decode()


class Ice40Bits(BlockBits):
    """256 rows of 16 bits; in read mode m a word is every 2ᵐth bit of a row."""

    cell, count = "SB_RAM40_4K", 4096
    _names = [f"INIT_{n:X}" for n in range(16)]

    def read(self, cell: Cell) -> Bits:
        return np.concatenate([digits(cell["parameters"].get(name, "0" * 256))
                               for name in self._names])

    def write(self, cell: Cell, bits: Bits) -> None:
        for name, part in zip(self._names, bits.reshape(16, 256), strict=True):
            cell["parameters"][name] = text_of(part)

    def layouts(self, cell: Cell) -> list[npt.NDArray[np.int64]]:
        mode = int(cell["parameters"]["READ_MODE"], 2)
        address, bit = np.ogrid[: 256 << mode, : 16 >> mode]
        found = [(address & 255) * 16 + (bit << mode) + (address >> 8)]
        if mode:
            # Yosys has the words of a row follow one another.
            part = address & (1 << mode) - 1
            turned = sum((part >> n & 1) << mode - 1 - n for n in range(mode))
            found += [(address >> mode) * 16 + (bit << mode) + each
                      for each in ((part, turned) if mode > 1 else (part,))]
        return found


class Ecp5Bits(BlockBits):
    """2048 rows of 9 bits; words of 18 or 36 bits are two or four rows, those of 4, 2 or 1 bits
    share the first eight bits of a row."""

    cell, count = "DP16KD", 2048 * 9
    _names = [f"INITVAL_{n:02X}" for n in range(64)]

    def read(self, cell: Cell) -> Bits:
        # Each parameter is 16 words of 18 bits, with 2 bits between them.
        rows = [digits(cell["parameters"].get(name, "0" * 320)).reshape(16, 20)[:, :18]
                for name in self._names]
        return np.concatenate([row.reshape(-1) for row in rows])

    def write(self, cell: Cell, bits: Bits) -> None:
        for name, part in zip(self._names, bits.reshape(64, 16, 18), strict=True):
            cell["parameters"][name] = text_of(np.pad(part, [(0, 0), (0, 2)]).reshape(-1))

    def layouts(self, cell: Cell) -> list[npt.NDArray[np.int64]]:
        # A port that is not used has a width, too.
        widths = {int(cell["parameters"][f"DATA_WIDTH_{port}"], 2) for port in "AB"}
        return [self._layout(width) for width in sorted(widths)]

    def _layout(self, width: int) -> npt.NDArray[np.int64]:
        if width < 9:
            place = np.arange(16384).reshape(-1, width)
            return place // 8 * 9 + place % 8
        return np.arange(self.count).reshape(-1, width)
