"""The boards that bitstreams can be built for, and what their parts hold."""

import importlib
from dataclasses import dataclass, field, replace
from functools import cached_property

from amaranth.build import Platform

from ..gen.errors import SpikewrightError
from .pll import Ecp5Loop, Ice40Loop, Setting
from .programmer import (
    COPY,
    ICESPROG,
    TINYPROG,
    Programmer,
    dfu_util,
    iceprog,
    open_fpga_loader,
)
from .uart import MAX_BAUD_ERROR, MIN_DIVISOR, baud_divisor
from .usb import UsbId
from .wires import PMOD, SPI, UART, SpiWires, Wires


class UnknownBoardError(SpikewrightError):
    """A board that is not in the registry, or a link that it has no pins for."""


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
    """Tools of a family of parts, what makes its clocks, and what its cells are called.

    ``blocks``: the shapes (width in bits, depth) that a block memory can take. ``block_price``:
    what Yosys holds one to be worth, in LUTs. ``table``: what netlists call a truth table.
    ``cells``: nextpnr's name of a resource → our name, for those worth showing.
    """

    name: str
    tools: tuple[str, ...]
    bitstream: str
    blocks: tuple[tuple[int, int], ...]
    block_price: int
    loop: Ice40Loop | Ecp5Loop
    table: str
    cells: dict[str, str] = field(hash=False)

    @property
    def block_bits(self) -> int:
        """Most bits that one block memory holds."""
        return max(width * depth for width, depth in self.blocks)

    def blocks_of(self, width: int, depth: int) -> int:
        """Block memories of a memory, in the shape that needs the fewest."""
        return min(-(-width // w) * -(-depth // d) for w, d in self.blocks)

    def in_tables(self, width: int, depth: int) -> bool:
        """Whether Yosys makes tables, 16 bits each, of a read-only memory."""
        return width * depth <= 16 * self.block_price * self.blocks_of(width, depth)


ICE40 = Family(
    name="ice40", tools=("yosys", "nextpnr-ice40", "icepack"), bitstream="top.bin",
    blocks=((2, 2048), (4, 1024), (8, 512), (16, 256)), block_price=64, loop=Ice40Loop(),
    table="SB_LUT4",
    cells={"ICESTORM_LC": "logic cells", "ICESTORM_RAM": "block memories",
           "ICESTORM_SPRAM": "large memories", "ICESTORM_DSP": "multipliers"},
)
ECP5 = Family(
    name="ecp5", tools=("yosys", "nextpnr-ecp5", "ecppack"), bitstream="top.bit",
    blocks=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)), block_price=128,
    loop=Ecp5Loop(), table="LUT4",
    cells={"TRELLIS_COMB": "LUTs", "TRELLIS_FF": "flip-flops", "DP16KD": "block memories",
           "MULT18X18D": "multipliers"},
)


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board that a bitstream can be built for.

    Attributes
    ----------
    platform
        ``module:class`` of its Amaranth platform.
    oscillator_hz, oscillator
        The board's oscillator, and its resource if it is not the platform's default.
    loop_at_pin
        The oscillator is at the pin that belongs to the part's loop, and must enter it there.
    clock_hz
        What the design runs at. In the registry a clock that most designs reach: `fit` counts with
        it, and a build begins with it, before it knows how fast the design is. Equal to
        ``oscillator_hz`` if no loop is used.
    baud
        Of the serial line; ``wires`` where an adapter has to be connected, as the board has none.
    spi
        Where a controller can be connected, if the board has free pins that are known.
    link
        What carries bytes from and to the host: :data:`UART` or :data:`SPI`.
    programmers
        What can write its configuration, in order of preference; see
        :mod:`~spikewright.boards.program`.
    usb
        What its programming interface is known by.
    lights
        ``resource:number[:part]`` of up to two lights.
    window, buffer
        See :class:`~spikewright.boards.top.SerialAccelerator`; each fills whole block memories.
    """

    name: str
    description: str
    family: Family
    part: Part
    platform: str
    oscillator_hz: int
    clock_hz: float
    programmers: tuple[Programmer, ...]
    usb: tuple[UsbId, ...]
    oscillator: str | None = None
    loop_at_pin: bool = False
    baud: int = 1_000_000
    wires: Wires | None = None
    spi: SpiWires | None = None
    link: str = UART
    lights: tuple[str, ...] = ("led:0", "led:1")
    window: int = 512
    buffer: int = 512

    @property
    def programmer(self) -> str:
        """The tool of its first programmer."""
        return self.programmers[0].tool

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the serial line."""
        return baud_divisor(self.clock_hz, self.baud)

    @cached_property
    def setting(self) -> Setting | None:
        """Of the loop that makes ``clock_hz``; None if the oscillator is the clock."""
        if self.clock_hz == self.oscillator_hz:
            return None
        return self.family.loop.fastest(self.oscillator_hz, self.clock_hz * (1 + 1e-9))

    def fastest(self, most_hz: float) -> "Board":
        """This board at the highest clock of at most ``most_hz`` that its loop makes, or its
        oscillator is, and that the baud rate can be divided from.

        Raises
        ------
        ClockError
            If there is none.
        """
        while True:
            setting = self.family.loop.fastest(self.oscillator_hz, most_hz)
            hz = float(setting.hz)
            if hz < self.oscillator_hz <= most_hz:
                return replace(self, clock_hz=self.oscillator_hz)
            divisor = round(hz / self.baud)
            if self.link == SPI or (divisor >= MIN_DIVISOR
                    and abs(hz / divisor / self.baud - 1) <= MAX_BAUD_ERROR):
                return replace(self, clock_hz=hz)
            most_hz = hz * (1 - 1e-9)

    def over(self, link: str) -> "Board":
        """This board with its host at ``link``, "uart" or "spi".

        Raises
        ------
        UnknownBoardError
            If it has no pins for that.
        """
        if link == "uart":
            return replace(self, link=UART)
        others = ", ".join(board.name for board in BOARDS if board.spi is not None)
        if link != "spi":
            raise UnknownBoardError(f"link {link!r} is unknown; there are uart and spi")
        if self.spi is None:
            raise UnknownBoardError(f"{self.name} has no pins for an SPI controller in the "
                                    f"registry; {others} have")
        return replace(self, link=SPI)

    def at_oscillator(self) -> "Board":
        """This board clocked by its oscillator as it is."""
        return replace(self, clock_hz=self.oscillator_hz)

    def make_platform(self) -> Platform:
        """A fresh Amaranth platform, with the serial line ``uart`` 0, and tables for what is
        exchanged in a finished bitstream; one is needed for every build."""
        module, name = self.platform.split(":")
        platform = getattr(importlib.import_module(module), name)()
        platform.table_cell, platform.in_tables = self.family.table, self.family.in_tables
        standard = ({"IO_TYPE": "LVCMOS33"} if self.family is ECP5
                    else {"IO_STANDARD": "SB_LVCMOS"})
        for wires in (self.wires, self.spi if self.link == SPI else None):
            if wires is not None:
                platform.add_resources([wires.resource(standard)])
        return platform


