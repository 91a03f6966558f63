import json
import subprocess

import pytest

from spikewright.boards.build import HIDE_ELEMENTS, STAGES, build
from spikewright.boards.protocol import LinkError
from spikewright.boards.registry import find_board
from spikewright.boards.toolchain import find_tool
from spikewright.boards.top import BoardTop
from spikewright.gen import Folding
from spikewright.gen.errors import DoesNotFitError, FoldingError, ToolError

from ..gen.examples import one_layer

SPEC = one_layer(4, 2)
BOARD = find_board("icebreaker").at_oscillator()
FOLDING = Folding.lanes(2, spec=SPEC)


def test_stages_run_in_order_and_are_reported(fake_tools):
    stages = []
    made = build(SPEC, BOARD, FOLDING, seeds=[7], progress=stages.append)
    assert stages == list(STAGES)
    assert [line.split()[0] for line in fake_tools.runs()] == ["yosys", "nextpnr-ice40", "icepack"]
    assert sorted(file.name for file in made.folder.iterdir()) == [
        "build.json", "report.json", "top.bin", "top.json.gz"
    ]
    assert json.loads((made.folder / "build.json").read_text()) == made.figures
    figures = made.figures
    assert figures["utilisation"] == {
        "logic cells": {"used": 1000, "available": 5280},
        "block memories": {"used": 20, "available": 30},
    }
    assert figures["fmax_mhz"] == {"sync": 30.0}
    assert figures["clock_mhz"] == 12.0
    assert figures["meets_timing"] is True
    assert (figures["lanes"], figures["ways"]) == ([2], [1])
    assert figures["network"] == SPEC.digest
    assert list(figures["seconds"]) == list(STAGES)
    assert figures["tools"]["yosys"] == "Yosys 0.70"


def test_the_seed_reaches_the_placer(fake_tools):
    build(SPEC, BOARD, FOLDING, seeds=[7])
    (line,) = [line for line in fake_tools.runs() if line.startswith("nextpnr")]
    assert line.endswith("--seed 7")
    assert "--report report.json" in line


def test_the_same_design_is_built_once(fake_tools):
    first = build(SPEC, BOARD, FOLDING)
    fake_tools.runs()
    second = build(one_layer(4, 2), BOARD, Folding())
    assert fake_tools.runs() == []
    assert second.cached
    assert not first.cached
    assert second.figures == first.figures


@pytest.mark.parametrize("change", [
    {"seeds": [2]}, {"folding": Folding.lanes(1, spec=SPEC)}, {"spec": one_layer(5, 2)},
    {"use_cache": False},
])
def test_what_makes_a_build_anew(fake_tools, change):
    arguments = {"spec": SPEC, "folding": FOLDING, **change}
    build(SPEC, BOARD, FOLDING)
    fake_tools.runs()
    assert not build(board=BOARD, **arguments).cached
    assert len(fake_tools.runs()) == 3


def test_other_tools_build_anew(fake_tools, monkeypatch):
    build(SPEC, BOARD, FOLDING)
    fake_tools.runs()
    program = fake_tools.cache.parent / "tools" / "icepack"
    program.write_text(program.read_text() + "\n# changed\n")
    assert not build(SPEC, BOARD, FOLDING).cached


def test_a_damaged_cache_entry_is_replaced(fake_tools):
    for name in ("build.json", "report.json", "top.bin"):
        file = build(SPEC, BOARD, FOLDING).folder / name
        file.write_bytes(file.read_bytes()[:-5])
        assert not build(SPEC, BOARD, FOLDING).cached, name
    file.unlink()
    assert not build(SPEC, BOARD, FOLDING).cached
    assert build(SPEC, BOARD, FOLDING).cached


