"""Compiled designs of boards, spoken to over their two wires."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...gen.compiled.compiler import Design, compiled
from ...gen.compiled.tools import verilator
from ...gen.errors import SpikewrightError, ToolError

PROGRAM = Path(__file__).with_name("serial.cpp")

#: Ports of what is simulated.
PORTS = ("clk", "rx", "tx")


class SilentBoardError(SpikewrightError):
    """A simulated board did not answer."""


@dataclass(frozen=True)
class Turn:
    """``data`` is sent, then ``answers`` bytes are waited for."""

    data: bytes
    answers: int


@dataclass(frozen=True)
class Hardware:
    """Verilog ``text`` whose module ``top`` has the ports :data:`PORTS`; ``memories`` of it have
    to be filled first, name → words."""

    text: str
    top: str
    memories: dict[str, list[int]]


def program(hardware: Hardware) -> Path:
    """The binary that speaks with ``hardware``.

    Made by Verilator, or by CXXRTL where there is none, and kept.

    Raises
    ------
    ToolError
        If there is no C++ compiler, or it fails.
    """
    try:
        verilator()
        simulator = "verilator"
    except ToolError:
        simulator = "cxxrtl"
    # Of a netlist, more takes several times as long to compile, and is no faster.
    return compiled(
        Design(hardware.text, PORTS, tuple(hardware.memories), top=hardware.top,
               language="verilog"),
        PROGRAM.read_text(encoding="utf-8"), simulator, optimise=1)


def converse(
    program: Path, memories: dict[str, list[int]], turns: Sequence[Turn], *, divisor: int,
    settle: int, limit: int, answered: Callable[[int, bytes], None],
) -> int:
    """Sends ``turns`` to hardware whose ``memories`` start like this; ``answered`` is called with
    the number of each turn and its answer. Returns how many cycles they took.

    ``divisor`` is cycles per bit, ``settle`` cycles before the first byte, ``limit`` how long
    the next byte of an answer may take.

    Raises
    ------
    SilentBoardError
        If an answer is not complete in time, or bytes are malformed.
    """
    words = [_word(number) for number in (divisor, settle, limit, len(memories))]
    for name, content in memories.items():
        words += [_word(len(name)), name.encode(), bytes(-len(name) % 8), _word(len(content)),
                  np.array(content, "<u8").tobytes()]
    for turn in turns:
        words += [_word(len(turn.data)), turn.data, bytes(-len(turn.data) % 8),
                  _word(turn.answers)]
    with tempfile.TemporaryDirectory(prefix="spikewright-") as folder:
        job = Path(folder) / "job"
        job.write_bytes(b"".join(words))
        with subprocess.Popen([program, job], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                cycles = 0
                for number, turn in enumerate(turns):
                    head = process.stdout.read(16)
                    answer = process.stdout.read(int.from_bytes(head[8:], "little"))
                    if len(head) < 16 or len(answer) < turn.answers:
                        said = process.stderr.read().decode(errors="replace").strip()
                        raise SilentBoardError(
                            said or f"the board was sent {len(turn.data)} bytes (turn {number}) "
                            f"and answered {len(answer)} of {turn.answers} bytes in {limit} cycles"
                        )
                    cycles = int.from_bytes(head[:8], "little")
                    answered(number, answer)
            except BaseException:
                process.kill()
                raise
    return cycles


def _word(number: int) -> bytes:
    return number.to_bytes(8, "little")
