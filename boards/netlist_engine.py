"""Built boards, simulated as they are: the netlist, spoken to over the serial line.

What runs is the very design that a board is programmed with, its real divisor included, so nothing
is seen but what a board's host sees: scores, predictions and counters, of which all are reported.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..gen.compiled.engine import cycle_limit
from ..gen.compiled.tools import cores
from ..gen.counters import NETWORK_COUNTERS
from ..gen.engines import Options
from ..gen.errors import SpikewrightError
from ..gen.plan import LayerPlan, layer_plans
from ..gen.spec import NetworkSpec
from ..gen.trace import Trace
from ..gen.training import shape_digest
from .answers import counters_of, trace
from .frames import CRC_BYTES
from .host import FrameCounter, Pong, Reply, ReplyParser, encode_inference, encode_load, split
from .loads import board_image
from .netlists.built import Built, Stage
from .netlists.serial import Turn, converse, program
from .protocol import Command, Identity, WrongBitstreamError

#: Seconds at power-on before the first byte: the bitstream's own reset takes 15 µs.
_SETTLE = 1e-4

_BITS = 10  # of a byte on the wire

#: Cycles from a request to the first byte of an answer that has to be gathered first.
_GATHER = 1024


def run(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """The ``netlist`` engine: after place-and-route; of an iCE40, the bitstream itself.

    ``options.build`` is the folder of the built board; see :func:`spikewright.gen.simulate`.

    Raises
    ------
    SpikewrightError
        If it is missing, of another network, or uses what cannot be simulated; if a tool is
        missing or fails; if the design complains, or does not answer.
    """
    return _run("netlist", "placed", spec, signals, options)


def run_synthesised(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """The ``synthesis`` engine: like :func:`run`, but before place-and-route."""
    return _run("synthesis", "synthesis", spec, signals, options)


def _run(
    engine: str, stage: Stage, spec: NetworkSpec, signals: npt.NDArray, options: Options
) -> Trace:
    if options.build is None:
        raise SpikewrightError(
            f"engine {engine} simulates a built board: spikewright build RUN --board B, then "
            f"spikewright check RUN --engines {engine} --board B (in Python: build=FOLDER)"
        )
    if options.waveform is not None:
        raise SpikewrightError(f"engine {engine} records no waveform; use verilator or amaranth")
    built = Built.open(options.build)
    plans = layer_plans(spec, built.folding(spec))
    hardware = _hardware(built.folder, built.figures["design"], stage)
    board = _SimulatedBoard(hardware, built, spec, plans)
    count = len(signals)
    processes = min(options.processes or cores(), count)
    bounds = [count * n // processes for n in range(processes + 1)]
    lock = threading.Lock()

    def progress() -> None:
        with lock:
            options.progress(1)

    with ThreadPoolExecutor(processes) as pool:
        jobs = [pool.submit(board.infer, signals[low:high], progress)
                for low, high in pairwise(bounds)]
        replies = [reply for job in jobs for reply in job.result()]
    return trace(engine, plans, replies)


@lru_cache(maxsize=4)
def _hardware(folder: Path, design: str, stage: Stage) -> tuple[Path, dict[str, list[int]]]:
    """The program that is the ``design`` built in ``folder``, and what its memories start with."""
    hardware = Built.open(folder).verilog(stage)
    return program(hardware), hardware.memories


class _SimulatedBoard:
    """Runs samples on ``hardware``, as the host of ``built`` would."""

    def __init__(
        self, hardware: tuple[Path, dict[str, list[int]]], built: Built, spec: NetworkSpec,
        plans: tuple[LayerPlan, ...],
    ):
        self._hardware, self._spec, self._plans = hardware, spec, plans
        self._board = board = built.board
        self._image = board_image(spec, built.folding(spec), spec)
        self._identity = Identity.of(
            spec, ways=plans[0].synapses.ways, score_bits=plans[-1].widths.score,
            counter_words=len(plans) * len(counters_of(plans)) + len(NETWORK_COUNTERS),
            window=board.window - CRC_BYTES, buffer=board.buffer,
            shape=shape_digest(spec, built.folding(spec)), load_bytes=len(self._image),
            clock_hz=round(board.clock_hz),
        )

    def infer(self, samples: npt.NDArray, done: Callable[[], None]) -> list[tuple[Any, ...]]:
        """Result and counters of each sample, alone on the board; ``done`` is called after each.

        Raises
        ------
        SpikewrightError
            If the design is of another network, complains, or does not answer.
        """
        frames = FrameCounter()
        turns = []
        if self._image:
            turns += [Turn(frames.commands(piece + bytes([Command.PING])), 1)
                      for piece in encode_load(self._image)]
        turns.append(Turn(frames.commands(bytes([Command.IDENTIFY])), 1))
        ends = set()
        for sample in samples:
            turns += self._inference(frames, sample)
            ends.add(len(turns) - 1)
        parser = ReplyParser()
        replies: list[Reply] = []

        def answered(number: int, answer: bytes) -> None:
            for reply in parser.feed(answer):
                if isinstance(reply, Identity):
                    reply.expect(self._spec)
                    if reply != self._identity:
                        raise WrongBitstreamError(
                            f"the design says {reply}, but its build is {self._identity}")
                elif not isinstance(reply, Pong):
                    replies.append(reply)
            if number in ends:
                done()

        divisor = self._board.divisor
        converse(
            *self._hardware, turns, divisor=divisor,
            settle=round(_SETTLE * self._board.clock_hz),
            limit=cycle_limit(self._spec, self._plans, samples.shape[1])
            + 2 * _BITS * divisor + _GATHER,
            answered=answered,
        )
        return list(zip(replies[::2], replies[1::2], strict=True))

    def _inference(self, frames: FrameCounter, sample: npt.NDArray) -> Iterator[Turn]:
        """``sample`` in pieces that the board's window holds, then its counters."""
        identity = self._identity
        data = bytes([Command.CLEAR]) + encode_inference(self._spec, sample, identity.ways)
        # Each piece has a PING behind it.
        *pieces, rest = split(data, identity.window - 1, valued=identity.value_bits > 0)
        for piece in pieces:
            yield Turn(frames.commands(piece + bytes([Command.PING])), 1)
        yield Turn(frames.commands(rest + bytes([Command.COUNTERS])), 2)
