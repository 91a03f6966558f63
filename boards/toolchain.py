"""Finding the tools that turn a design into a bitstream, and telling one version from another."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..gen.errors import ToolError


@dataclass(frozen=True)
class _Known:
    """How a tool tells its version, and the oldest that will do."""

    argument: str
    pattern: str
    oldest: tuple[int, int]


_KNOWN = {
    # What Amaranth 0.5 asks for; Debian 12 has 0.23.
    "yosys": _Known("-V", r"Yosys (\d+)\.(\d+)", (0, 40)),
    # The first with reports for both families.
    "nextpnr-ice40": _Known("--version", r"nextpnr-(\d+)\.(\d+)", (0, 6)),
    "nextpnr-ecp5": _Known("--version", r"nextpnr-(\d+)\.(\d+)", (0, 6)),
    "ecppack": _Known("--version", r"Version (\d+)\.(\d+)", (1, 0)),
    # Has no version; its file tells one build from another.
    "icepack": None,
    "iceunpack": None,
}


@dataclass(frozen=True)
class Tool:
    """A program that was found and is new enough. ``version`` is its own words, in one line."""

    name: str
    path: str
    version: str


def find_tool(name: str) -> Tool:
    """Finds ``yosys``, ``nextpnr-ice40``, ``icepack``, ``iceunpack``, ``nextpnr-ecp5`` or
    ``ecppack``.

    The environment variable (``NEXTPNR_ICE40`` for ``nextpnr-ice40``) decides if it is set; else
    the first of these that is new enough: the tool on PATH, YoWASP's beside this Python, YoWASP's
    on PATH.

    Raises
    ------
    ToolError
        If there is none, or the one that the environment names is missing or too old.
    """
    variable = name.upper().replace("-", "_")
    remedy = "run: pip install 'spikewright[build]'"
    if given := os.environ.get(variable):
        path = shutil.which(given)
        if path is None:
            raise ToolError(f"{variable} names {given}, which is no program; unset it, or {remedy}")
        tool, why_not = _examine(name, path)
        if tool is None:
            raise ToolError(f"{variable} names {given}, but {why_not}; unset it, or {remedy}")
        return tool
    refused = []
    for path in _candidates(name):
        tool, why_not = _examine(name, path)
        if tool is not None:
            return tool
        refused.append(f" ({path}: {why_not})")
    raise ToolError(f"no usable {name} was found{''.join(refused)}; {remedy}, or set {variable}")


def _candidates(name: str) -> Iterator[str]:
    beside = str(Path(sys.executable).parent)
    for path in (shutil.which(name), shutil.which(f"yowasp-{name}", path=beside),
                 shutil.which(f"yowasp-{name}")):
        if path is not None:
            yield path


def _examine(name: str, path: str) -> tuple[Tool | None, str]:
    """The tool at ``path``, or why it will not do."""
    known = _KNOWN[name]
    if known is None:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return Tool(name, path, f"{name} sha256 {digest[:16]}"), ""
    try:
        done = subprocess.run(
            [path, known.argument], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"it does not run ({error})"
    found = re.search(known.pattern, done.stdout)
    if done.returncode != 0 or found is None:
        return None, "it does not tell its version"
    version = (int(found[1]), int(found[2]))
    if version < known.oldest:
        return None, (f"version {version[0]}.{version[1]} is too old, at least "
                      f"{known.oldest[0]}.{known.oldest[1]} is needed")
    line = next(line for line in done.stdout.splitlines() if re.search(known.pattern, line))
    return Tool(name, path, line.strip()), ""


def call(tool: Tool, arguments: list[str], working: Path) -> subprocess.CompletedProcess[str]:
    """Runs ``tool`` in ``working`` and returns all it said; ToolError if it does not start."""
    try:
        return subprocess.run(
            [tool.path, *arguments], cwd=working, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
    except OSError as error:
        raise ToolError(f"{tool.path} does not run ({error}); install it again") from error


def run_stage(stage: str, tool: Tool, arguments: list[str], working: Path) -> None:
    """Runs ``tool`` in ``working``; ToolError, in its own words, if it does not start or fails."""
    done = call(tool, arguments, working)
    if done.returncode != 0:
        raise ToolError(complaint(stage, tool, done, working))


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
