"""Tries faults on tests, nearest first, and keeps the verdicts."""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from . import trial
from .faults import Fault
from .suites import nearest, wider

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([
    "amaranth.sim", "amaranth.back.rtlil", "amaranth.lib.memory", "amaranth.lib.fifo", "hypothesis",
    "numpy", "typer", "rich.table", "rich.progress", trial.__name__,
])

Verdict = dict[str, Any]


def attempt(root: Path, file: str, numbers: Sequence[int | None], tests: Sequence[str],
            limits: trial.Limits = trial.LIMITS) -> Iterator[tuple[int | None, Verdict]]:
    """What becomes of faults ``numbers`` of ``file``, or of the sound one for None: ``verdict``
    killed or survived, by which ``test``, ``how``, and the ``seconds`` of processor time it took.

    Raises
    ------
    RuntimeError
        If tests could not even be collected with the sound component.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=trial.run,
                               args=(theirs, root, file, numbers, tests, limits))
    process.start()
    theirs.close()
    told = 0
    try:
        while (answer := ours.recv()) is not None:
            told += 1
            yield answer
    except EOFError:
        pass
    process.join()
    if told != len(numbers):
        raise RuntimeError(f"{file}: {told} verdicts of {len(numbers)}, by {', '.join(tests)}")


class Results:
    """Verdicts by fault, in a file that is written after each."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, Verdict] = {}
        if path.exists():
            self.rows = {row["fault"]: row for row in json.loads(path.read_text("utf-8"))}

    def knows(self, fault: Fault, source: str) -> bool:
        """The fault was tried, in the same file, and killed, or is explained."""
        row = self.rows.get(fault.key, {})
        return row.get("source") == digest(source) and (
            row.get("verdict") == "killed" or "explanation" in row)

    def add(self, fault: Fault, source: str, verdict: Verdict):
        explanation = self.rows.get(fault.key, {}).get("explanation")
        row = {"fault": fault.key, "before": fault.before, "after": fault.after, **verdict,
               "source": digest(source)}
        if explanation and verdict["verdict"] != "killed":
            row["explanation"] = explanation
        self.rows[fault.key] = row
        self.save()

    def keep(self, faults: Iterable[Fault]):
        """Forgets what is not among ``faults``."""
        self.rows = {fault.key: self.rows[fault.key] for fault in faults if fault.key in self.rows}
        self.save()

    def save(self):
        text = json.dumps(list(self.rows.values()), indent=1, ensure_ascii=False)
        new = self.path.with_suffix(".new")
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(self.path)


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]


class Bench:
    """Tries faults: on the tests nearest to the component; those that these miss, if any of the
    :mod:`.designs` is built otherwise, on wider ones.

    Parameters
    ----------
    root : Path
        The project.
    report : function of a fault and its verdict
        Called once for each.
    quick : float, optional
        Only on the nearest, and begins no other test after so many seconds of processor time.
    """

    def __init__(self, root: Path, report: Callable[[Fault, Verdict], None],
                 quick: float | None = None):
        self.root = root
        self.report = report
        self.quick = quick

    def run(self, faults: Iterable[Fault], jobs: int):
        """Tries ``faults``, ``jobs`` at a time."""
        def suite(fault: Fault) -> tuple[bool, bool, str]:
            return "decoder" in fault.file, fault.kind == "reset", fault.file

        groups = [list(group) for _, group in groupby(sorted(faults, key=suite), suite)]
        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(self._try, groups):
                pass

    def _try(self, faults: list[Fault]):
        """Tries faults of one file on the same tests."""
        first = faults[0]
        near = nearest(first.file, first.kind)
        if self.quick is not None:
            self._on(faults, near, (*trial.LIMITS[:3], self.quick), last=True)
            return
        left = self._on(faults, near, trial.LIMITS, last=False)
        if not left:
            return
        (_, sound), *tried = attempt(
            self.root, first.file, [None, *(fault.number for fault in left)], [])
        if sound["verdict"] != "survived":
            raise RuntimeError(f"{first.file}: the sound designs cannot be built: {sound['how']}")
        sound, built = sound["how"], [verdict["how"] for _, verdict in tried]
        for fault, how in zip(left, built, strict=True):
            if how == sound:
                self.report(fault, {"verdict": "the same", "how": "no design changes"})
        left = [fault for fault, how in zip(left, built, strict=True) if how != sound]
        self._on(left, wider(first.file, first.kind), trial.LIMITS, last=True)

    def _on(self, faults: list[Fault], tests: list[str], limits: trial.Limits,
            *, last: bool) -> list[Fault]:
        """Reports the faults that ``tests`` find, or if they are the last tests, all; those that
        they do not find."""
        left, waiting = [], {fault.number: fault for fault in faults}
        if not faults:
            return left
        for number, verdict in attempt(self.root, faults[0].file, list(waiting), tests, limits):
            if last or verdict["verdict"] == "killed":
                if self.quick is not None and verdict["verdict"] == "survived":
                    verdict["verdict"] = "undecided"
                self.report(waiting[number], verdict)
            else:
                left.append(waiting[number])
        return left
