"""Any design and any C++ program that drives it, compiled to one binary and kept.

A program includes ``model.hpp`` and finds there a ``Model`` whose ports, memories and registers
have names; it is the same for both simulators.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ToolError
from .tools import compiled_folder, cores, cxx, run, verilator, yosys, yosys_output

Simulator = Literal["verilator", "cxxrtl"]
Waveform = Literal["fst", "vcd"]

_HERE = Path(__file__).parent

#: The commands below, which are part of what a binary is made of.
_HOW = Path(__file__).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Design:
    """Hardware to compile.

    Attributes
    ----------
    text
        All of it, RTLIL or Verilog.
    ports
        Ports of the top module that a program may name.
    memories
        Memories that it may, wherever they are in the hierarchy; their names are unique.
    poked
        Memories may change while the design runs, and not only before its first ``eval()``; with
        Verilator that costs about half of the speed (426,000 cycles a second, not 754,000 and
        more, on 784 → 128 → 10), because it looks for changes in every one.
    top
        Its top module.
    language
        Of ``text``.
    """

    text: str
    ports: tuple[str, ...]
    memories: tuple[str, ...] = ()
    poked: bool = False
    top: str = "top"
    language: Literal["rtlil", "verilog"] = "rtlil"


def compiled(design: Design, program: str, simulator: Simulator, *,
             waveform: Waveform | None = None, optimise: int = 2) -> Path:
    """The binary of ``program``, C++17, driving ``design``.

    It is made once and kept in the cache folder, by the digest of everything that it is made of:
    design, program, headers, options, tools' versions and commands. Processes that make the same
    one at the same time do not disturb one another: each makes its own, and any may stay.

    ``waveform`` compiles in what ``Model::record`` needs. ``optimise`` is the C++ compiler's
    ``-O``; 0 compiles fastest, for tests.

    Raises
    ------
    ToolError
        If a tool is missing, or fails; the message names the remedy or the log.
    """
    maker = {"verilator": _Verilator, "cxxrtl": _Cxxrtl}[simulator](waveform, optimise)
    files = {name: (_HERE / name).read_text(encoding="utf-8")
             for name in ("model.hpp", f"{simulator}_model.hpp")} | {"program.cpp": program}
    kept = compiled_folder() / _digest((design, files, waveform, optimise, maker.identity, _HOW))
    if kept.exists():
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        working = tempfile.TemporaryDirectory(prefix="working-", dir=kept.parent)
    except OSError as error:
        raise ToolError(
            f"cache folder {kept.parent} cannot be written ({error.strerror}); set "
            f"SPIKEWRIGHT_CACHE to a folder that can"
        ) from error
    with working as name:
        for file, content in files.items():
            (Path(name) / file).write_text(content, encoding="utf-8")
        maker.make(design, Path(name)).replace(kept)
    return kept


def _digest(made_of: tuple) -> str:
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]


class _Verilator:
    """Verilog by Yosys, C++ by Verilator, and its makefile."""

    def __init__(self, waveform: Waveform | None, optimise: int):
        self.waveform, self.optimise = waveform, optimise
        self.tool, self.cxx = verilator(), cxx()
        self.identity = (self.tool.version, self.cxx.version, yosys().version())

    def make(self, design: Design, folder: Path) -> Path:
        text = design.text
        if design.language == "rtlil":
            text = yosys_output(text, "rtlil", [
                "proc -nomux -norom", "memory_collect", "write_verilog -norename -noattr"])
        # Amaranth calls elements of arrays x[0], x[1], …, which Verilator takes for bits of x.
        text = re.sub(r"\\\S+", lambda name: name[0].replace("[", ":").replace("]", ""), text)
        (folder / "design.v").write_text(text, encoding="utf-8")
        kind = "public_flat_rw" if design.poked else "public_flat_rd"
        public = [*(f'public_flat_rd -module "{design.top}" -var "{name}"\n'
                    for name in design.ports),
                  *(f'{kind} -module "*" -var "{name}"\n' for name in design.memories)]
        (folder / "public.vlt").write_text("`verilator_config\n" + "".join(public),
                                           encoding="utf-8")
        record = {None: (), "vcd": ("--trace",), "fst": ("--trace-fst",)}[self.waveform]
        flags = f"-std=c++17 -I.. -DMODEL_VERILATOR -DMODEL_{(self.waveform or 'none').upper()}"
        run([*self.tool.command, "--cc", "--exe", "--top-module", design.top,
             "--prefix", "Vmodel", "--Mdir", "made", "-Wno-fatal", "-Wno-lint", "-Wno-style",
             "-O3", "--noassert", "--x-assign", "fast", "--x-initial", "fast",
             "--output-split", "20000", *record, "-CFLAGS", flags,
             "public.vlt", "design.v", "program.cpp"], folder)
        level = f"-O{self.optimise}"
        made = folder / "made"
        self._exchange(self._runtime, made)
        run(["make", "-j", str(cores()), "-C", "made", "-f", "Vmodel.mk", f"CXX={self.cxx.shell}",
             f"LINK={self.cxx.shell}", f"OPT_FAST={level}", "OPT_SLOW=-O0",
             f"OPT_GLOBAL={level}", "Vmodel"], folder)
        self._exchange(made, self._runtime)
        return made / "Vmodel"

    @property
    def _runtime(self) -> Path:
        """Verilator's own objects, alike for all designs, which take longer than a small one."""
        made_of = (self.identity, self.waveform, self.optimise, _HOW)
        return compiled_folder() / f"runtime-{_digest(made_of)}"

    @staticmethod
    def _exchange(there: Path, here: Path) -> None:
        """Copies the objects in ``there`` that are not ``here``, each at once."""
        here.mkdir(exist_ok=True)
        for ready in there.glob("verilated*.o"):
            if not (here / ready.name).exists():
                with tempfile.NamedTemporaryFile(dir=here, delete=False) as copy:
                    copy.write(ready.read_bytes())
                Path(copy.name).replace(here / ready.name)


class _Cxxrtl:
    """C++ by Yosys, in one piece."""

    def __init__(self, waveform: Waveform | None, optimise: int):
        if waveform == "fst":
            raise ToolError("CXXRTL records VCD, not FST; ask for a .vcd, or use Verilator")
        self.waveform, self.optimise = waveform, optimise
        self.cxx = cxx()
        self.identity = (self.cxx.version, yosys().version())

    def make(self, design: Design, folder: Path) -> Path:
        text = yosys_output(design.text, design.language, [
            f"hierarchy -top {design.top}", f"write_cxxrtl -g{4 if self.waveform else 2}"])
        (folder / "model_cxxrtl.cpp").write_text(text, encoding="utf-8")
        include = Path(str(yosys().data_dir())) / "include" / "backends" / "cxxrtl" / "runtime"
        # Reading beyond the end of a memory is an error to CXXRTL's assertions, but designs do it,
        # in cycles in which they do not look at the result.
        run([*self.cxx.command, "-std=c++17", f"-O{self.optimise}", "-DCXXRTL_NDEBUG",
             "-DMODEL_CXXRTL", f"-DMODEL_{(self.waveform or 'none').upper()}", "-I.",
             f"-I{include}", "-o", "program", "program.cpp"], folder)
        return folder / "program"
