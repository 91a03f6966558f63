"""Which wires of an iCE40 a bitstream joins."""

import numpy as np
import numpy.typing as npt

from ...gen.errors import ToolError
from .ice40_bitstream import Ice40Bitstream
from .ice40_chip import Ice40Chip


class Ice40Routing:
    """A part, set by a bitstream.

    Raises
    ------
    ToolError
        If the bits drive a wire from two sides.
    """

    def __init__(self, chip: Ice40Chip, bitstream: Ice40Bitstream):
        self.chip, self.bitstream = chip, bitstream
        self._bits = bits = bitstream.grid(chip.width, chip.height)
        switches, pips = chip.switches, chip.pips
        count = switches["bits"][:, np.newaxis]
        place = np.arange(5)
        rows, columns = switches["places"][..., 0], switches["places"][..., 1]
        found = bits[switches["x"][:, np.newaxis], switches["y"][:, np.newaxis], rows, columns]
        weight = np.where(place < count, 1 << np.maximum(count - 1 - place, 0), 0)
        position = (found * weight).sum(axis=1)
        # Switches without bits stand for what nextpnr may do inside a logic cell.
        closed = ((position[pips["switch"]] == pips["mask"])
                  & (switches["bits"][pips["switch"]] > 0))
        sources, sinks = pips["source"][closed], pips["sink"][closed]
        twice = np.flatnonzero(np.bincount(sinks) > 1)
        if len(twice):
            x, y, name = chip.places[twice[0]]
            raise ToolError(
                f"the bitstream drives wire {name} of tile {x}, {y} from two sides; it is damaged, "
                f"build the board again"
            )
        self._source: npt.NDArray[np.int64] = np.full(len(chip.places), -1)
        self._source[sinks] = sources

    def source(self, wire: int) -> int:
        """The wire that drives ``wire``, which is itself if no switch leads there."""
        seen = wire
        while self._source[wire] >= 0:
            wire = int(self._source[wire])
            if wire == seen:
                x, y, name = self.chip.places[wire]
                raise ToolError(
                    f"the bitstream joins wire {name} of tile {x}, {y} to itself; it is damaged, "
                    f"build the board again"
                )
        return wire

    def setting(self, x: int, y: int, name: str) -> list[bool]:
        """The bits of a tile's setting, lowest first."""
        found = self.chip.configuration(self.chip.tile(x, y))[name]
        return [bool(self._bits[x, y, row, column]) for row, column in found]