def test_a_design_that_does_not_fit(fake_tools, monkeypatch):
    monkeypatch.setenv("FAKE_CELLS", "6001")
    with pytest.raises(DoesNotFitError, match=(
        r"does not fit icebreaker: it needs 6001 of 5280 logic cells; use fewer lanes, .* larger "
        r"board \(tinyfpga-bx, blackice-ii, hx8k-b-evn and \d+ more, see: spikewright boards\)"
    )):
        build(SPEC, BOARD, FOLDING)
    assert list((fake_tools.cache / "builds").iterdir()) == []


@pytest.mark.slow
def test_real_tools_say_what_a_small_part_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    with pytest.raises(DoesNotFitError, match=r"icestick: it needs \d{4} of 1280 logic cells; "):
        build(one_layer(16, 8), find_board("icestick"), FOLDING)


@pytest.mark.parametrize(("tool", "stage"), [
    ("yosys", "synthesis"), ("nextpnr-ice40", "place-and-route"), ("icepack", "packing"),
])
def test_a_tool_that_fails_leaves_nothing(fake_tools, monkeypatch, tool, stage):
    monkeypatch.setenv("FAKE_FAIL", tool)
    with pytest.raises(ToolError, match=rf"{stage} with {tool} failed \(ERROR: it broke\); try"):
        build(SPEC, BOARD, FOLDING)
    assert list((fake_tools.cache / "builds").iterdir()) == []


def test_a_slow_design_says_so(fake_tools, monkeypatch):
    monkeypatch.setenv("FAKE_MHZ", "11.9")
    assert build(SPEC, BOARD, FOLDING).figures["meets_timing"] is False


def test_no_report_is_no_traceback(fake_tools, monkeypatch):
    monkeypatch.setenv("AMARANTH_nextpnr_opts", "--report other.json")
    with pytest.raises(ToolError, match="unset AMARANTH_nextpnr_opts if it is set"):
        build(SPEC, BOARD, FOLDING)


def test_what_cannot_be_built_is_refused_before_any_tool_runs(fake_tools):
    with pytest.raises(DoesNotFitError, match="weights need"):
        build(one_layer(1000, 200), BOARD, Folding())
    with pytest.raises(FoldingError, match="3 lanes for 2 neurons"):
        build(SPEC, BOARD, Folding.lanes(3, spec=SPEC))
    with pytest.raises(LinkError, match="the host link has 32768"):
        build(one_layer(40000, 1), find_board("ulx3s-85f"), Folding())
    assert fake_tools.runs() == []


def test_a_cache_that_cannot_be_written(fake_tools, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError, match=r"cannot be written .*; set SPIKEWRIGHT_CACHE to a folder"):
        build(SPEC, BOARD, FOLDING)
    assert fake_tools.runs() == []


def test_no_wire_is_named_like_a_bit_of_another(tmp_path):
    """What the constant of that name is there for; with it Yosys sees no such wire."""
    try:
        yosys = find_tool("yosys")
    except ToolError as error:
        pytest.skip(str(error))
    plan = BOARD.make_platform().prepare(BoardTop(BOARD, SPEC, FOLDING))
    (tmp_path / "top.il").write_text(plan.files["top.il"])
    check = r"select -assert-none w:*\[*"

    def accepted(script):
        return subprocess.run([yosys.path, "-q", "-p", f"read_rtlil top.il; {script}"],
                              cwd=tmp_path, capture_output=True, timeout=120).returncode == 0

    assert not accepted(check)
    assert accepted(f"{HIDE_ELEMENTS}; {check}")


def test_an_error_that_is_only_in_the_log_is_told(fake_tools):
    program = fake_tools.cache.parent / "tools" / "yosys"
    program.write_text(program.read_text() + (
        'pathlib.Path("top.rpt").write_text("words\\nERROR: Assert failed\\n")\n'
        "raise SystemExit(1)\n"
    ))
    with pytest.raises(ToolError, match=r"synthesis with yosys failed \(ERROR: Assert failed\)"):
        build(SPEC, BOARD, FOLDING)
