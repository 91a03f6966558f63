"""What a network needs of a board, for whoever only knows the board's name (entry point
``spikewright.resources``)."""

from typing import Any

from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .defaults import default_folding
from .fit import Candidate, stored
from .registry import find_board


def needs(
    spec: NetworkSpec, board: str, folding: Folding | None = None
) -> tuple[Folding, dict[str, Any]]:
    """The folding that a build for ``board`` has, the largest that is likely to fit if none is
    given; and estimates of its logic, memories and multipliers beside what the part has. ``fits``:
    whether they say that a build succeeds. ``clock_mhz`` is the board's, which a build may find too
    fast or too slow.

    Raises
    ------
    UnknownBoardError
        If there is no such board.
    """
    target = find_board(board)
    chosen = default_folding(spec, target) if folding is None else stored(folding, spec, target)
    candidate = Candidate(spec, target, chosen)
    estimated, part = candidate.needs, target.part
    return chosen, {
        "board": target.name, "clock_mhz": target.clock_hz / 1e6, "fits": candidate.fits,
        "logic": {"used": estimated.logic, "available": part.logic},
        "blocks": {"used": estimated.blocks, "available": part.blocks},
        "large": {"used": estimated.large, "available": part.large},
        "multipliers": {"used": estimated.multipliers, "available": part.multipliers},
    }
