"""A build at the highest clock that timing proves."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..gen.folding import Folding
from ..gen.plan import layer_plans
from ..gen.spec import NetworkSpec
from ..gen.template import template
from .build import Build, build
from .pll import ClockError
from .registry import Board
from .remembered import Remembered
from .toolchain import find_tool

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
    could not have the next one is the last. What was found of one training of a network is that of
    the others, as all of them are placed as one: they are built for this clock alone.

    ``progress`` is called with each stage of each build. Everything else as :func:`~.build.build`,
    whose errors it raises.

    Returns
    -------
    Build
        That with the highest clock of those whose timing is met; that with the lowest if none is,
        whose figures then say ``meets_timing: false``.
    """
    def at(aimed: Board) -> Build:
        return build(spec, aimed, folding, seeds=seeds, use_cache=use_cache, watchdog=watchdog,
                     observe=observe, exchange=exchange, progress=progress)

    kept = Remembered(
        "clocks", template(spec).digest, [plan.widths for plan in layer_plans(spec, folding)],
        folding.of(spec), board, list(seeds), watchdog, observe,
        [find_tool(name).version for name in board.family.tools])
    if use_cache and exchange and (hz := kept.recall()) is not None:
        made = at(replace(board, clock_hz=hz))
        if _exchanged(made):
            return made
    aimed = board.fastest(board.clock_hz)
    tried: dict[float, Build] = {}
    while len(tried) < ATTEMPTS and aimed.clock_hz not in tried:
        made = tried[aimed.clock_hz] = at(aimed)
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
    hz = max(good) if good else min(tried)
    if all(map(_exchanged, tried.values())):
        kept.keep(hz)
    return tried[hz]


def _exchanged(made: Build) -> bool:
    """Whether its timing is that of every training."""
    return "structure" in made.figures
