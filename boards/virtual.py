"""Boards that nobody has to own: the design of a real one, compiled, behind a pseudo-terminal.

What runs is :class:`~.top.BoardTop`, the serial line of its pins included. It differs from what is
built for the board in what lies around it: the clock is there at once and needs no loop, pins have
no cells, and weights that an iCE40 UltraPlus keeps in its large memories are in an ordinary one,
which starts empty as well.

Time is that of the design and passes only while bytes do, or while there may be an answer to come:
it stands still between two samples, and runs as fast as the simulator can. So results, spikes and
whatever else the counters count do not depend on the speed of any machine, except where they do on
a real board: cycles of an inference that is longer than the board's buffer depend on when its bytes
come, and the board says so (``spilled``).
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal
from amaranth.lib import io

from ..gen.compiled.compiler import Design
from ..gen.compiled.memories import lifted
from ..gen.cycles import cycle_limit
from ..gen.errors import ToolError
from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .netlists.serial import compiled_line, line_job
from .protocol import MAX_PASSES, LinkError
from .registry import Board
from .top import BoardTop
from .wires import SPI

PROGRAM = Path(__file__).with_name("virtual.cpp")

#: Cycles at power-on before the first byte.
_SETTLE = 16

#: Cycles in which a design that is not active may still gather an answer.
_GATHER = 4096

#: The C++ compiler's -O.
OPTIMISE = 2

#: Seconds that the program may take to end.
_PATIENCE = 5


class VirtualTop(Elaboratable):
    """:class:`~.top.BoardTop` whose pins are the ports ``clk``, ``rx`` and ``tx``; ``active`` is
    that of :class:`~.top.LinkedAccelerator`."""

    def __init__(self, board: Board, spec: NetworkSpec, folding: Folding, *,
                 watchdog: bool = False, observe: bool = False):
        # An oscillator of that clock needs no loop.
        self.top = BoardTop(replace(board, oscillator_hz=board.clock_hz), spec, folding,
                            watchdog=watchdog, observe=observe)
        self.clk, self.tx, self.active = (Signal(name=name) for name in ("clk", "tx", "active"))
        self.rx = Signal(init=1)
        self.ports = [self.clk, self.rx, self.tx, self.active]
        self._uart = SimpleNamespace(rx=io.SimulationPort("i", 1), tx=io.SimulationPort("o", 1))

    def request(self, name: str, number: int, *, dir: Any) -> Any:
        """What the top takes for a platform's pins; lights shine unseen."""
        if name == "uart":
            return self._uart
        if isinstance(dir, dict):
            return SimpleNamespace(**{part: io.SimulationPort("o", 1) for part in dir})
        return io.SimulationPort("o", 1)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = clock = ClockDomain()
        m.submodules.top = Fragment.get(self.top, self)
        m.d.comb += [
            clock.clk.eq(self.clk), self._uart.rx.i.eq(self.rx), self.tx.eq(self._uart.tx.o),
            self.active.eq(self.top.accelerator.active),
        ]
        return m


@dataclass(frozen=True)
class Served:
    """What a virtual board did: ``cycles`` of its clock in ``seconds`` of ours; bytes that it
    received and sent, and how many of these were ``dropped`` because nobody read them."""

    cycles: int
    received: int
    sent: int
    dropped: int
    seconds: float


@lru_cache(maxsize=4)
def _made(spec: NetworkSpec, board: Board, folding: Folding, watchdog: bool, observe: bool
          ) -> tuple[Path, bytes]:
    """The program that is the board, and its job."""
    top = VirtualTop(board, spec, folding, watchdog=watchdog, observe=observe)
    text, memories = lifted(rtlil.convert(top, name="top", ports=top.ports, emit_src=False))
    program = compiled_line(
        Design(text, tuple(port.name for port in top.ports),
               tuple(memory.name for memory in memories)), PROGRAM, optimise=OPTIMISE)
    accelerator = top.top.accelerator
    # A batch is as many inferences as there are beats in the buffer, at most.
    limits = (MAX_PASSES * board.buffer
              * cycle_limit(spec, accelerator.network.plans, accelerator.identity.timesteps),
              _GATHER + 40 * board.divisor)
    job = line_job(
        {memory.name: (memory.image.shape[1], memory.image.tobytes()) for memory in memories},
        divisor=board.divisor, settle=_SETTLE)
    return program, job + b"".join(limit.to_bytes(8, "little") for limit in limits)


