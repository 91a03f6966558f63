"""The links of `spikewright play`: a window of events goes to a board, its answer comes back."""

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
from .target import Target, builder


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
        If it carries another network, and no build in ``run`` or beside it has its hardware.
    ShapeError
        If the run's network is no training that its hardware takes.
    """
    spec = run.spec()
    board = connect(where)
    if not board.identity.carries(spec):
        load(board, run, spec)
    return PlayedBoard(board, spec)


def load(board: Connection, run: RunFolder, spec: NetworkSpec) -> None:
    """Loads ``spec`` as the build lays it out, of ``run`` or of one beside it, that the board is.

    Raises
    ------
    WrongBitstreamError
        If none is.
    ShapeError
        If ``spec`` is no training that its hardware takes.
    """
    said = board.identity
    found = builder(run, said.shape) if said.load_bytes else None
    if found is None:
        said.expect(spec)
        raise WrongBitstreamError(
            f"no build in {run.path} or beside it has the board's hardware, {said.shape.hex()}; "
            f"run spikewright build, and program what it made"
        )
    whose, name = found
    built = whose.spec()
    prepare(board, spec, Target.of(whose, built, name).folding, built)


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
