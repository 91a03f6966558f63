"""The command ``fit``."""

from functools import cache
from typing import Annotated, Any

import typer

from ..gen.commands import Run
from ..gen.console import Json, finish, progress, table
from ..gen.folding import Loadable
from ..gen.folding_options import AllLoadable, WeightsLoadable, folded, loadable_of
from ..gen.runfolder import RunFolder

#: Samples whose traffic decides, unless told otherwise.
SAMPLES = 64


def fit(
    run: Run,
    board: Annotated[str, typer.Option(help="Board to fit to.")] = "icebreaker",
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="RATE", show_default=False,
                     help="Inferences per second that are enough: the smallest hardware that "
                          "reaches them is chosen. [default: the fastest that fits]"),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Samples whose spikes are counted, from the first.")
    ] = SAMPLES,
    loadable: AllLoadable = False,
    loadable_weights: WeightsLoadable = False,
    json: Json = False,
) -> None:
    """Choose lanes and ways for a board from what the network's spikes need.

    Counts the cycles of held-back samples with the cycle model, and what each design needs of the
    board's part from the design itself: block memories exactly, the most multipliers, and logic as
    an estimate (within 13 % of nextpnr's count on the 13 designs it was fitted to, within 32 % on
    designs left out of the fit). Prints the designs that no other one beats, and the command that
    builds the one chosen.

    Example: `spikewright fit runs/demo --board ulx3s-85f --fps 10000`
    """
    from ..gen.cycles import timeline
    from ..gen.engines import simulate
    from ..gen.folding import Folding
    from ..gen.plan import layer_plans
    from ..gen.traffic import traffic
    from . import fit as fitting
    from .registry import find_board

    target, what = find_board(board), loadable_of(loadable, loadable_weights)
    folder = RunFolder.open(run)
    spec = folder.spec()
    signals = folder.stimulus().spikes[:samples]
    spikes = simulate(spec, signals, engine="golden").spikes

    @cache
    def cycles(folding: Folding) -> Any:
        plans = layer_plans(spec, folding)
        return timeline(plans, traffic(plans, signals, spikes)).cycles

    points = []
    with progress(f"fitting to {target.name}", None) as advance:
        for candidate in fitting.explore(
            spec, target, lambda folding: float(cycles(folding).mean()), what
        ):
            points.append(fitting.Point(candidate, cycles(candidate.folding)))
            advance(1, note=f"{points[-1].cycles.mean():.0f} cycles")
    if not points:
        raise fitting.nothing_fits(spec, target, what)
    front = fitting.front(points)
    chosen = fitting.choose(points, fps)

    rows = [{**_figures(point), "chosen": point is chosen} for point in front]
    figures = {"board": target.name, "clock_mhz": target.clock_hz / 1e6, "samples": len(signals),
               "fps": fps, "chosen": _figures(chosen), "front": rows}
    finish(figures, _table(rows, target.name), _command(figures["chosen"], run, target.name, what),
           as_json=json)


def _figures(point: Any) -> dict[str, Any]:
    candidate = point.candidate
    shape = folded(candidate.spec, candidate.folding)
    return {
        "lanes": shape["lanes"], "ways": shape["ways"],
        "cycles": float(point.cycles.mean()), "most_cycles": int(point.cycles.max()),
        "fps": point.rate,
        "logic": candidate.needs.logic, "block_memories": candidate.needs.blocks,
        "large_memories": candidate.needs.large, "multipliers": candidate.needs.multipliers,
    }


def _list(numbers: dict[str, int]) -> str:
    return ",".join(map(str, numbers.values()))


def _table(rows: list[dict[str, Any]], board: str) -> Any:
    return table(
        f"{board}, fastest first",
        ("", "lanes", "ways", "cycles", "inferences/s", "logic", "block memories"),
        [("→" if row["chosen"] else "", _list(row["lanes"]), _list(row["ways"]),
          f"{row['cycles']:.0f}", f"{row['fps']:.0f}", row["logic"], row["block_memories"])
         for row in rows],
    )


def _command(chosen: dict[str, Any], run: Any, board: str, loadable: Loadable) -> str:
    option = {Loadable.ALL: " --loadable", Loadable.WEIGHTS: " --loadable-weights"}
    return (f"spikewright build {run} --board {board} --lanes {_list(chosen['lanes'])} "
            f"--ways {_list(chosen['ways'])}{option.get(loadable, '')}")