def _ice40(device: str, logic: int, blocks: int, multipliers: int = 0, large: int = 0) -> Part:
    return Part(device=f"iCE40{device}", logic=logic, blocks=blocks, multipliers=multipliers,
                large=large)


UP5K = _ice40("UP5K", 5280, 30, 8, 4)
HX1K = _ice40("HX1K", 1280, 16)
HX8K = _ice40("HX8K", 7680, 32)
LP8K = _ice40("LP8K", 7680, 32)
#: Sold as a part of half the size; the tools know it has all of an HX8K's.
HX4K = _ice40("HX4K", 7680, 32)


def _ecp5(device: str) -> Part:
    size = device.rsplit("-", 1)[1]
    logic, blocks, multipliers = {
        "12F": (24288, 56, 28), "25F": (24288, 56, 28), "45F": (43848, 108, 72),
        "85F": (83640, 208, 156),
    }[size]
    return Part(device=device, logic=logic, blocks=blocks, multipliers=multipliers)


#: Chips between USB and a board, as their makers number them.
FT2232 = UsbId(vendor=0x0403, product=0x6010)
FT232H = UsbId(vendor=0x0403, product=0x6014)
ICELINK = UsbId(vendor=0x1d50, product=0x602b)


def _small(name: str, description: str, part: Part, platform: str, **more) -> Board:
    """A board with an iCE40."""
    return Board(**{
        "name": name, "description": description, "family": ICE40, "part": part,
        "platform": f"amaranth_boards.{platform}", "oscillator_hz": 12_000_000,
        "clock_hz": 24e6 if part is UP5K else 48e6, "usb": (FT2232,),
        "programmers": (iceprog(), open_fpga_loader("-b", "ice40_generic", volatile=False)),
        **more,
    })


