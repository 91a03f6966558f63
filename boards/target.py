"""The board that a command on a run folder means: as it was built, or as it would be."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..gen.errors import MALFORMED, FoldingError, RunFolderError
from ..gen.folding import Folding, Loadable
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


def builds(folder: RunFolder, name: str = "*") -> Iterator[Path]:
    """The figures of each build for the board called ``name``, of any by default, in ``folder`` and
    in the runs beside it."""
    own = folder.path.resolve()
    beside = sorted(path for path in own.parent.iterdir() if path.is_dir() and path != own)
    for path in (own, *beside):
        yield from sorted(path.glob(_file(name)))


def builder(folder: RunFolder, shape: bytes, name: str = "*") -> tuple[RunFolder, str] | None:
    """The run with the build whose hardware is ``shape``, as an identity says it, and for which
    board: of :func:`builds`; None if there is none."""
    for file in builds(folder, name):
        try:
            said = json.loads(file.read_text(encoding="utf-8"))["shape"]
        except (OSError, *MALFORMED):  # of another version, or no run's
            continue
        if said.startswith(shape.hex()):
            return RunFolder.open(file.parents[2]), file.parent.name
    return None


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
    def of(cls, folder: RunFolder, spec: NetworkSpec, name: str,
           loadable: Loadable = Loadable.NOTHING) -> "Target":
        """The board called ``name``; if none was built, one in which that is ``loadable``.

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
            return cls(board, default_folding(spec, board, loadable), False)
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
        try:
            clocked = replace(board, clock_hz=figures["clock_mhz"] * 1e6).over(figures["link"])
            return cls(clocked, from_json(spec, figures["folding"]), True,
                       figures["observe"], figures["watchdog"],
                       tuple(map(int, figures["fmax_mhz_of_seeds"])))
        except KeyError as error:
            raise RunFolderError(
                f"the build for {board.name} does not say its {error.args[0]}, as builds of "
                f"another version; run again: spikewright build --board {board.name}") from error
