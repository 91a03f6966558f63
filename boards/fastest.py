"""A build at the highest clock that timing proves."""

from collections.abc import Callable, Sequence

from ..gen.folding import Folding
from ..gen.spec import NetworkSpec
from .build import Build, build
from .pll import ClockError
from .registry import Board

#: Builds that are tried, from the board's first clock on.
ATTEMPTS = 3


def build_fastest(
    spec: NetworkSpec,
    board: Board,
    folding: Folding,
    *,
    seeds: Sequence[int] = (1,),
    use_cache: bool = True,
    watchdog: bool = False,
    observe: bool = False,
    exchange: bool = True,
    progress: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Builds for ``board`` until the clock that its loop makes is one that the design's own timing
    allows: the first build, at the board's first clock, tells how fast the design is; the next is
    made for the highest clock below that, and so on. A build that is fast enough for its clock and
    could not have the next one is the last.

    ``progress`` is called with each stage of each build. Everything else as :func:`~.build.build`,
    whose errors it raises.

    Returns
    -------
    Build
        That with the highest clock of those whose timing is met; that with the lowest if none is,
        whose figures then say ``meets_timing: false``.
    """
    aimed = board.fastest(board.clock_hz)
    tried: dict[float, Build] = {}
    while len(tried) < ATTEMPTS and aimed.clock_hz not in tried:
        made = tried[aimed.clock_hz] = build(
            spec, aimed, folding, seeds=seeds, use_cache=use_cache,
            watchdog=watchdog, observe=observe, exchange=exchange, progress=progress)
        fmax = min(made.figures["fmax_mhz"].values()) * 1e6
        # What met its timing stays the least.
        proven = max((hz for hz, one in tried.items() if one.figures["meets_timing"]), default=0)
        try:
            aimed = board.fastest(fmax)
        except ClockError:
            aimed = board.at_oscillator()
        if aimed.clock_hz <= proven:
            break
    good = {hz: one for hz, one in tried.items() if one.figures["meets_timing"]}
    return good[max(good)] if good else tried[min(tried)]
