"""Which folding of a network suits a board: what each needs, how fast it is, and which is best."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import cached_property, lru_cache
from operator import lt
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from amaranth.back import rtlil

from ..gen.errors import MALFORMED, DoesNotFitError
from ..gen.folding import Folding, LayerFolding, Loadable, Storage
from ..gen.layers import Layer
from ..gen.plan import LayerPlan, layer_plans
from ..gen.rtl.weights import SPRAMS, large_memories
from ..gen.spec import NetworkSpec
from ..gen.synapses import Linear
from ..gen.template import template
from ..gen.widths import Widths, spare_widths
from .estimate import Estimate, estimate
from .pins import Pins
from .registry import BOARDS, Board
from .remembered import Remembered
from .top import LinkedAccelerator, carrier

#: Part of the logic that a default folding may fill; beyond, placement gets long and slow.
FILL = 0.85

#: Events per cycle that are tried, once an event takes a single cycle.
WAYS = (1, 2, 4, 8)

#: Larger boards that an error names.
_NAMED = 3


def does_not_fit(spec: NetworkSpec, board: Board, needs: str) -> DoesNotFitError:
    """The error that says so, with what to do."""
    larger = [other.name for other in BOARDS if other.part.logic > board.part.logic]
    more = len(larger) - _NAMED
    rest = f" and {more} more, see: spikewright boards" if more > 0 else ""
    boards = f", or a larger board ({', '.join(larger[:_NAMED])}{rest})" if larger else ""
    return DoesNotFitError(
        f"network {spec.name} does not fit {board.name}: {needs}; use fewer lanes, fewer weight or "
        f"membrane bits, fewer neurons or inputs{boards}"
    )


def nothing_fits(spec: NetworkSpec, board: Board,
                 loadable: Loadable = Loadable.NOTHING) -> DoesNotFitError:
    """The error for a network of which not even the smallest hardware fits."""
    smallest = Candidate(spec, board, smallest_folding(spec, board, loadable))
    needs, part = smallest.needs, board.part
    return does_not_fit(
        spec, board,
        f"one lane a layer needs about {needs.logic} of {part.logic} LUTs (of which "
        f"{FILL:.0%} can be filled), {needs.blocks} of {part.blocks} block memories, "
        f"{needs.large} of {part.large} large ones and {needs.multipliers} of {part.multipliers} "
        f"multipliers",
    )


def require_memory(spec: NetworkSpec, plans: tuple[LayerPlan, ...], board: Board) -> None:
    """Refuses a network whose weights alone are more than the memories hold.

    However they are folded, weights can be packed no tighter than their bits, so this is certain;
    how many large memories they fill follows from the folding.

    Raises
    ------
    DoesNotFitError
    """
    large = {plan.layer.name: _large_memories(plan) for plan in plans
             if plan.synapses.storage is Storage.SPRAM}
    needed = sum(
        -(-plan.layer.weights * plan.layer.synapse.weight_bits // board.family.block_bits)
        for plan in plans if plan.layer.name not in large
    )
    if needed > board.part.blocks:
        raise does_not_fit(
            spec, board,
            f"its {spec.weights} weights need {needed} of {board.part.blocks} block memories",
        )
    if large and not board.part.large:
        raise does_not_fit(spec, board, "it has no large memories for weights; use fixed or "
                                        "loadable storage")
    if (needed := sum(large.values())) > board.part.large:
        each = ", ".join(f"{name} {count}" for name, count in large.items())
        raise does_not_fit(
            spec, board,
            f"weights in {Storage.SPRAM.value} storage need {needed} of {board.part.large} large "
            f"memories ({each}); use fixed or loadable storage in a layer",
        )


def _large_memories(plan: LayerPlan) -> int:
    return sum(each.ways * large_memories(each.lanes * each.weight_bits, each.bank_words)
               for each in (part.synapses for part in plan.slices))


@dataclass(frozen=True)
class _Design:
    """``spec`` on ``board``; another training with the same template, and words as wide, needs as
    much."""

    template: NetworkSpec
    widths: tuple[Widths, ...]
    board: Board
    folding: Folding
    spec: NetworkSpec = field(compare=False)


@lru_cache(maxsize=1024)
def _needs(design: _Design) -> Estimate:
    kept = Remembered("estimates", design.template.digest, design.widths, design.board,
                      design.folding.of(design.template))
    with suppress(*MALFORMED):
        return Estimate(**kept.recall())
    found = _estimated(design)
    kept.keep(asdict(found))
    return found


def _estimated(design: _Design) -> Estimate:
    board = design.board
    top = Pins(LinkedAccelerator(
        design.spec, design.folding, carrier(board), window=board.window, buffer=board.buffer
    ))
    # What the design asks of a platform.
    platform = SimpleNamespace(device=board.part.device, table_cell=board.family.table,
                               in_tables=board.family.in_tables)
    text = rtlil.convert(top, ports=top.ports, platform=platform, emit_src=False)
    return estimate(text, board.family, board.part.blocks)


@dataclass(frozen=True)
class Candidate:
    """A folding of ``spec`` on ``board``, and what the estimates say of it."""

    spec: NetworkSpec
    board: Board
    folding: Folding

    @cached_property
    def needs(self) -> Estimate:
        """Of the whole design, serial line included."""
        widths = tuple(plan.widths for plan in layer_plans(self.spec, self.folding))
        return _needs(_Design(template(self.spec), widths, self.board, self.folding, self.spec))

    @property
    def fits(self) -> bool:
        part = self.board.part
        return (self.needs.blocks <= part.blocks and self.needs.large <= part.large
                and self.needs.multipliers <= part.multipliers
                and self.needs.logic <= FILL * part.logic)


def choices(layer: Layer, storage: Storage) -> list[LayerFolding]:
    """Foldings of a layer, from the smallest to the fastest: more lanes, as far as they make an
    event shorter, then more ways, or a convolution's sweep beside its events."""
    if isinstance(layer.synapse, Linear):
        found: list[LayerFolding] = []
        reached = math.inf
        for lanes in sorted({-(-layer.neurons // rows) for rows in range(1, layer.neurons + 1)}):
            rows = -(-layer.neurons // lanes)
            if storage is Storage.SPRAM and large_memories(
                    lanes * layer.synapse.weight_bits, rows * layer.inputs) > SPRAMS:
                continue
            # A step up is worth looking at if it is a quarter faster, or the last.
            if rows == 1 or 5 * rows <= 4 * reached:
                found.append(LayerFolding(lanes=lanes, storage=storage))
                reached = rows
        if storage is Storage.FIXED:
            found += [replace(found[-1], ways=ways) for ways in WAYS[1:] if ways <= layer.inputs]
        return found
    channels = layer.synapse.weight.shape[0] // layer.synapse.groups
    found = [LayerFolding(lanes=n) for n in range(1, channels + 1) if channels % n == 0]
    return [*found, replace(found[-1], overlap=True)]


def storages(
    spec: NetworkSpec, board: Board, loadable: Loadable = Loadable.NOTHING,
    widths: tuple[Widths, ...] | None = None,
) -> list[Storage]:
    """Where each layer's weights go: the largest into large memories, if the part has any, and
    block memories cannot hold them all, or not even the smallest hardware around them; ``widths``
    are as of :func:`explore`."""
    widths = widths or spare_widths(spec)
    found = [Storage.FIXED] * len(spec.layers)
    if not board.part.large:
        return found
    bits = [layer.weights * layer.synapse.weight_bits for layer in spec.layers]
    if (sum(bits) > board.part.blocks * board.family.block_bits * 2 // 3
            or not Candidate(spec, board, _one_lane(spec, found, loadable, widths)).fits):
        layer = spec.layers[index := int(np.argmax(bits))]
        if isinstance(layer.synapse, Linear) and choices(layer, Storage.SPRAM):
            found[index] = Storage.SPRAM
    return found


def stored(folding: Folding, spec: NetworkSpec, board: Board,
           loadable: Loadable = Loadable.NOTHING) -> Folding:
    """``folding`` with each layer's weights where :func:`storages` puts them, ``loadable``, and
    words that hold the contents of other trainings, too."""
    return Folding.each(*(
        loadable.of(replace(layer, storage=storage))
        for layer, storage in zip(folding.of(spec), storages(spec, board, loadable),
                                  strict=True)
    ), spec=spec).with_widths(spare_widths(spec), spec=spec)


def smallest_folding(
    spec: NetworkSpec, board: Board, loadable: Loadable = Loadable.NOTHING,
    widths: tuple[Widths, ...] | None = None,
) -> Folding:
    """One lane a layer; ``widths`` are as of :func:`explore`."""
    widths = widths or spare_widths(spec)
    return _one_lane(spec, storages(spec, board, loadable, widths), loadable, widths)


def _one_lane(
    spec: NetworkSpec, stores: list[Storage], loadable: Loadable, widths: tuple[Widths, ...],
) -> Folding:
    return Folding.each(*(loadable.of(choices(*each)[0]) for each in zip(
        spec.layers, stores, strict=True)), spec=spec).with_widths(widths, spec=spec)


def explore(
    spec: NetworkSpec, board: Board, cost: Callable[[Folding], float],
    loadable: Loadable = Loadable.NOTHING, widths: tuple[Widths, ...] | None = None,
) -> Iterator[Candidate]:
    """Candidates that fit, each with a lower ``cost`` than the one before; ``loadable`` in all.

    From the smallest hardware on, the layer that lowers the cost most goes one step up
    (:func:`choices`), as long as something fits. A layer that did not is looked at again when
    another one's step freed something: sums and weights of many lanes leave block memories. Words
    have ``widths``, else those that hold other trainings, too.
    """
    widths = widths or spare_widths(spec)
    ladders = [choices(*each) for each in zip(
        spec.layers, storages(spec, board, loadable, widths), strict=True)]
    rungs = [0] * len(ladders)

    def at(rungs: list[int]) -> Folding:
        return Folding.each(
            *(loadable.of(ladder[rung]) for ladder, rung in zip(ladders, rungs, strict=True)),
            spec=spec).with_widths(widths, spec=spec)

    smallest = Candidate(spec, board, at(rungs))
    if not smallest.fits:
        return
    yield smallest
    needs, least = smallest.needs, cost(smallest.folding)
    closed = [False] * len(ladders)
    while True:
        steps = []
        for index, ladder in enumerate(ladders):
            # A step may be too small to show, where several ways wait for the layer behind.
            for rung in range(rungs[index] + 1, len(ladder)):
                if closed[index]:
                    break
                up = [*rungs]
                up[index] = rung
                if (reached := cost(at(up))) < least:
                    steps.append((reached, index, up))
                    break
        for reached, index, up in sorted(steps):
            candidate = Candidate(spec, board, at(up))
            if candidate.fits:
                before, needs = astuple(needs), candidate.needs
                if any(map(lt, astuple(needs), before)):
                    closed = [False] * len(ladders)
                rungs, least = up, reached
                yield candidate
                break
            closed[index] = True
        else:
            return


def dense_cycles(spec: NetworkSpec, folding: Folding) -> float:
    """Cycles that the busiest layer needs if every one of its inputs spikes: a measure of speed
    where no traffic is known. The other layers break ties."""
    each = sorted(
        plan.layer.inputs * plan.synapses.event_cycles / plan.synapses.ways
        for plan in layer_plans(spec, folding)
    )
    return each[-1] + 1e-6 * sum(each)


def fastest_folding(
    spec: NetworkSpec, board: Board, loadable: Loadable = Loadable.NOTHING,
    widths: tuple[Widths, ...] | None = None,
) -> Folding:
    """The fastest hardware that the estimates say ``board`` holds, for layers whose inputs all
    spike equally often, without what makes no more than a hundredth of difference; the smallest,
    if not even that is said to fit. ``widths`` are as of :func:`explore`."""
    def cost(folding: Folding) -> float:
        return dense_cycles(spec, folding)

    found = [candidate.folding for candidate in explore(spec, board, cost, loadable, widths)]
    if not found:
        return smallest_folding(spec, board, loadable, widths)
    enough = 1.01 * cost(found[-1])
    return next(folding for folding in found if cost(folding) <= enough)


@dataclass(frozen=True)
class Point:
    """A candidate and the cycles that inferences take on it, (samples,)."""

    candidate: Candidate
    cycles: npt.NDArray[np.int64]

    @property
    def rate(self) -> float:
        """Inferences per second at the board's clock, one after another."""
        return self.candidate.board.clock_hz / float(self.cycles.mean())


def front(points: list[Point]) -> list[Point]:
    """Those that no other one beats in cycles, logic and block memories at once; fastest first."""
    def figures(point: Point) -> tuple[float, int, int]:
        needs = point.candidate.needs
        return float(point.cycles.mean()), needs.logic, needs.blocks

    def beaten(point: Point) -> bool:
        mine = figures(point)
        return any(other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
                   for other in map(figures, points))

    return sorted((point for point in points if not beaten(point)), key=figures)


def choose(points: list[Point], rate: float | None) -> Point:
    """The fastest of ``points``; with ``rate``, that with least logic that reaches it.

    Raises
    ------
    DoesNotFitError
        If none does.
    """
    fastest = max(points, key=lambda point: point.rate)
    if rate is None:
        return fastest
    enough = [point for point in points if point.rate >= rate]
    if not enough:
        board = fastest.candidate.board
        raise DoesNotFitError(
            f"the fastest hardware that fits {board.name} does {fastest.rate:.0f} inferences a "
            f"second at {board.clock_hz / 1e6:g} MHz, {rate:g} are asked for; ask for fewer, or "
            f"use a larger board"
        )
    return min(enough, key=lambda point: (point.candidate.needs.logic, -point.rate))
