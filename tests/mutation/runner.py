"""Runs trials from a process that has imported what all of them need, and keeps their verdicts."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import trial
from .faults import Fault
from .suites import nearest, wider

#: A faulty design may wait for ever for a tool that uses no processor time of its own.
WALL_SECONDS = 2400.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([
    "amaranth.sim", "amaranth.back.rtlil", "amaranth.lib.memory", "amaranth.lib.fifo", "hypothesis",
    "numpy", "pytest", "typer", "rich.table", "rich.progress", __package__ + ".trial",
])

Verdict = dict[str, Any]


def attempt(root: Path, file: str, number: int | None, tests: list[str],
            limits: tuple[float, float] = trial.LIMITS) -> Verdict:
    """What becomes of fault ``number`` of ``file``, or of the sound one: ``verdict`` killed or
    survived, by which ``test``, ``how``, and the ``seconds`` of processor time it took.

    Raises
    ------
    RuntimeError
        If it could not be tried.
    """
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=trial.run, args=(theirs, root, file, number, tests,
                                                         limits))
    process.start()
    theirs.close()
    try:
        if not ours.poll(WALL_SECONDS):
            return {"verdict": "killed", "how": "hangs", "test": "", "seconds": WALL_SECONDS}
        verdict = ours.recv()
        if verdict["verdict"] == "broken":
            raise RuntimeError(f"fault {number} of {file} could not be tried: {verdict['how']}")
        return verdict
    except EOFError:
        return {"verdict": "killed", "how": "the process died", "test": "", "seconds": 0.0}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


class Results:
    """Verdicts by fault, in a file that is written after each."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, Verdict] = {}
        if path.exists():
            self.rows = {row["fault"]: row for row in json.loads(path.read_text("utf-8"))}

    def knows(self, fault: Fault, source: str) -> bool:
        """The fault was tried, in the same file, and killed."""
        row = self.rows.get(fault.key, {})
        return row.get("source") == digest(source) and row.get("verdict") == "killed"

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
    """Tries faults: on the tests nearest to the component; if these pass and any of the
    :mod:`.designs` is built otherwise, on wider ones."""

    def __init__(self, root: Path, *, quick: bool = False):
        self.root = root
        self.quick = quick
        self._sound = ""

    def attempt(self, fault: Fault) -> Verdict:
        first = attempt(self.root, fault.file, fault.number, nearest(fault.file, fault.kind))
        if first["verdict"] != "survived":
            return first
        self._sound = self._sound or attempt(self.root, "", None, [])["how"]
        built = attempt(self.root, fault.file, fault.number, [])
        seconds = first["seconds"] + built["seconds"]
        if built["how"] == self._sound:
            return {**first, "verdict": "the same", "how": "no design changes", "test": "",
                    "seconds": seconds}
        if self.quick:
            return {**first, "seconds": seconds}
        second = attempt(self.root, fault.file, fault.number, wider(fault.file, fault.kind))
        return {**second, "seconds": round(seconds + second["seconds"], 1)}

    def run(self, faults: list[Fault], jobs: int, report: Callable[[Fault, Verdict], None]):
        """Tries ``faults``, ``jobs`` at a time."""
        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(lambda fault: report(fault, self.attempt(fault)), faults):
                pass
