"""The command line, the tools' stand-ins, and the real Yosys."""

import json
import subprocess

import pytest
from amaranth.back import rtlil

from spikewright.boards.build import HIDE_ELEMENTS
from spikewright.boards.toolchain import find_tool

from ..tools import FakeTools, install


@pytest.fixture
def fake_tools(tmp_path, monkeypatch) -> FakeTools:
    """As of :func:`~tests.tools.install`."""
    return install(tmp_path, monkeypatch)


@pytest.fixture
def spikewright(capsys):
    """Runs the command line: (exit code, stdout, stderr); stdout is parsed after ``--json``."""
    from spikewright.gen.cli import main

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        out = json.loads(captured.out) if "--json" in arguments and captured.out else captured.out
        return caught.value.code, out, captured.err

    return run


@pytest.fixture(scope="module")
def synthesise(tmp_path_factory):
    """The netlist that Yosys makes of a design with ``ports``, for an ECP5."""
    def run(design):
        folder = tmp_path_factory.mktemp("netlist")
        (folder / "top.il").write_text(rtlil.convert(design, ports=design.ports, emit_src=False))
        script = f"read_rtlil top.il; {HIDE_ELEMENTS}; synth_ecp5 -top top -json top.json"
        subprocess.run([find_tool("yosys").path, "-q", "-p", script], cwd=folder, check=True,
                       timeout=300)
        return json.loads((folder / "top.json").read_text())

    return run
