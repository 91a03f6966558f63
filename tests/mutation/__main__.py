"""``make mutation``: small faults put into the hardware components, and how many of them the tests
find, in a table and in ``results.json``, which is kept under version control.

A fault that is not found must have an ``explanation`` there, written by hand: why nothing that the
hardware does can be different. It stays as long as the fault does.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from .faults import sample, sources
from .runner import Bench, Results, attempt
from .suites import RESETS, nearest, wider

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Tries the sample; 1 if a fault that was tried was not found and has no explanation, or with
    ``--sound`` if the sound design fails a test."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="FILE",
                        help="such as gen/rtl/router.py; may be given again")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time")
    parser.add_argument("--count", type=int, default=190, help="faults, about")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--limit", type=int, help="tries no more than so many")
    parser.add_argument("--resume", action="store_true",
                        help="skips faults that were killed or are explained, in a file that is "
                             "the same")
    parser.add_argument("--quick", type=float, metavar="SECONDS",
                        help="only the tests nearest to a fault; begins no other after so long")
    parser.add_argument("--sound", action="store_true",
                        help="runs the tests of the files on the sound design, and nothing else")
    asked = parser.parse_args()

    texts = sources(ROOT)
    unknown = set(asked.only) - set(texts)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: not among {', '.join(texts)}")
    if asked.sound:
        return _sound([file for file in texts if not asked.only or file in asked.only])
    every = sample(texts, asked.count, asked.seed)
    results = Results(RESULTS)
    results.keep(every)
    due = [fault for fault in every if (not asked.only or fault.file in asked.only)
           and not (asked.resume and results.knows(fault, texts[fault.file]))]
    due = due[: asked.limit]
    done = 0

    def report(fault, verdict):
        nonlocal done
        done += 1
        results.add(fault, texts[fault.file], verdict)
        print(f"{done}/{len(due)} {fault.key}: {verdict['verdict']} ({verdict['how']}) "
              f"{verdict.get('test', '')} {verdict.get('seconds', 0)} s", flush=True)

    Bench(ROOT, report, asked.quick).run(due, asked.jobs)
    rows = [results.rows[fault.key] for fault in every if fault.key in results.rows]
    count = Counter(row["verdict"] for row in rows)
    print(f"{len(every)} faults, {len(rows)} tried: "
          f"{', '.join(f'{number} {verdict}' for verdict, number in count.items())}")
    left = [row for row in rows if row["verdict"] != "killed"]
    killed, apart = count["killed"], sum("explanation" in row for row in left)
    for among, number in (("tried", len(rows)), ("that can make a difference", len(rows) - apart)):
        if number:
            print(f"{killed} of {number} {among} are found, {killed / number:.1%}")
    for row in left:
        print(f"{row['fault']}: {row['before']} => {row['after']}: "
              f"{row.get('explanation', 'NOT EXPLAINED')}")
    return int(any("explanation" not in row for row in left))


def _sound(files: list[str]) -> int:
    failed = False
    for test in dict.fromkeys(test for file in files
                              for test in [*nearest(file), *wider(file), *RESETS]):
        ((_, verdict),) = attempt(ROOT, files[0], [None], [test])
        failed |= verdict["verdict"] != "survived"
        print(f"{test}: {verdict}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
