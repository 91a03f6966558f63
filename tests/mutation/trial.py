"""One run of tests against one faulty module, in a process of its own; no file is changed."""

import ast
import os
import resource
import signal
import sys
import tempfile
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType

from .faults import apply

#: Processor time of a test, and of one that draws its examples; sound designs take at most half.
LIMITS = 15.0, 90.0


class FaultyImport:
    """Finder that answers for one module, with other code than its file holds."""

    def __init__(self, module: str, path: Path, code: CodeType):
        self.module = module
        self.path = path
        self.code = code

    def find_spec(self, name, path=None, target=None):
        if name != self.module:
            return None
        loader = SourceFileLoader(name, str(self.path))
        loader.get_code = lambda fullname: self.code
        return spec_from_file_location(name, self.path, loader=loader)


def module_name(file: str) -> str:
    """``gen/rtl/x.py`` as it is imported."""
    return ".".join(("spikewright", *Path(file).with_suffix("").parts))


class Watch:
    """Pytest plugin: tells the first test that fails, how, and ends a test that hangs."""

    def __init__(self, answer: Connection, limits: tuple[float, float]):
        self.answer = answer
        self.limits = limits
        self.test = "collection"

    def tell(self, **verdict):
        used = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(
            resource.RUSAGE_CHILDREN)
        seconds = sum(usage.ru_utime + usage.ru_stime for usage in used)
        self.answer.send({"test": self.test, "seconds": round(seconds, 1), **verdict})

    def pytest_runtest_setup(self, item):
        self.test = item.nodeid
        draws = hasattr(getattr(item, "obj", None), "hypothesis")
        signal.setitimer(signal.ITIMER_PROF, self.limits[draws])

    def pytest_exception_interact(self, node, call, report):
        self.test = node.nodeid
        self.tell(verdict="killed", how=_how(call.excinfo.value))

    def hang(self, number, frame):
        self.tell(verdict="killed", how="hangs")
        os._exit(1)


def _how(error: BaseException) -> str:
    """By a check of the test's, or because the design, or the test around it, broke."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return "check" if isinstance(error, AssertionError) else type(error).__name__


def run(answer: Connection, root: Path, file: str, number: int | None, tests: list[str],
        limits: tuple[float, float] = LIMITS):
    """Runs ``tests`` until one fails, with fault ``number`` of ``file`` if it is given, and sends
    the verdict; without tests, the digest of :mod:`.designs`."""
    os.setsid()
    watch = Watch(answer, limits)
    try:
        if file:
            path = root / file
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source) if number is None else apply(source, number)
            code = compile(tree, str(path), "exec")
            sys.meta_path.insert(0, FaultyImport(module_name(file), path, code))
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        if tests:
            _test(watch, root, tests)
        else:
            from .designs import digest

            watch.tell(verdict="built", how=digest())
    except BaseException as error:
        watch.tell(verdict="broken", how=f"{type(error).__name__}: {error}")


def _test(watch: Watch, root: Path, tests: list[str]):
    import pytest
    from hypothesis import Phase, settings

    signal.signal(signal.SIGPROF, watch.hang)
    # The same examples for every fault; the first that fails is enough.
    settings.register_profile("mutation", derandomize=True, database=None,
                              phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutation")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPIKEWRIGHT_CACHE"] = folder
        os.chdir(folder)
        code = pytest.main(
            ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist",
             "-c", str(root / "pyproject.toml"), "--rootdir", str(root),
             *(str(root / "tests" / test) for test in tests)], plugins=[watch])
        os.chdir(root)
    watch.tell(verdict="survived" if code == 0 else "killed", how=f"exit code {int(code)}")
