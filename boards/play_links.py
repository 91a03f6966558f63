"""The links of `spikewright play`: a window of events goes to a board, its answer comes back."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from ..gen.runfolder import RunFolder
from ..gen.spec import NetworkSpec
from . import connect
from .host import Result
from .link import Connection
from .play import prepare
from .protocol import WrongBitstreamError
from .target import Target, built_for


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


def serial(where: str, run: RunFolder) -> PlayedBoard:
    """The board at the serial port ``where``, its weights loaded if that is the host's part.

    Raises
    ------
    LinkError
        If nobody answers there, or not in this protocol.
    WrongBitstreamError
        If it carries anything but the run's network, or takes weights as no build in ``run`` does.
    """
    spec = run.spec()
    board = connect(where)
    board.identity.expect(spec)
    if board.identity.load_bytes:
        _load(board, run, spec)
    return PlayedBoard(board, spec)


def _load(board: Connection, run: RunFolder, spec: NetworkSpec) -> None:
    """Loads the weights as the first build in ``run`` lays them out that the board may be."""
    names = built_for(run)
    for name in names:
        with suppress(WrongBitstreamError):
            prepare(board, spec, Target.of(run, spec, name).folding)
            return
    said, known = board.identity, ", ".join(names) or "no board"
    raise WrongBitstreamError(
        f"the board loads {said.load_bytes} bytes of weights into {said.ways} ways; {run.path} has "
        f"builds for {known}, and none that does; run spikewright build, and program what it made"
    )


def virtual(where: str, run: RunFolder) -> PlayedBoard:
    """A virtual board called ``where``, an iCEBreaker if that is empty, its weights loaded.

    Raises
    ------
    SpikewrightError
        If there is no such board, the network does not fit it, or it cannot be compiled.
    """
    from .virtual import VirtualBoard

    spec = run.spec()
    target = Target.of(run, spec, where or "icebreaker")
    made = VirtualBoard(spec, target.board, target.folding)
    board = connect(made.device, timeout=60)
    prepare(board, spec, target.folding)
    return PlayedBoard(board, spec, made)
