"""What a second worker is worth to a study: the same trials into a new store, by one process and by
two, in turns; medians. Only on an otherwise idle machine with two cores does it mean anything."""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from spikewright.model.study.settings import Study

#: Nets of it are as large as those of study-quick, and trained as long; two foldings of each.
STUDY = """
name = "workers"
recipe = "digits"
samples = 120
[set]
epochs = 8
hidden = [32]
board = "icebreaker"
quantisation.method = "ptq"
[space]
surrogate = ["fast_sigmoid", "atan"]
slope = [2, 10]
seed = {seeds}
lanes = ["8,1", "32,10"]
"""

#: Seeds of a short study and of a long one, four nets each.
SEEDS = (4, 24)

TURNS = 3


class Took(NamedTuple):
    """Seconds of a study: the whole command; from its first trial's begin to the last one's end;
    of processors, all that it started included."""

    command: float
    trials: float
    processors: float


def measure() -> list[dict]:
    return [_measure(STUDY.format(seeds=list(range(seeds)))) for seeds in SEEDS]


def _measure(study: str) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "study.toml"
        file.write_text(study)
        _once(file, folder / "first", 2)  # samples and estimates, which are kept
        trials = Study.load(str(file)).combinations
        turns = [[_once(file, folder / f"{turn}-{workers}", workers) for workers in (1, 2)]
                 for turn in range(TURNS)]
    one, two = (Took(*map(statistics.median, zip(*each, strict=True)))
                for each in zip(*turns, strict=True))
    return {
        "what": f"a study of {trials} trials by one worker and by two, medians of "
                f"{TURNS} turns",
        "load_of_the_machine_at_the_end": round(os.getloadavg()[0], 1),
        "seconds_one": round(one.command, 1), "seconds_two": round(two.command, 1),
        "times_as_fast": round(one.command / two.command, 2),
        "seconds_of_trials_one": round(one.trials, 1),
        "seconds_of_trials_two": round(two.trials, 1),
        "trials_times_as_fast": round(one.trials / two.trials, 2),
        "processor_seconds_one": round(one.processors, 1),
        "processor_seconds_two": round(two.processors, 1),
    }


def _once(file: Path, folder: Path, workers: int) -> Took:
    begun, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-c", "from spikewright.gen.cli import main; main()", "study", str(file),
         "-o", str(folder), "--workers", str(workers)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command, after = time.perf_counter() - begun, os.times()
    with closing(sqlite3.connect(folder / "study.db")) as store:
        [(first, last)] = store.execute("SELECT min(begun), max(ended) FROM attempts")
    return Took(command, last - first,
                after.children_user + after.children_system - before.children_user
                - before.children_system)
