"""From a network to the bitstream of a board: synthesis, place-and-route, packing, and a cache.

What training changes is kept apart (:mod:`~spikewright.boards.contents`): a network whose hardware
was placed before is only filled in and packed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from amaranth.build.run import BuildPlan

from ..gen.cache import cache_folder
from ..gen.errors import MALFORMED, ToolError
from ..gen.folding import Folding
from ..gen.folding_options import folded, to_json
from ..gen.plan import layer_plans
from ..gen.spec import NetworkSpec
from ..gen.training import shape_digest
from . import block_bits, chip_texts, netlist
from . import exchange as exchanging
from .cache import keep, move, packed, sha256, unpacked, whole, working_folder
from .contents import Contents, Separated, separate
from .exchange import Exchange, ExchangeError, chip_text
from .fit import does_not_fit, require_memory
from .nextpnr_report import read_report, utilisation
from .protocol import require_inputs
from .registry import ECP5, Board, Family
from .toolchain import Tool, call, complaint, find_tool, run_stage
from .top import BoardTop
from .wires import SPI

STAGES = ("synthesis", "place-and-route", "packing")

#: Amaranth names the elements of an array ``x[0]``, ``x[1]``, …, as wires beside ``x``. ABC9's
#: interface takes ``x[1]`` for bit 1 of ``x``: Yosys then aborts, or might confuse the two.
HIDE_ELEMENTS = r"rename -hide w:*\[*"

#: What Amaranth tells Yosys to write, and what nextpnr is told to, for an ECP5. Both are kept,
#: compressed, for engines that simulate them.
NETLIST = "top.json"
PLACED = "placed.json"
REPORT = "report.json"
#: Where the contents of a placed design are.
EXCHANGE = "exchange.npz"

#: Files of a design that was placed, beside its netlists and its report.
_DESIGN = "top.il"


@dataclass(frozen=True)
class Build:
    """A finished bitstream. ``folder`` holds it, the netlists, nextpnr's ``report.json`` and
    ``build.json``; ``figures`` is the latter."""

    folder: Path
    figures: dict[str, Any]
    #: Nothing was run: the same design had been built before with the same tools.
    cached: bool


def build(
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
    """Builds ``spec``, folded by ``folding``, for ``board`` at its ``clock_hz``.

    ``watchdog`` and ``observe`` are as of :class:`~.top.LinkedAccelerator`.
    ``exchange``: a design that differs from one that was placed before in its contents alone is
    only filled in and packed; without, contents are part of the design.
    ``seeds`` vary the placement; they are placed side by side on the machine's cores, and the
    fastest is kept. ``progress`` is called with each of :data:`STAGES` as it begins. Builds are
    kept under :func:`~.cache.cache_folder`, by the design, the seeds and the versions of the tools.

    Raises
    ------
    DoesNotFitError
        With what is needed and what the part has.
    ToolError
        If a tool is missing, too old, or failed.
    FoldingError, LinkError
        If the folding or the number of inputs does not belong to the network or the link.
    """
    plans = layer_plans(spec, folding)
    require_inputs(spec, plans[0].synapses.ways)
    require_memory(spec, plans, board)
    tools = [find_tool(name) for name in board.family.tools]
    plan = board.make_platform().prepare(
        BoardTop(board, spec, folding, watchdog=watchdog, observe=observe),
        # Source positions would make the design, and so the cache, depend on where this is
        # installed.
        emit_src=False,
        script_after_read=HIDE_ELEMENTS,
        nextpnr_opts=f"--report {REPORT} --timing-allow-fail"
                     f" --write {PLACED}",
    )
    apart = separate(_text(plan.files[_DESIGN]), board.family, board.part.blocks)
    if not exchange:
        apart = Separated(apart.structure, Contents(), Contents())
    parts = _Parts(plan, apart, tools, spec, board, tuple(seeds), use_cache, progress)
    key = _key(plan, tools, seeds, exchange)
    cache = cache_folder() / "builds"
    entry = cache / key
    if use_cache and (figures := _intact(entry, board)) is not None:
        return Build(entry, figures, cached=True)

    with working_folder(cache) as working:
        try:
            placed = _filled(parts, working)
        except ExchangeError as error:
            placed = {**_placed(parts, plan, working, STAGES), "unpatchable": str(error)}
        bitstream = working / board.family.bitstream
        figures = {
            "board": board.name,
            "device": board.part.device,
            "network": spec.digest,
            **{name: list(folded(spec, folding)[name].values())
               for name in ("lanes", "ways", "slices")},
            # With the words that were built, so that others can be told whether they fit.
            "folding": to_json(spec, folding.with_widths(
                [plan.widths for plan in plans], spec=spec)),
            "shape": shape_digest(spec, folding),
            "link": "spi" if board.link == SPI else "uart",
            "observe": observe,
            "watchdog": watchdog,
            **placed,
            **read_report(working / REPORT, board),
            "tools": {tool.name: tool.version for tool in tools},
            "design": key,
            "bitstream": bitstream.name,
            "bitstream_sha256": sha256(bitstream),
        }
        keep(working, (bitstream.name, REPORT, *netlists(board.family)), figures)
        move(working, entry, lambda: _intact(entry, board) is not None)
    return Build(entry, figures, cached=False)


@dataclass(frozen=True)
class _Parts:
    """What a build is made of."""

    plan: BuildPlan
    apart: Separated
    tools: list[Tool]
    spec: NetworkSpec
    board: Board
    seeds: tuple[int, ...]
    use_cache: bool
    progress: Callable[[str], None]


def _filled(parts: _Parts, working: Path) -> dict[str, Any]:
    """The design made of a placed structure and its contents, in ``working``; what is told of it.

    Raises
    ------
    ExchangeError
        If it has no contents, or not all of them are found in what the tools made.
    """
    if parts.apart.contents == Contents():
        raise ExchangeError("weights, thresholds and biases are part of the design")
    entry, figures, before = _structure(parts)
    parts.progress(STAGES[2])
    begun = time.monotonic()
    family, contents = parts.board.family, parts.apart.contents
    places, kind = Exchange.load(entry / EXCHANGE, family), chip_text(family)
    chip = kind(unpacked(entry / f"{kind.file}.gz").decode())
    places.into_chip(chip, contents)
    (working / kind.file).write_text(chip.text, encoding="utf-8")
    for name in netlists(family):
        netlist_ = json.loads(unpacked(entry / name))
        if name.startswith(NETLIST):
            places.into_synthesised(netlist_, contents)
        else:
            places.into_placed(netlist_, contents, kind)
        (working / name).write_bytes(packed(json.dumps(netlist_).encode()))
    shutil.copy(entry / REPORT, working / REPORT)
    run_stage(STAGES[2], parts.tools[2], _commands(parts.plan)[2], working)
    seconds = {STAGES[2]: round(time.monotonic() - begun, 2)}
    return {**figures, "structure": entry.name, "placed_before": before,
            "seconds": seconds if before else {**figures["seconds"], **seconds}}


def _structure(parts: _Parts) -> tuple[Path, dict[str, Any], bool]:
    """A placed design with placeholders: its folder, what is known of it, and whether it was there.

    Raises
    ------
    ExchangeError
        If not all of its contents are found in what the tools made of it.
    """
    plan = copy(parts.plan)
    plan.files = {**parts.plan.files, _DESIGN: parts.apart.structure}
    family = parts.board.family
    cache = cache_folder() / "structures"
    entry = cache / _key(plan, parts.tools[:2], parts.seeds, True)
    if parts.use_cache and (figures := whole(entry)) is not None:
        return entry, figures["placed"], True
    with working_folder(cache) as working:
        placed = _placed(parts, plan, working, STAGES[:2])
        text = chip_text(family).file
        chip = chip_text(family)((working / text).read_text(encoding="utf-8"))
        read = {name: json.loads((working / name).read_text(encoding="utf-8"))
                for name in (NETLIST, PLACED)}
        Exchange.find(family, parts.apart.placeholders, read[NETLIST], read[PLACED], chip).save(
            working / EXCHANGE)
        (working / f"{text}.gz").write_bytes(packed((working / text).read_bytes()))
        keep(working, (REPORT, EXCHANGE, f"{text}.gz", *netlists(family)), {"placed": placed})
        move(working, entry, lambda: whole(entry) is not None)
    return entry, placed, False


def _placed(
    parts: _Parts, plan: BuildPlan, working: Path, stages: Sequence[str]
) -> dict[str, Any]:
    """Runs ``stages`` of ``plan`` in ``working``; what they tell of themselves."""
    plan.extract(working)
    seconds, fmax = _run(parts, plan, working, stages)
    for name in netlists(parts.board.family):
        (working / name).write_bytes(packed((working / name.removesuffix(".gz")).read_bytes()))
    return {
        "seed": max(fmax, key=lambda seed: fmax[seed]),
        "fmax_mhz_of_seeds": {str(seed): each for seed, each in fmax.items()},
        "seconds": seconds,
    }


def _commands(plan: BuildPlan) -> list[list[str]]:
    """Arguments of each tool; without a second form of the bitstream, which takes ecppack longer
    than the first, and which no programmer here asks for, and without what some platforms have
    behind packing: who programs an OrangeCrab names the device, and needs no suffix that does."""
    commands = [arguments for _, *arguments in
                json.loads(plan.files[f"{plan.script}.json"])["commands"]][: len(STAGES)]
    for arguments in commands:
        if "--svf" in arguments:
            at = arguments.index("--svf")
            del arguments[at : at + 2]
    return commands


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()


def netlists(family: Family) -> tuple[str, ...]:
    """Files of a build that hold netlists: after synthesis, and of an ECP5 after place-and-route,
    which the bitstream of an iCE40 tells by itself."""
    return (f"{NETLIST}.gz", f"{PLACED}.gz") if family is ECP5 else (f"{NETLIST}.gz",)


def _key(plan: BuildPlan, tools: list[Tool], seeds: Sequence[int], exchange: bool) -> str:
    hasher = hashlib.sha256(plan.digest())
    hasher.update(repr((list(seeds), exchange)).encode())
    # What is done between two tools, and what is kept, is part of the build as well.
    hasher.update(f"{NETLIST}, {PLACED}".encode())
    for module in (netlist, exchanging, block_bits, chip_texts):
        hasher.update(Path(str(module.__file__)).read_bytes())
    for tool in tools:
        hasher.update(f"{tool.name}\0{tool.version}\0".encode())
    return hasher.hexdigest()


def _intact(entry: Path, board: Board) -> dict[str, Any] | None:
    """The figures of a cached build, None if there is none or it was damaged."""
    try:
        read_report(entry / REPORT, board)
    except (ToolError, *MALFORMED):
        return None
    return whole(entry)


def _run(
    parts: _Parts, plan: BuildPlan, working: Path, stages: Sequence[str],
) -> tuple[dict[str, float], dict[int, float]]:
    """Runs the plan's own commands; seconds of each of ``stages``, and Fmax of each seed in MHz."""
    steps = list(zip(STAGES, parts.tools, _commands(plan), strict=True))[: len(stages)]
    seconds = {}
    fmax: dict[int, float] = {}
    for stage, tool, arguments in steps:
        parts.progress(stage)
        begun = time.monotonic()
        if stage == "place-and-route":
            fmax = _place(tool, arguments, working, parts.spec, parts.board, parts.seeds)
        else:
            run_stage(stage, tool, arguments, working)
        seconds[stage] = round(time.monotonic() - begun, 2)
        if stage == "synthesis" and parts.board.family is ECP5:
            netlist.tidy_file(working / NETLIST)
    return seconds, fmax