def _large(name: str, description: str, device: str, platform: str, **more) -> Board:
    """A board with an ECP5."""
    return Board(**{
        "name": name, "description": description, "family": ECP5, "part": _ecp5(device),
        "platform": f"amaranth_boards.{platform}", "oscillator_hz": 25_000_000, "clock_hz": 75e6,
        "buffer": 2048, **more,
    })


def _ulx3s(size: str) -> Board:
    return _large(f"ulx3s-{size.lower()}", f"Radiona ULX3S with an ECP5 LFE5U-{size}",
                  f"LFE5U-{size}", f"ulx3s:ULX3S_{size}_Platform",
                  programmers=(open_fpga_loader("-b", "ulx3s"),),
                  spi=SpiWires(connector="gpio:0", pins="0+ 1+ 2+ 3+ 4+", where="GP0 to GP4"),
                  usb=(UsbId(vendor=0x0403, product=0x6015, says="ULX3S"),))


def _orangecrab(size: str) -> Board:
    return _large(
        f"orangecrab-{size.lower()}", f"OrangeCrab r0.2 with an ECP5 LFE5U-{size}",
        f"LFE5U-{size}", f"orangecrab_r0_2:OrangeCrabR0_2_{size}Platform",
        oscillator_hz=48_000_000, lights=("rgb_led:0:r", "rgb_led:0:g"),
        programmers=(dfu_util(0x1209, 0x5af0), open_fpga_loader("-b", "orangeCrab",
                                                                volatile=False)),
        usb=(UsbId(vendor=0x1209, product=0x5af0),),
        wires=Wires(rx="0", tx="1", connector="io:0", where="IO0 and IO1 of the Feather header"))


def _ecpix(size: str) -> Board:
    return _large(f"ecpix5-{size.lower()}", f"LambdaConcept ECPIX-5 with an ECP5 LFE5UM5G-{size}",
                  f"LFE5UM5G-{size}", f"ecpix5:ECPIX5{size[:2]}Platform",
                  oscillator_hz=100_000_000, lights=("rgb_led:0:r", "rgb_led:0:g"),
                  programmers=(open_fpga_loader("-b", "ecpix5"),), usb=(FT2232,),
                  spi=SpiWires(connector="pmod:0", pins=PMOD, where="PMOD0 pins 1, 4, 2, 3, 7"))


