"""Compiled designs of boards, spoken to over their two wires."""

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...gen.compiled.compiler import Design, compiled
from ...gen.compiled.tools import verilator
from ...gen.errors import SpikewrightError, ToolError

#: The design and its wires, for programs that come behind it, and one of them.
LINE, PROGRAM = (Path(__file__).with_name(name) for name in ("line.hpp", "serial.cpp"))

#: Ports of what is simulated.
PORTS = ("clk", "rx", "tx")


class SilentBoardError(SpikewrightError):
    """A simulated board did not answer."""


@dataclass(frozen=True)
class Turn:
    """``data`` is sent, then ``answers`` frames, each up to a 0x00, are waited for."""

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
    # Of a netlist, more takes several times as long to compile, and is no faster.
    return compiled_line(
        Design(hardware.text, PORTS, tuple(hardware.memories), top=hardware.top,
               language="verilog"), PROGRAM, optimise=1)


def compiled_line(design: Design, behind: Path, *, optimise: int) -> Path:
    """The binary of what stands in ``behind``, a program that drives the two wires of ``design``;
    by what and with what errors, see :func:`program`."""
    try:
        verilator()
        simulator = "verilator"
    except ToolError:
        simulator = "cxxrtl"
    text = "\n".join(part.read_text(encoding="utf-8") for part in (LINE, behind))
    return compiled(design, text, simulator, optimise=optimise)


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
    words = [line_job({name: (8, np.array(content, "<u8").tobytes())
                       for name, content in memories.items()}, divisor=divisor, settle=settle),
             _word(limit)]
    for turn in turns:
        words += [_bytes(turn.data), _word(turn.answers)]
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
                    if len(head) < 16 or answer.count(0) < turn.answers:
                        said = process.stderr.read().decode(errors="replace").strip()
                        raise SilentBoardError(
                            said or f"the board was sent {len(turn.data)} bytes (turn {number}) "
                            f"and answered {answer.count(0)} of {turn.answers} frames in {limit} "
                            f"cycles"
                        )
                    cycles = int.from_bytes(head[:8], "little")
                    answered(number, answer)
            except BaseException:
                process.kill()
                raise
    return cycles


def line_job(
    memories: Mapping[str, tuple[int, bytes]], *, divisor: int, settle: int
) -> bytes:
    """What the job of a program begins with. ``memories``: name → (bytes of a word, what the memory
    starts with); the others are as in :func:`converse`."""
    words = [_word(number) for number in (divisor, settle, len(memories))]
    for name, (each, content) in memories.items():
        words += [_bytes(name.encode()), _word(each), _bytes(content)]
    return b"".join(words)


def _word(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _bytes(content: bytes) -> bytes:
    return _word(len(content)) + content + bytes(-len(content) % 8)
