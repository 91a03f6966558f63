"""From a network to the bitstream of a board: synthesis, place-and-route, packing, and a cache.

What training changes is kept apart (:mod:`~spikewright.boards.contents`): a network whose hardware
was placed before is only filled in and packed.
"""

import gzip
import hashlib
import json
import math
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
from ..gen.errors import MALFORMED, ToolError, one_line
from ..gen.folding import Folding
from ..gen.folding_options import folded, to_json
from ..gen.plan import layer_plans
from ..gen.runfolder import write_json
from ..gen.spec import NetworkSpec
from . import block_bits, chip_texts, netlist
from . import exchange as exchanging
from .cache import working_folder
from .contents import Contents, Separated, separate
from .exchange import Exchange, ExchangeError, chip_text
from .fit import does_not_fit, require_memory
from .protocol import require_inputs
from .registry import ECP5, Board, Family
from .toolchain import Tool, find_tool
from .top import BoardTop

STAGES = ("synthesis", "place-and-route", "packing")

#: Amaranth names the elements of an array ``x[0]``, ``x[1]``, …, as wires beside ``x``. ABC9's
#: interface takes ``x[1]`` for bit 1 of ``x``: Yosys then aborts, or might confuse the two.
HIDE_ELEMENTS = r"rename -hide w:*\[*"

#: What Amaranth tells Yosys to write, and what nextpnr is told to, for an ECP5. Both are kept,
#: compressed, for engines that simulate them.
NETLIST = "top.json"
PLACED = "placed.json"
REPORT = "report.json"
FIGURES = "build.json"
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
    exchange: bool = True,
    progress: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Builds ``spec``, folded by ``folding``, for ``board`` at its ``clock_hz``.

    ``watchdog`` is as of :class:`~.top.SerialAccelerator`.
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
        BoardTop(board, spec, folding, watchdog=watchdog),
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
            "folding": to_json(spec, folding),
            **placed,
            **_read_report(working / REPORT, board),
            "tools": {tool.name: tool.version for tool in tools},
            "design": key,
            "bitstream": bitstream.name,
            "bitstream_sha256": _sha256(bitstream),
        }
        _keep(working, (bitstream.name, REPORT, *netlists(board.family)), figures)
        _move(working, entry, lambda: _intact(entry, board) is not None)
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
    chip = kind(_unpacked(entry / f"{kind.file}.gz").decode())
    places.into_chip(chip, contents)
    (working / kind.file).write_text(chip.text, encoding="utf-8")
    for name in netlists(family):
        netlist_ = json.loads(_unpacked(entry / name))
        if name.startswith(NETLIST):
            places.into_synthesised(netlist_, contents)
        else:
            places.into_placed(netlist_, contents, kind)
        (working / name).write_bytes(_packed(json.dumps(netlist_).encode()))
    shutil.copy(entry / REPORT, working / REPORT)
    for command, tool in zip(_commands(parts.plan)[2:], parts.tools[2:], strict=True):
        done = call(tool, command, working)
        if done.returncode != 0:
            raise ToolError(complaint(STAGES[2], tool, done, working))
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
    if parts.use_cache and (figures := _whole(entry)) is not None:
        return entry, figures["placed"], True
    with working_folder(cache) as working:
        placed = _placed(parts, plan, working, STAGES[:2])
        text = chip_text(family).file
        chip = chip_text(family)((working / text).read_text(encoding="utf-8"))
        read = {name: json.loads((working / name).read_text(encoding="utf-8"))
                for name in (NETLIST, PLACED)}
        Exchange.find(family, parts.apart.placeholders, read[NETLIST], read[PLACED], chip).save(
            working / EXCHANGE)
        (working / f"{text}.gz").write_bytes(_packed((working / text).read_bytes()))
        _keep(working, (REPORT, EXCHANGE, f"{text}.gz", *netlists(family)), {"placed": placed})
        _move(working, entry, lambda: _whole(entry) is not None)
    return entry, placed, False


def _placed(
    parts: _Parts, plan: BuildPlan, working: Path, stages: Sequence[str]
) -> dict[str, Any]:
    """Runs ``stages`` of ``plan`` in ``working``; what they tell of themselves."""
    plan.extract(working)
    seconds, fmax = _run(plan, parts.tools, working, parts.spec, parts.board, parts.seeds, stages,
                         parts.progress)
    for name in netlists(parts.board.family):
        (working / name).write_bytes(_packed((working / name.removesuffix(".gz")).read_bytes()))
    return {
        "seed": max(fmax, key=lambda seed: fmax[seed]),
        "fmax_mhz_of_seeds": {str(seed): each for seed, each in fmax.items()},
        "seconds": seconds,
    }


def _commands(plan: BuildPlan) -> list[list[str]]:
    """Arguments of each tool; without a second form of the bitstream, which takes ecppack longer
    than the first, and which no programmer here asks for."""
    commands = [arguments for _, *arguments in
                json.loads(plan.files[f"{plan.script}.json"])["commands"]]
    for arguments in commands:
        if "--svf" in arguments:
            at = arguments.index("--svf")
            del arguments[at : at + 2]
    return commands