#: Smallest part first.
BOARDS = (
    _small("icestick", "Lattice iCEstick with an iCE40HX1K", HX1K, "icestick:ICEStickPlatform",
           buffer=256, window=256),
    _small("icebreaker", "1BitSquared iCEBreaker with an iCE40UP5K", UP5K,
           "icebreaker:ICEBreakerPlatform", loop_at_pin=True,
           spi=SpiWires(connector="pmod:0", pins=PMOD, where="PMOD1A pins 1, 4, 2, 3, 7"),
           usb=(UsbId(vendor=0x0403, product=0x6010, says="iCEBreaker"),)),
    _small("icesugar", "MuseLab iCESugar with an iCE40UP5K", UP5K, "icesugar:ICESugarPlatform",
           loop_at_pin=True, programmers=(ICESPROG,), usb=(ICELINK,)),
    _small("upduino-v3", "UPduino 3 with an iCE40UP5K; its jumper OSC must be closed", UP5K,
           "upduino_v3:UpduinoV3Platform", oscillator="clk12",
           lights=("rgb_led:0:r", "rgb_led:0:g"), programmers=(iceprog(),), usb=(FT232H,),
           wires=Wires(rx="10", tx="12", connector="j:0", where="gpio_27 and gpio_35")),
    _small("tinyfpga-bx", "TinyFPGA BX with an iCE40LP8K", LP8K, "tinyfpga_bx:TinyFPGABXPlatform",
           oscillator_hz=16_000_000, lights=("led:0",), programmers=(TINYPROG,),
           usb=(UsbId(vendor=0x1d50, product=0x6130),),
           wires=Wires(rx="1", tx="2", connector="gpio:0", where="pins 1 and 2")),
    _small("blackice-ii", "myStorm BlackIce II with an iCE40HX4K", HX4K,
           "blackice_ii:BlackIceIIPlatform", oscillator_hz=100_000_000, programmers=(COPY,),
           usb=(UsbId(vendor=0x0483, product=0x5740),)),
    _small("hx8k-b-evn", "Lattice iCE40-HX8K breakout board", HX8K,
           "ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform", programmers=(iceprog(volatile=True),),
           spi=SpiWires(connector="j:2", pins="4 5 6 9 10", where="J2 pins 4, 5, 6, 9, 10")),
    _ulx3s("12F"),
    _ulx3s("25F"),
    _large("colorlight-5a-75b", "Colorlight 5A-75B 7.0 with an ECP5 LFE5U-25F", "LFE5U-25F",
           "colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform", lights=(),
           # Through an adapter of the user's own, as Amaranth has it.
           programmers=(open_fpga_loader("-c", "ft232"),), usb=(FT232H,)),
    _large("icesugar-pro", "MuseLab iCESugar-pro with an ECP5 LFE5U-25F", "LFE5U-25F",
           "icesugar_pro:ICESugarProPlatform", lights=("rgb_led:0:r", "rgb_led:0:g"),
           programmers=(ICESPROG,), usb=(ICELINK,)),
    _large("icepi-zero", "Icepi Zero 1.3 with an ECP5 LFE5U-25F", "LFE5U-25F",
           "icepi_zero:IcepiZero1_3Platform", oscillator_hz=50_000_000,
           programmers=(open_fpga_loader("-b", "icepi-zero"),),
           # Where a Raspberry Pi has its SPI0.
           spi=SpiWires(connector="gpio:0", pins="8 11 10 9 25", where="GPIO 8, 11, 10, 9, 25"),
           usb=(UsbId(vendor=0x0403, product=0x6015),)),
    _orangecrab("25F"),
    _ulx3s("45F"),
    _ecpix("45F"),
    _large("versa-ecp5", "Lattice Versa with an ECP5 LFE5UM-45F", "LFE5UM-45F",
           "versa_ecp5:VersaECP5Platform", oscillator_hz=100_000_000,
           # The part must be alone in the chain: the clock chip is bypassed by a jumper.
           programmers=(open_fpga_loader("-c", "ft2232"),), usb=(FT2232,)),
    _ulx3s("85F"),
    _orangecrab("85F"),
    _ecpix("85F"),
    _large("ecp5-5g-evn", "Lattice ECP5-5G evaluation board with an LFE5UM5G-85F",
           "LFE5UM5G-85F", "ecp5_5g_evn:ECP55GEVNPlatform", oscillator_hz=12_000_000,
           programmers=(open_fpga_loader("-b", "ecp5_evn"),), usb=(FT2232,)),
)


def find_board(name: str) -> Board:
    """The board called ``name``; UnknownBoardError, listing all, if there is none."""
    for board in BOARDS:
        if board.name == name:
            return board
    raise UnknownBoardError(
        f"board {name!r} is unknown; available are {', '.join(board.name for board in BOARDS)}"
    )