def _place(
    tool: Tool, arguments: list[str], working: Path, spec: NetworkSpec, board: Board,
    seeds: Sequence[int],
) -> dict[int, float]:
    """Fmax in MHz of each seed that could be placed; the files of the fastest are in ``working``.
    """
    folders = {seed: working / f"seed_{seed}" for seed in seeds}
    for folder in folders.values():
        folder.mkdir()
        for file in working.iterdir():
            if file.is_file():
                os.link(file, folder / file.name)

    def place(seed: int) -> subprocess.CompletedProcess[str]:
        return call(tool, [*arguments, "--seed", str(seed)], folders[seed])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = dict(zip(seeds, pool.map(place, seeds), strict=True))
    fmax = {seed: min(read_report(folders[seed] / REPORT, board)["fmax_mhz"].values())
            for seed in seeds if done[seed].returncode == 0}
    if not fmax:
        _explain_fit(tool, arguments, working, spec, board)
        raise ToolError(complaint("place-and-route", tool, done[seeds[0]], working))
    best = folders[max(fmax, key=lambda seed: fmax[seed])]
    for file in best.iterdir():
        os.replace(file, working / file.name)
    for folder in folders.values():
        shutil.rmtree(folder)
    return fmax


def _explain_fit(
    tool: Tool, arguments: list[str], working: Path, spec: NetworkSpec, board: Board
) -> None:
    """Raises DoesNotFitError if the design needs more of anything than the part has."""
    report = working / "fit.json"
    # There is no placement that could be written; nextpnr-ice40 0.11 dies of the attempt.
    written = {"--asc", "--textcfg"}
    arguments = [report.name if argument == REPORT else argument
                 for before, argument in pairwise(["", *arguments])
                 if not {before, argument} & written]
    # nextpnr writes no report when placement fails, but it does when it is told to stop before.
    if call(tool, [*arguments, "--pack-only"], working).returncode != 0 or not report.exists():
        return
    used = utilisation(json.loads(report.read_text(encoding="utf-8")), board.family)
    short = [f"{row['used']} of {row['available']} {what}"
             for what, row in used.items() if row["used"] > row["available"]]
    if short:
        raise does_not_fit(spec, board, f"it needs {', '.join(short)}")
