"""Boards as `spikewright play` takes them: a window of events in, its answer out."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from ..gen.spec import NetworkSpec
from . import connect
from .host import Result
from .link import Connection


@dataclass(frozen=True)
class PlayedBoard:
    """A board that carries ``spec``; ``holds`` is what has to live as long as it."""

    connection: Connection
    spec: NetworkSpec
    holds: Any = None

    def infer(self, frames: npt.NDArray[Any]) -> Result:
        """The result of one sample, (timesteps, inputs).

        Raises
        ------
        LinkError
            As of :class:`~.link.Connection`.
        """
        (result,) = self.connection.infer(self.spec, [frames])
        return result


def serial(where: str, spec: NetworkSpec) -> PlayedBoard:
    """The board at the serial port ``where``.

    Raises
    ------
    LinkError
        If nobody answers there, or not in this protocol.
    """
    return PlayedBoard(connect(where), spec)


def virtual(where: str, spec: NetworkSpec) -> PlayedBoard:
    """A virtual board called ``where``, an iCEBreaker if that is empty.

    Raises
    ------
    SpikewrightError
        If there is no such board, the network does not fit it, or it cannot be compiled.
    """
    from .fit import default_folding
    from .registry import find_board
    from .virtual import VirtualBoard

    board = find_board(where or "icebreaker")
    made = VirtualBoard(spec, board, default_folding(spec, board))
    return PlayedBoard(connect(made.device, timeout=60), spec, made)
