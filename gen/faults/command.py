"""The command ``faults``. Nothing heavy is imported before it runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import console
from ..errors import FaultError
from ..folding_options import Lanes, Protect, Slices, Ways, folded, folding_of
from ..runfolder import RunFolder

#: Samples that an engine runs unless told otherwise; those not named run all.
DEFAULT_SAMPLES = {"amaranth": 5}


def faults(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    memory: Annotated[str, typer.Option(
        help="Whose bits flip: weights, parameters, membranes, several as in weights,membranes, or "
             "all.")] = "weights",
    flips: Annotated[str | None, typer.Option(
        help="How many bits, one number after the other. [default: 0,1,10,100,1000]",
        show_default=False)] = None,
    rate: Annotated[str | None, typer.Option(
        help="Instead: how likely each bit flips, as in 1e-5,1e-4.", show_default=False)] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of bits for each number.")] = 5,
    engine: Annotated[str, typer.Option(
        help="golden, cycles, or the hardware itself: amaranth, and without membranes verilator "
             "and cxxrtl.")] = "golden",
    samples: Annotated[int | None, typer.Option(
        min=1, help="How many samples, from the first. [default: all; 5 on engine amaranth]",
        show_default=False)] = None,
    lanes: Lanes = None,
    ways: Ways = None,
    slices: Slices = None,
    protect: Protect = None,
    picture: Annotated[Path | None, typer.Option(
        metavar="FILE.svg", help="Draw accuracy against flips, as PNG or SVG.",
        show_default=False)] = None,
    json: console.Json = False,
) -> None:
    """Flip bits of the design's memories and see what accuracy is left.

    Bits are drawn from all that the memories of this folding have. Those of weights and parameters
    flip once and stay, those of membranes flip in every inference anew, each in a timestep of its
    own. Results are kept in the run's results.json, one entry per choice of memories.

    Example: `spikewright faults runs/demo --memory weights --flips 0,10,100 --seeds 5`
    """
    from ..engines import FLIPPING
    from .picture import check_picture, draw_accuracy
    from .sweep import Sweep

    if engine not in FLIPPING:
        raise FaultError(f"engine {engine} has no memories whose bits could flip; use "
                         f"{', '.join(FLIPPING)}")
    if flips is not None and rate is not None:
        raise FaultError("both --flips and --rate are given; give one of them")
    if picture is not None:
        check_picture(picture)
    kinds = _kinds(memory)
    numbers = _numbers(rate, float) if rate is not None else _numbers(
        flips or "0,1,10,100,1000", int)
    folder = RunFolder.open(run)
    spec, stimulus = folder.spec(), folder.stimulus()
    folding = folding_of(lanes, spec, ways, slices, protect)
    stimulus = stimulus[: samples or DEFAULT_SAMPLES.get(engine)]
    work = (len(numbers) * seeds + 1) * len(stimulus)
    with console.progress(f"flipping bits on {engine}", work) as advance:
        sweep = Sweep(spec, folding, stimulus, kinds, engine=engine, progress=advance)
        points = []
        for number in numbers:
            given: dict[str, Any] = {"rate" if rate is not None else "flips": number}
            points.append(sweep.point(range(seeds), **given))
    rows = [{
        "asked": number, "flips": list(point.flips),
        "accuracy": list(point.accuracy), "agreement": list(point.agreement),
        "mean": _mean(point.accuracy), "spread": _spread(point.accuracy),
        "lowest": min(point.accuracy),
    } for number, point in zip(numbers, points, strict=True)]
    figures = {
        "engine": engine, "memory": [kind.value for kind in kinds], "bits": sweep.bits,
        "samples": len(stimulus), "seeds": seeds,
        "asked": "rate" if rate is not None else "flips", **folded(spec, folding),
        "protect": {name: each.protect.value for name, each in
                    zip([layer.name for layer in spec.layers], folding.of(spec), strict=True)},
        "rows": rows,
    }
    kept = folder.read_json("results.json", "simulate") if "results.json" in folder else {}
    folder.record("faults", {**kept.get("faults", {}), memory: figures})
    if picture is not None:
        draw_accuracy(picture, figures)
        console.say(f"wrote {picture}")
    console.finish(
        {"run": str(run), **figures},
        console.table(
            f"{run}: {len(stimulus)} samples, {sweep.bits:,} bits of {memory}, {seeds} seeds",
            (figures["asked"], "flips, mean", "accuracy, mean", "spread", "lowest",
             "decided alike"),
            [(f"{row['asked']:,}" if rate is None else f"{row['asked']:g}", _mean(row["flips"]),
              f"{row['mean']:.2%}", f"{row['spread']:.2%}", f"{row['lowest']:.2%}",
              f"{_mean(row['agreement']):.2%}") for row in rows]),
        as_json=json,
    )


def _kinds(text: str):
    from .memories import Kind

    allowed = {kind.value: kind for kind in Kind}
    names = list(allowed) if text == "all" else list(dict.fromkeys(
        part.strip() for part in text.split(",")))
    for name in names:
        if name not in allowed:
            raise FaultError(f"--memory has {name!r}; allowed are {', '.join(allowed)} and all")
    return [allowed[name] for name in names]


def _numbers(text: str, kind: type) -> list[Any]:
    try:
        numbers = [kind(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if any(not 0 <= number < math.inf for number in numbers):
        example = "0,1,10,100" if kind is int else "1e-5,1e-4"
        raise FaultError(f"{text!r} is no list of numbers of at least 0; give for example {example}"
                         )
    if kind is float and max(numbers) > 1:
        raise FaultError(f"rate {max(numbers)} is more than 1; a rate is the probability of a flip")
    return numbers


def _mean(values) -> float:
    return sum(values) / len(values)


def _spread(values) -> float:
    """Standard deviation over seeds; 0 of one."""
    middle = _mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1))
