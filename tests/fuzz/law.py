"""What every reader promises of any input at all: it gives the whole, or refuses it in one line.

:func:`attempt` holds a reader to that. Whatever else comes out of it (another exception, a warning
of NumPy's that a number was mangled, more time or memory than is sane, a file left behind) fails
the test, and Hypothesis shrinks the input that did it.
"""

import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from spikewright.gen.errors import SpikewrightError

#: Inputs that were tried, by what became of them; of the test that runs.
COUNTS: Counter[str] = Counter()

#: Longest that reading a small file may take, with a machine that is busy otherwise.
SECONDS = 60

#: Longest message.
LINE = 2000


class HangError(BaseException):
    """No reader catches this."""


@dataclass(frozen=True)
class Refused:
    """What a reader that refuses says."""

    message: str


def budget(examples: int) -> settings:
    """So many ``examples`` where a Hypothesis profile's ``max_examples`` is 400: a quarter of them
    in `make test`, five times as many in `make verify`."""
    factor = settings.default.max_examples / 400
    return settings(max_examples=max(1, round(examples * factor)), deadline=None,
                    suppress_health_check=list(HealthCheck))


def attempt(reader: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What ``reader`` gives, or :class:`Refused`."""
    begun = time.monotonic()
    with warnings.catch_warnings(), _deadline():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            given = reader(*arguments, **keywords)
        except SpikewrightError as error:
            given = Refused(str(error))
    assert time.monotonic() - begun < SECONDS
    if isinstance(given, Refused):
        assert given.message.strip(), "an error without a message"
        assert "\n" not in given.message, given.message
        assert len(given.message) <= LINE, f"{len(given.message)}: {given.message[:200]}"
    COUNTS["refused" if isinstance(given, Refused) else "accepted"] += 1
    return given


@contextmanager
def _deadline() -> Iterator[None]:
    def stop(signum: int, frame: Any) -> None:
        raise HangError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing in ``folder`` is made, changed or deleted meanwhile."""
    before = contents(folder)
    yield
    assert contents(folder) == before