class VirtualBoard:
    """``spec``, folded by ``folding``, on ``board``, at a terminal that any serial program opens.

    Like a board it goes on when a program closes the terminal, wherever in a frame that was, and
    waits for the next. Bytes that nobody reads are kept, 64 KiB of them.

    Parameters
    ----------
    divisor : int, optional
        Clock cycles per bit, those of the board by default. The design is the same but for this
        number; with fewer, less of the simulator's time is spent on the wire.
    watchdog, observe : bool
        As of :class:`~.top.LinkedAccelerator`.

    Attributes
    ----------
    device : str
        The terminal's path.
    divisor : int

    Raises
    ------
    ToolError
        If there is no C++ compiler, or it fails.
    LinkError
        If this operating system has no pseudo-terminals, or the board's host is at no serial line.
    BaudError
        If a bit is to last fewer cycles than it can.
    """

    def __init__(self, spec: NetworkSpec, board: Board, folding: Folding, *,
                 divisor: int | None = None, watchdog: bool = False, observe: bool = False):
        self._process: subprocess.Popen[str] | None = None
        self._served: Served | None = None
        if board.link == SPI:
            raise LinkError(f"{board.name} was built for an SPI controller, and virtual boards "
                            f"have a serial line; use --simulated, or build with --link uart")
        if divisor is not None:
            board = replace(board, baud=board.clock_hz / divisor)
        self.divisor = board.divisor
        self._start(*_made(spec, board, folding, watchdog, observe))

    def _start(self, program: Path, content: bytes) -> None:
        try:
            import tty

            ours, self._theirs = os.openpty()
        except (ImportError, AttributeError, OSError) as error:
            raise LinkError(f"a virtual board needs a pseudo-terminal, which Linux and macOS have "
                            f"({error}); use one of these systems, or --simulated") from error
        tty.setraw(self._theirs)
        self.device = os.ttyname(self._theirs)
        self._folder = tempfile.TemporaryDirectory(prefix="spikewright-")
        job = Path(self._folder.name) / "job"
        job.write_bytes(content)
        self._begun = time.monotonic()
        try:
            # Interrupts from the keyboard are for us, who end the program.
            self._process = subprocess.Popen([program, job], stdin=ours, stdout=ours,
                                             stderr=subprocess.PIPE, text=True,
                                             start_new_session=True)
        finally:
            os.close(ours)

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._process is not None and self._served is None:
            self._process.kill()

    def wait(self) -> None:
        """Returns when the board has stopped by itself, which it does only if something is wrong.

        Raises
        ------
        ToolError
            With what.
        """
        assert self._process is not None
        self._process.wait()
        self.close()
        raise ToolError("the virtual board stopped without being told to; start it again")

    def close(self) -> Served:
        """Switches the board off, and tells what it did. Closing twice is allowed.

        Raises
        ------
        ToolError
            If it had stopped before, with what it said.
        """
        if self._served is not None:
            return self._served
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        os.close(self._theirs)
        try:
            _, said = self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, said = self._process.communicate()
        seconds = time.monotonic() - self._begun
        self._served = Served(0, 0, 0, 0, seconds)
        self._folder.cleanup()
        with contextlib.suppress(ValueError):
            cycles, received, sent, dropped = map(int, said.split())
            self._served = Served(cycles, received, sent, dropped, seconds)
            return self._served
        raise ToolError(f"the virtual board stopped ({said.strip() or 'killed'}); please report it")
