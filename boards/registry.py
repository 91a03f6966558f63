"""The boards that bitstreams can be built for, and what their parts hold."""

import importlib
from dataclasses import dataclass, field

from amaranth.build import Platform

from ..gen.errors import SpikewrightError
from .uart import baud_divisor


class UnknownBoardError(SpikewrightError):
    """A board that is not in the registry."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What an FPGA holds. ``logic``: 4-input LUTs, with a flip-flop each. ``blocks``: memories;
    ``large``: the UltraPlus' large ones."""

    device: str
    logic: int
    blocks: int
    multipliers: int
    large: int = 0


@dataclass(frozen=True, kw_only=True)
class Family:
    """Tools of a family of parts, and what their cells are called.

    ``blocks``: the shapes (width in bits, depth) that a block memory can take. ``cells``: nextpnr's
    name of a resource → our name, for those worth showing.
    """

    name: str
    tools: tuple[str, ...]
    bitstream: str
    blocks: tuple[tuple[int, int], ...]
    cells: dict[str, str] = field(hash=False)

    @property
    def block_bits(self) -> int:
        """Most bits that one block memory holds."""
        return max(width * depth for width, depth in self.blocks)


ICE40 = Family(
    name="ice40", tools=("yosys", "nextpnr-ice40", "icepack"), bitstream="top.bin",
    blocks=((2, 2048), (4, 1024), (8, 512), (16, 256)),
    cells={"ICESTORM_LC": "logic cells", "ICESTORM_RAM": "block memories",
           "ICESTORM_SPRAM": "large memories", "ICESTORM_DSP": "multipliers"},
)
ECP5 = Family(
    name="ecp5", tools=("yosys", "nextpnr-ecp5", "ecppack"), bitstream="top.bit",
    blocks=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)),
    cells={"TRELLIS_COMB": "LUTs", "TRELLIS_FF": "flip-flops", "DP16KD": "block memories",
           "MULT18X18D": "multipliers"},
)


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board that a bitstream can be built for.

    ``platform``: ``module:class`` of its Amaranth platform. ``clock_hz``: the clock the design runs
    at. ``baud``: of its serial line. ``window``, ``buffer``: see
    :class:`~spikewright.boards.top.SerialAccelerator`; each fills whole block memories.
    """

    name: str
    description: str
    family: Family
    part: Part
    platform: str
    clock_hz: int
    baud: int = 1_000_000
    window: int = 512
    buffer: int = 512

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the serial line."""
        return baud_divisor(self.clock_hz, self.baud)

    def make_platform(self) -> Platform:
        """A fresh Amaranth platform; one is needed for every build."""
        module, name = self.platform.split(":")
        return getattr(importlib.import_module(module), name)()


def _ulx3s(size: str, logic: int, blocks: int, multipliers: int) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        description=f"Radiona ULX3S with an ECP5 LFE5U-{size}",
        family=ECP5,
        part=Part(device=f"LFE5U-{size}", logic=logic, blocks=blocks,
                  multipliers=multipliers),
        platform=f"amaranth_boards.ulx3s:ULX3S_{size}_Platform",
        clock_hz=25_000_000,
        buffer=2048,
    )


#: Smallest part first.
BOARDS = (
    Board(
        name="icebreaker",
        description="1BitSquared iCEBreaker with an iCE40UP5K",
        family=ICE40,
        part=Part(device="iCE40UP5K", logic=5280, blocks=30, multipliers=8, large=4),
        platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
        clock_hz=12_000_000,
    ),
    _ulx3s("12F", 24288, 56, 28),
    _ulx3s("25F", 24288, 56, 28),
    _ulx3s("45F", 43848, 108, 72),
    _ulx3s("85F", 83640, 208, 156),
)


def find_board(name: str) -> Board:
    """The board called ``name``; UnknownBoardError, listing all, if there is none."""
    for board in BOARDS:
        if board.name == name:
            return board
    raise UnknownBoardError(
        f"board {name!r} is unknown; available are {', '.join(board.name for board in BOARDS)}"
    )