def _keep(working: Path, names: Sequence[str], figures: dict[str, Any]) -> None:
    """Leaves only ``names`` in ``working``, and ``figures``, sealed, beside them."""
    for file in working.iterdir():
        if file.name not in names:
            file.unlink()
    figures["files"] = {name: _sha256(working / name) for name in sorted(names)}
    figures["sha256"] = _seal(figures)
    write_json(working / FIGURES, figures)


def _move(working: Path, entry: Path, there: Callable[[], bool]) -> None:
    """Puts what was made among what is kept."""
    shutil.rmtree(entry, ignore_errors=True)
    try:
        os.replace(working, entry)
    except OSError:
        # Another process may have put the same there meanwhile.
        if not there():
            raise


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()


def _packed(content: bytes) -> bytes:
    # The fastest: a netlist is written more often than it is read.
    return gzip.compress(content, compresslevel=1, mtime=0)


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
        _read_report(entry / REPORT, board)
    except (ToolError, *MALFORMED):
        return None
    return _whole(entry)


def _whole(entry: Path) -> dict[str, Any] | None:
    """The figures that :func:`_keep` wrote, None if they or a file were damaged."""
    try:
        figures = json.loads((entry / FIGURES).read_text(encoding="utf-8"))
        whole = figures["sha256"] == _seal(figures) and all(
            _sha256(entry / name) == digest for name, digest in figures["files"].items())
    except (OSError, *MALFORMED):
        return None
    return figures if whole else None


def _seal(figures: dict[str, Any]) -> str:
    """By which figures that were kept are known to be whole: of all but itself."""
    sealed = {name: value for name, value in figures.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def _run(
    plan: BuildPlan, tools: list[Tool], working: Path, spec: NetworkSpec, board: Board,
    seeds: Sequence[int], stages: Sequence[str], progress: Callable[[str], None],
) -> tuple[dict[str, float], dict[int, float]]:
    """Runs the plan's own commands; seconds of each of ``stages``, and Fmax of each seed in MHz."""
    steps = list(zip(STAGES, tools, _commands(plan), strict=True))[: len(stages)]
    seconds = {}
    fmax: dict[int, float] = {}
    for stage, tool, arguments in steps:
        progress(stage)
        begun = time.monotonic()
        if stage == "place-and-route":
            fmax = _place(tool, arguments, working, spec, board, seeds)
        else:
            done = call(tool, arguments, working)
            if done.returncode != 0:
                raise ToolError(complaint(stage, tool, done, working))
        seconds[stage] = round(time.monotonic() - begun, 2)
        if stage == "synthesis" and board.family is ECP5:
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
    fmax = {seed: min(_read_report(folders[seed] / REPORT, board)["fmax_mhz"].values())
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


def call(tool: Tool, arguments: list[str], working: Path) -> subprocess.CompletedProcess[str]:
    """Runs ``tool`` in ``working`` and returns all it said; ToolError if it does not start."""
    try:
        return subprocess.run(
            [tool.path, *arguments], cwd=working, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
    except OSError as error:
        raise ToolError(f"{tool.path} does not run ({error}); install it again") from error


def complaint(
    stage: str, tool: Tool, done: subprocess.CompletedProcess[str], working: Path
) -> str:
    """The message for a ``stage`` that failed: the tool's own first error, and what to try."""
    # Yosys, told to be quiet, writes some of its errors to its log only.
    logs = [file.read_text(errors="replace") for file in sorted(working.glob("top.rpt"))]
    errors = [line for text in (done.stdout, *logs) for line in text.splitlines()
              if line.startswith("ERROR")]
    said = errors[0] if errors else f"exit code {done.returncode}: {done.stdout[-300:]}"
    return f"{stage} with {tool.name} failed ({said}); try another seed or fewer lanes"


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


def utilisation(report: dict[str, Any], family: Family) -> dict[str, dict[str, int]]:
    """Used and available cells of nextpnr's ``report``, by the family's names for them."""
    return {
        name: {key: _count(report["utilization"][cell][key]) for key in ("used", "available")}
        for cell, name in family.cells.items() if cell in report["utilization"]
    }


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{one_line(value)} cells")
    return value


def _read_report(path: Path, board: Board) -> dict[str, Any]:
    """Utilisation and timing, from what nextpnr writes for machines."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        clocks = report["fmax"].items()
        # The design has one clock domain, whichever of its nets nextpnr names it after.
        fmax = {
            "sync" if len(clocks) == 1 else name: round(clock["achieved"], 2)
            for name, clock in clocks
        }
        if not all(math.isfinite(value) for value in fmax.values()):
            raise ValueError(f"clocks of {list(fmax.values())} MHz")
        return {
            "utilisation": utilisation(report, board.family),
            "fmax_mhz": fmax,
            "clock_mhz": round(board.clock_hz / 1e6, 6),
            "meets_timing": all(value >= board.clock_hz / 1e6 for value in fmax.values()),
        }
    except (OSError, *MALFORMED) as error:
        raise ToolError(
            f"nextpnr wrote no usable report ({one_line(repr(error))}); unset "
            f"AMARANTH_nextpnr_opts if it is set"
        ) from error
