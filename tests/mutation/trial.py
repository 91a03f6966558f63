"""Runs the same tests against many faults of one file; no file is changed.

The tests are imported and collected once, with the sound component. Each fault then has a process
of its own, forked from there, in which the functions of the module get faulty code.
"""

import ast
import inspect
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import zip_longest
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from .faults import apply
from .suites import WHOLE_DESIGNS

#: Processor time of a test of a component; of one of whole designs, or that draws its examples; of
#: one that does both; and after which no other begins. Sound designs take at most half of the first
#: three.
Limits = tuple[float, float, float, float]
LIMITS: Limits = (5.0, 12.0, 70.0, float("inf"))

#: Time for all tests, the tools that they wait for included.
WALL_SECONDS = 2400.0


def module_of(file: str) -> ModuleType:
    """``gen/rtl/x.py`` as it is imported."""
    return import_module(".".join(("spikewright", *Path(file).with_suffix("").parts)))


def patch(module: ModuleType, tree: ast.Module):
    """Gives the functions and methods of ``module`` the code that they have in ``tree``."""
    codes = dict(_codes(compile(tree, str(module.__file__), "exec")))
    for function in _functions(module):
        function.__code__ = codes[function.__qualname__]


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner.co_qualname, inner
            yield from _codes(inner)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for holder in (module, *(each for each in vars(module).values()
                             if inspect.isclass(each) and each.__module__ == module.__name__)):
        for member in vars(holder).values():
            function = inspect.unwrap(getattr(member, "fget", None)
                                      or getattr(member, "__func__", member))
            if inspect.isfunction(function) and function.__module__ == module.__name__ \
                    and function.__code__.co_filename == module.__file__:
                yield function


class Trials:
    """Pytest plugin: instead of the tests runs one process for each of ``numbers``, which tells
    the first test that fails, how, and ends a test that hangs."""

    def __init__(self, answers: Connection, root: Path, file: str, numbers: Sequence[int | None],
                 limits: Limits):
        self.answers = answers
        self.source = (root / file).read_text(encoding="utf-8")
        self.file = file
        self.numbers = numbers
        self.limits = limits
        self.number: int | None = None
        self.test = ""

    def pytest_runtestloop(self, session: pytest.Session):
        for number in self.numbers:
            self.number = number
            child = os.fork()
            if not child:
                self._try(session)
            self._wait(child)
        return True

    def _wait(self, child: int):
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
        signal.alarm(int(WALL_SECONDS))
        _, status = os.waitpid(child, 0)
        signal.alarm(0)
        if status:
            self.tell(verdict="killed", how="hangs" if status == signal.SIGKILL else "dies")

    def _try(self, session: pytest.Session):
        os.setsid()
        signal.signal(signal.SIGPROF, self._hang)
        try:
            if self.number is not None:
                patch(module_of(self.file), apply(self.source, self.number))
            for item, following in zip_longest(session.items, session.items[1:]):
                self.test = item.nodeid
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._end(verdict="survived", how="all pass" if session.items else self._digest())
        except BaseException as error:
            self._end(verdict="killed" if session.items else "built", how=type(error).__name__)

    def pytest_runtest_setup(self, item):
        if _seconds() > self.limits[3]:
            self._end(verdict="survived", how="time is up")
        draws = hasattr(getattr(item, "obj", None), "hypothesis")
        whole = item.path.name in WHOLE_DESIGNS
        signal.setitimer(signal.ITIMER_PROF, self.limits[draws + whole])

    def pytest_exception_interact(self, node, call, report):
        if node.session.testscollected:
            self._end(verdict="killed", how=_how(call.excinfo.value))

    def _digest(self) -> str:
        from .designs import digest

        return digest(self.file)

    def _hang(self, number, frame):
        self._end(verdict="killed", how="hangs")

    def _end(self, **verdict: str):
        self.tell(**verdict)
        os._exit(0)

    def tell(self, **verdict: str):
        """Sends what became of the fault under way."""
        self.answers.send((self.number, {
            **verdict, "test": self.test, "seconds": round(_seconds(), 1)}))


def _seconds() -> float:
    """Processor time of this process and of the tools that it called."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _how(error: BaseException) -> str:
    """By a check of the test's, or because the design, or the test around it, broke."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return "check" if isinstance(error, AssertionError) else type(error).__name__


def run(answers: Connection, root: Path, file: str, numbers: Sequence[int | None],
        tests: Sequence[str], limits: Limits = LIMITS):
    """Tries faults ``numbers`` of ``file``, and the sound one where that is None: sends number and
    verdict of each, then None. Without ``tests`` what is told is the digest of :mod:`.designs`."""
    from hypothesis import Phase, settings

    # The same examples for every fault; the first that fails is enough.
    settings.register_profile("mutation", derandomize=True, database=None,
                              phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutation")
    trials = Trials(answers, root, file, numbers, limits)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    sys.path.insert(0, str(root))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPIKEWRIGHT_CACHE"] = folder
        os.chdir(folder)
        if tests:
            pytest.main(
                ["-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist",
                 "--keep-duplicates",  # or a test that is named first would run with its file
                 "-c", str(root / "pyproject.toml"), "--rootdir", str(root),
                 *(str(root / "tests" / test) for test in tests)], plugins=[trials])
        else:
            from . import designs  # noqa: F401  imported once, with the sound component

            trials.pytest_runtestloop(_Nothing())
        os.chdir(root)
    answers.send(None)


class _Nothing:
    items: Sequence[pytest.Item] = ()
