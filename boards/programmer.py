"""The tools that write a bitstream to a board, and how each is told what to write where.

Arguments are as the tools' own help has them: iceprog 0~20230218, openFPGALoader 0.10 (board names:
its ``src/board.hpp``), dfu-util 0.11, tinyprog 1.0.21, icesprog 1.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .usb import UsbDevice

#: In arguments, what stands for the file, and for each part of the device that was chosen.
BITSTREAM = "{bitstream}"


@dataclass(frozen=True, kw_only=True)
class Programmer:
    """A tool, for one board.

    Attributes
    ----------
    tool
        What it is called on PATH; the environment variable of that name in capitals overrides it.
    install
        How to get it.
    volatile, permanent
        Arguments that fill the part's configuration memory until power is off, and its flash; None
        if the tool cannot. ``{bitstream}`` is the file.
    select
        Arguments that choose one of several boards: ``{bus}``, ``{number}``, ``{path}``,
        ``{port}`` of the :class:`~.usb.UsbDevice`. None if the tool takes whichever it finds.
    """

    tool: str
    install: str
    volatile: tuple[str, ...] | None = None
    permanent: tuple[str, ...] | None = None
    select: tuple[str, ...] | None = None
    #: The tool cannot do without a chosen device.
    must_select: bool = field(default=False)

    @property
    def variable(self) -> str:
        """Environment variable that names another program."""
        return self.tool.upper().replace("-", "_")

    def arguments(
        self, bitstream: str, device: UsbDevice | None, *, permanent: bool
    ) -> list[str]:
        """What the tool is called with."""
        how = self.permanent if permanent else self.volatile
        assert how is not None
        chosen: Sequence[str] = self.select or () if device is not None else ()
        values = {} if device is None else {
            "bus": f"{device.bus:03}", "number": f"{device.number:03}", "path": device.path,
            "port": device.port}
        # The device first: cp has its destination last.
        listed = [*how, *chosen] if self.tool == "cp" else [*chosen, *how]
        return [argument.format(bitstream=bitstream, **values) for argument in listed]


def iceprog(*, volatile: bool = False) -> Programmer:
    """For boards whose FTDI chip is wired to the flash of an iCE40; ``volatile`` if jumpers can
    wire it to the part itself."""
    return Programmer(
        tool="iceprog", install="apt install fpga-icestorm, brew install icestorm, or the OSS CAD "
                                "Suite",
        volatile=("-S", BITSTREAM) if volatile else None, permanent=(BITSTREAM,),
        select=("-d", "d:{bus}/{number}"))


def open_fpga_loader(*board: str, volatile: bool = True) -> Programmer:
    """``board``: the arguments that name the board, or its cable."""
    return Programmer(
        tool="openFPGALoader", install="apt install openfpgaloader, brew install openfpgaloader, "
                                       "or the OSS CAD Suite",
        volatile=(*board, "-m", BITSTREAM) if volatile else None,
        permanent=(*board, "-f", BITSTREAM), select=("--busdev-num", "{bus}:{number}"))


def dfu_util(vendor: int, product: int) -> Programmer:
    """For boards whose bootloader speaks USB's own protocol for firmware."""
    return Programmer(
        tool="dfu-util", install="apt install dfu-util or brew install dfu-util",
        permanent=("-d", f"{vendor:04x}:{product:04x}", "-a", "0", "-D", BITSTREAM),
        select=("-p", "{path}"))


TINYPROG = Programmer(tool="tinyprog", install="pip install tinyprog",
                      permanent=("-p", BITSTREAM), select=("-c", "{port}"))
ICESPROG = Programmer(
    tool="icesprog", install="build it from https://github.com/wuxx/icesugar (tools)",
    permanent=(BITSTREAM,))
#: The board's controller takes a bitstream from its serial port.
COPY = Programmer(tool="cp", install="any system has it but Windows", volatile=(BITSTREAM,),
                  select=("{port}",), must_select=True)
