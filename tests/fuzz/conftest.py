"""Memory that no reader may exceed, and how many inputs each test tried."""

import resource
import sys

import pytest
from hypothesis import settings

from .law import COUNTS

#: What reading a small file may need beyond what is in use.
_MEMORY = 6 << 30


def pytest_collection_modifyitems(items):
    """With more examples than in `make test`, they belong to `make verify`."""
    for item in items:
        if "tests/fuzz/" in item.nodeid and settings.default.max_examples > 100:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def little_memory():
    """A file that asks for more memory than it holds gets a MemoryError, not the machine's."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    COUNTS.clear()
    try:
        return (yield)
    finally:
        if COUNTS:
            item.user_properties.append(("fuzz", dict(COUNTS)))


def pytest_terminal_summary(terminalreporter):
    """One line for each test; pytest-xdist's workers send them along with their reports."""
    rows = [(report.nodeid, dict(report.user_properties)["fuzz"])
            for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])
            if report.when == "call" and "fuzz" in dict(report.user_properties)]
    if rows:
        terminalreporter.section("fuzzing: inputs tried")
    for name, counts in sorted(rows):
        said = ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items()))
        terminalreporter.write_line(f"{name.removeprefix('tests/fuzz/')}: {said}")
