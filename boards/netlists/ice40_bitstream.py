"""An iCE40 bitstream, unpacked: the bits of each tile, and what its memories start with."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...gen.errors import ToolError
from ..toolchain import find_tool

#: Most rows and columns that a tile has.
ROWS, COLUMNS = 16, 54


@dataclass(frozen=True, eq=False)
class Ice40Bitstream:
    """``device`` as IceStorm calls it, like ``5k``; ``tiles`` (x, y) → bool (rows, columns);
    ``memories`` (x, y) → uint16 (256,); ``extra`` (bank, x, y) of bits outside of all tiles."""

    device: str
    tiles: dict[tuple[int, int], npt.NDArray[np.bool_]]
    memories: dict[tuple[int, int], npt.NDArray[np.uint16]]
    extra: frozenset[tuple[int, ...]]

    def grid(self, width: int, height: int) -> npt.NDArray[np.bool_]:
        """(width, height, :data:`ROWS`, :data:`COLUMNS`): all tiles, padded with False."""
        bits = np.zeros((width, height, ROWS, COLUMNS), np.bool_)
        for (x, y), tile in self.tiles.items():
            bits[x, y, : tile.shape[0], : tile.shape[1]] = tile
        return bits


def read_bitstream(path: Path) -> Ice40Bitstream:
    """What ``iceunpack`` makes of a bitstream.

    Raises
    ------
    ToolError
        If iceunpack is missing, or does not take the file.
    """
    tool = find_tool("iceunpack")
    try:
        # Relative, because YoWASP's tools see no other folder than the one they run in.
        done = subprocess.run([tool.path, path.name], cwd=path.parent, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise ToolError(f"{tool.path} does not run ({error}); install it again") from error
    if done.returncode != 0 or ".device" not in done.stdout:
        raise ToolError(
            f"{path} is no bitstream that iceunpack takes ({done.stderr.strip()[-200:]}); "
            f"build the board again"
        )
    return parse(done.stdout)


def parse(text: str) -> Ice40Bitstream:
    """IceStorm's text form of a bitstream."""
    device, tiles, memories, extra = "", {}, {}, set()
    for block in text.split("\n."):
        head, *lines = block.lstrip(".").rstrip().splitlines()
        keyword, *numbers = head.split()
        if keyword == "device":
            device = numbers[0]
        elif keyword == "extra_bit":
            extra.add(tuple(map(int, numbers)))
        elif keyword == "ram_data":
            x, y = map(int, numbers)
            # 16 words a line, the last one first.
            memories[x, y] = np.array(
                [int(line[at : at + 4], 16) for line in lines for at in range(60, -1, -4)],
                np.uint16)
        elif keyword.endswith("_tile"):
            x, y = map(int, numbers)
            tiles[x, y] = np.array([[bit == "1" for bit in line] for line in lines], np.bool_)
    return Ice40Bitstream(device, tiles, memories, frozenset(extra))
