"""The board that a command on a run folder means: as it was built, or as it would be."""

from dataclasses import dataclass, replace
from typing import Any

from ..gen.errors import FoldingError
from ..gen.folding import Folding
from ..gen.folding_options import from_json
from ..gen.plan import layer_plans
from ..gen.runfolder import RunFolder
from ..gen.spec import NetworkSpec
from .defaults import default_folding
from .protocol import WrongBitstreamError
from .registry import Board, find_board


def was_built(folder: RunFolder, name: str) -> bool:
    """Whether ``folder`` has a build for the board called ``name``."""
    return _file(name) in folder


def built_for(folder: RunFolder) -> list[str]:
    """The names of the boards that ``folder`` has builds for."""
    return sorted(file.parent.name for file in folder.path.glob(_file("*")))


def _file(name: str) -> str:
    return f"boards/{name}/build.json"


@dataclass(frozen=True)
class Target:
    """``board`` at the clock and with the link, ``folding``, and whether spikes and membranes can
    be read, of the build in the run folder; if there was none, what `build` begins with: the
    registry's clock and the fastest hardware that is said to fit."""

    board: Board
    folding: Folding
    built: bool
    observe: bool = False
    watchdog: bool = False
    seeds: tuple[int, ...] = (1,)

    @classmethod
    def of(cls, folder: RunFolder, spec: NetworkSpec, name: str) -> "Target":
        """The board called ``name``.

        Raises
        ------
        SpikewrightError
            If there is no such board, or its build is damaged.
        WrongBitstreamError
            If another network was built.
        """
        board = find_board(name)
        file, again = _file(name), f"build --board {name}"
        if not was_built(folder, name):
            return cls(board, default_folding(spec, board), False)
        figures = folder.read_json(file, again)
        if figures.get("network") != spec.digest:
            raise WrongBitstreamError(
                f"{folder.path / file} is of another network than the run holds now; run: "
                f"spikewright {again} {folder.path}"
            )
        return cls._built(board, spec, figures)

    @classmethod
    def like(cls, folder: RunFolder, spec: NetworkSpec, name: str) -> "Target":
        """What was built for the board called ``name`` of another training of ``spec``'s network,
        in ``folder``.

        Raises
        ------
        SpikewrightError
            If there is no such board or no build, or it is damaged.
        FoldingError
            If ``spec`` is of another shape, or its values need wider words than were built, which
            are named.
        """
        board, file = find_board(name), _file(name)
        try:
            target = cls._built(board, spec, folder.read_json(file, f"build --board {name}"))
            layer_plans(spec, target.folding)
        except FoldingError as error:
            raise FoldingError(f"{folder.path / file} does not hold this training: {error}") \
                from error
        return target

    @classmethod
    def _built(cls, board: Board, spec: NetworkSpec, figures: dict[str, Any]) -> "Target":
        board = replace(board, clock_hz=figures["clock_mhz"] * 1e6).over(
            figures.get("link", "uart"))
        return cls(board, from_json(spec, figures["folding"]), True,
                   bool(figures.get("observe", False)), bool(figures.get("watchdog", False)),
                   tuple(map(int, figures["fmax_mhz_of_seeds"])))
