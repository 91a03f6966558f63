"""Writing a built bitstream to a board: which tool, which board of those plugged in, and how."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..gen.errors import SpikewrightError, ToolError, one_line
from .programmer import Programmer
from .registry import Board
from .usb import UsbDevice, UsbId

#: Seconds that a tool may take; flash of 16 MB is written in two minutes.
_LIMIT = 600


class ProgramError(SpikewrightError):
    """A board that cannot be told from others, or is written to in a way that it does not know."""


@dataclass(frozen=True)
class Plan:
    """What will be run. ``program``: the tool's path, None if it is not installed; ``device``: the
    board that was chosen, None if none was seen."""

    programmer: Programmer
    program: str | None
    arguments: tuple[str, ...]
    device: UsbDevice | None
    permanent: bool

    @property
    def command(self) -> str:
        """The command line, for a shell."""
        return shlex.join([self.program or self.programmer.tool, *self.arguments])

    def run(self) -> str:
        """Writes the bitstream, and returns what the tool said.

        Raises
        ------
        ToolError
            If the tool is missing, or fails, with its last words.
        """
        if self.program is None:
            raise ToolError(_missing([self.programmer]))
        try:
            done = subprocess.run(
                [self.program, *self.arguments], stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                timeout=_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{self.command} did not end in {_LIMIT} s; unplug the board, plug it "
                            f"in again and repeat") from error
        except OSError as error:
            raise ToolError(f"{self.program} does not run ({error}); install it again: "
                            f"{self.programmer.install}") from error
        if done.returncode != 0:
            last = one_line(" ".join(done.stdout.split())[-180:])
            raise ToolError(
                f"{self.command} failed with exit code {done.returncode} ({last}); check that the "
                f"board is plugged in and that you may use its USB device (on Linux: udev rules)")
        return done.stdout


def plan(
    board: Board, bitstream: Path, devices: Sequence[UsbDevice], *,
    permanent: bool = False, tool: str | None = None, device: str | None = None,
    must_run: bool = True,
) -> Plan:
    """How ``bitstream`` comes onto ``board``, with ``devices`` plugged in.

    ``permanent``: into flash; else into the part alone if any tool can, and into flash if none can.
    ``tool``: the tool to use, by default the first of the board's that is installed.
    ``device``: USB path, serial number or serial port of one of several boards. ``must_run``: a
    plan whose tool is not installed is refused; else it is made for the board's first tool.

    Raises
    ------
    ProgramError
        If several boards are plugged in and none was chosen, the chosen one is not there, the tool
        is not one of the board's, or the board cannot be written like that.
    ToolError
        If no tool is installed.
    """
    able = _able(board, permanent, tool)
    found = [(programmer, _find(programmer)) for programmer in able]
    programmer, program = next((each for each in found if each[1] is not None), found[0])
    if program is None and must_run:
        raise ToolError(_missing(able))
    chosen = _choose(board, devices, device)
    if chosen is None and programmer.must_select:
        raise ProgramError(f"no {board.name} is plugged in (USB {_ids(board.usb)}), and "
                           f"{programmer.tool} needs its serial port; plug it in")
    several = len(_matching(devices, board.usb)) > 1
    if several and programmer.select is None:
        raise ProgramError(f"{programmer.tool} cannot choose one of several boards; leave only one "
                           f"plugged in")
    if several and chosen is not None and not _selectable(programmer, chosen):
        raise ProgramError(f"the system does not tell {programmer.tool} where {chosen} is; leave "
                           f"only one board plugged in")
    # Alone, a board is found by the tool itself.
    named = chosen if several or device is not None or programmer.must_select else None
    to_flash = permanent or programmer.volatile is None
    return Plan(programmer, program,
                tuple(programmer.arguments(str(bitstream), named, permanent=to_flash)), chosen,
                to_flash)


def _able(board: Board, permanent: bool, tool: str | None) -> list[Programmer]:
    """The board's tools that can do what is asked for, in order."""
    tools = [each for each in board.programmers if tool in (None, each.tool)]
    if not tools:
        names = " or ".join(each.tool for each in board.programmers)
        raise ProgramError(f"{board.name} is not programmed with {tool}; use {names}")
    able = [each for each in tools if not permanent or each.permanent is not None]
    if not able:
        raise ProgramError(f"{tools[0].tool} does not write the flash of {board.name}; leave out "
                           f"--flash")
    return able


def _find(programmer: Programmer) -> str | None:
    given = os.environ.get(programmer.variable)
    path = shutil.which(given or programmer.tool)
    if given and path is None:
        raise ToolError(f"{programmer.variable} names {given}, which is no program; unset it, or "
                        f"install {programmer.tool}: {programmer.install}")
    return path


def _missing(programmers: Sequence[Programmer]) -> str:
    return "; ".join(f"{each.tool} is not installed: {each.install}" for each in programmers) + (
        "" if len(programmers) == 1 else "; one of them is enough")


def _matching(devices: Sequence[UsbDevice], ids: Sequence[UsbId]) -> list[UsbDevice]:
    return [device for device in devices
            if any((device.vendor, device.product) == (each.vendor, each.product)
                   for each in ids)]


def _choose(board: Board, devices: Sequence[UsbDevice], name: str | None) -> UsbDevice | None:
    """The device to use; None if none of the board's kind is to be seen."""
    matching = _matching(devices, board.usb)
    if name is not None:
        named = [device for device in matching if device.is_called(name)]
        if len(named) != 1:
            listed = ", ".join(map(str, matching)) or "none"
            raise ProgramError(f"no board {name!r} is plugged in that could be a {board.name} "
                               f"(USB {_ids(board.usb)}); there is: {listed}")
        return named[0]
    if len(matching) <= 1:
        return matching[0] if matching else None
    telling = [device for device in matching
               if any(each.says and each.says.lower() in device.description.lower()
                      for each in board.usb)]
    if len(telling) == 1:
        return telling[0]
    raise ProgramError(f"{len(matching)} boards could be the {board.name}: "
                       f"{', '.join(map(str, matching))}; choose with --device and a USB path, "
                       f"serial number or port")


def _selectable(programmer: Programmer, device: UsbDevice) -> bool:
    asked = " ".join(programmer.select or ())
    return all(value for name, value in vars(device).items() if f"{{{name}}}" in asked)


def _ids(ids: Sequence[UsbId]) -> str:
    return " or ".join(map(str, ids))
