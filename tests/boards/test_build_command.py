import json
from dataclasses import replace

import pytest

from spikewright.boards.toolchain import find_tool
from spikewright.gen import cli
from spikewright.gen.errors import ToolError
from spikewright.gen.runfolder import RunFolder

from ..gen.examples import one_layer


def test_bitstream_and_figures_go_into_the_run(fake_tools, make_run, spikewright):
    run = make_run().path
    code, out, err = spikewright("build", run, "--lanes", "4,2", "--json")
    assert code == 0, err
    folder = RunFolder.open(run)
    figures = folder.read_json("boards/icebreaker/build.json", "build")
    assert {key: out[key] for key in figures} == figures
    assert (figures["lanes"], figures["ways"]) == ([4, 2], [1, 1])
    assert out["path"] == str(folder.file("boards/icebreaker/top.bin", "build"))
    assert "boards/icebreaker/report.json" in folder
    assert folder.read_json("results.json", "build")["build"] == {"icebreaker": figures}


@pytest.fixture
def two_runs(make_run, small_net, tmp_path):
    """The run of a training, and what makes another one's, whose last neurons are other ones."""
    first = make_run().path.rename(tmp_path / "first")

    def second(**changes):
        layer = small_net.layers[1]
        return make_run(spec=replace(small_net, layers=(small_net.layers[0], replace(
            layer, neuron=replace(layer.neuron, **changes))))).path

    return first, second


def test_like_another_build(fake_tools, two_runs, spikewright):
    first, second = two_runs
    given = ("--lanes", "4,2", "--clock", "24.5", "--seed", "7", "--seeds", "2", "--observe",
             "--watchdog", "--link", "spi", "--json")
    _, before, _ = spikewright("build", first, *given)
    code, out, err = spikewright("build", second(threshold=9), "--like", first, "--json")
    assert code == 0, err
    for name in ("folding", "clock_mhz", "fmax_mhz_of_seeds", "observe", "watchdog", "link"):
        assert out[name] == before[name]
    assert out["network"] != before["network"]


def test_what_is_not_like_it_is_said_by_name(fake_tools, two_runs, spikewright):
    first, second = two_runs
    spikewright("build", first, "--lanes", "4,2", "--clock", "oscillator", "--no-patch")
    path = second(bias=9000)
    for arguments, message in (
        (["--lanes", "4"], "--like says what to build, and so does --lanes; give one of them"),
        (["--no-patch"], "--like says what to build, and so does --no-patch"),
        (["--clock", "fastest", "--seeds", "2", "--loadable"],
         "--like says what to build, and so does --loadable, --seeds, --clock; give one of them"),
        (["--board", "upduino-v3"], "has no boards/upduino-v3/build.json; run: spikewright build"),
        ([], "does not hold this training: layer output: words of the given widths do not hold "
             "its values, which need accumulated"),
    ):
        code, _, err = spikewright("build", path, "--like", first, *arguments)
        assert code == 2
        assert message in err


def test_another_command_builds(fake_tools, two_runs, spikewright):
    first, second = two_runs
    spikewright("build", first, "--lanes", "4,2")
    for arguments in ({}, {"like": first}):
        built = cli.run("build", run=second(threshold=9), **arguments)
        assert built["board"] == "icebreaker"


def test_tables_for_people(fake_tools, make_run, spikewright):
    code, out, _ = spikewright("build", make_run().path)
    assert code == 0
    for text in ("icebreaker (iCE40UP5K)", "logic cells", "1,000", "5,280", "30.000", "top.bin"):
        assert text in out.replace("\n", "")


def test_the_second_time_comes_from_the_cache(fake_tools, make_run, spikewright):
    run = make_run().path
    spikewright("build", run)
    fake_tools.runs()
    code, out, err = spikewright("build", run, "--json")
    assert (code, out["cached"], fake_tools.runs()) == (0, True, [])
    assert "--no-cache builds it again" in err
    code, out, _ = spikewright("build", run, "--json", "--no-cache")
    # For the board's first clock, and for that which the design reaches.
    assert (code, out["cached"], len(fake_tools.runs())) == (0, False, 6)
    code, out, _ = spikewright("build", run, "--json", "--no-cache", "--clock", "oscillator")
    assert (code, out["clock_mhz"], len(fake_tools.runs())) == (0, 12.0, 3)


@pytest.mark.parametrize(("clock", "mhz"), [
    ("fastest", 30.0), ("24.5", 24.375), ("oscillator", 12),
])
def test_the_clock_is_the_highest_that_is_allowed(fake_tools, make_run, spikewright, clock, mhz):
    code, out, _ = spikewright("build", make_run().path, "--json", "--clock", clock)
    assert (code, out["clock_mhz"], out["meets_timing"]) == (0, mhz, True)


def test_a_design_slower_than_the_clock_exits_with_1(
    fake_tools, make_run, spikewright, monkeypatch
):
    monkeypatch.setenv("FAKE_MHZ", "11.5")
    code, out, err = spikewright("build", make_run().path, "--json")
    assert code == 1
    assert out["meets_timing"] is False
    assert "too slow for its clock of 12 MHz; try more --seeds, fewer lanes or" in err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--board", "arty"], "board 'arty' is unknown; available are icestick, icebreaker"),
    (["--lanes", "4"], None),
    (["--lanes", "4,2,1"], "3 lane counts for 2 layers; give one per layer"),
    (["--lanes", "9,1"], "layer hidden: 9 lanes for 8 neurons; allowed are 1 to 8"),
    (["--lanes", "many"], "lanes 'many' is not understood"),
    (["--seed", "-1"], "--seed"),
    (["--clock", "fast"], "--clock is 'fast'; give fastest, oscillator, or a number of MHz"),
    (["--clock", "3"], "no clock of at most 3 MHz can be made of the board's 12 MHz; the slowest"),
])
def test_bad_input_is_one_line(fake_tools, make_run, spikewright, arguments, message):
    code, out, err = spikewright("build", make_run().path, *arguments)
    if message is None:
        assert code == 0
        return
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_network_too_large_leaves_the_run_as_it_was(fake_tools, make_run, spikewright):
    run = make_run(spec=one_layer(1000, 400))
    before = run.names()
    code, _, err = spikewright("build", run.path)
    assert code == 2
    assert "400000 weights need" in err
    assert RunFolder.open(run.path).names() == before
    assert not (run.path / "boards").exists()


def test_a_failing_tool_leaves_the_run_as_it_was(fake_tools, make_run, spikewright, monkeypatch):
    run = make_run()
    before = run.names()
    monkeypatch.setenv("FAKE_FAIL", "nextpnr-ice40")
    code, _, err = spikewright("build", run.path)
    assert code == 2
    assert "it broke" in err
    assert RunFolder.open(run.path).names() == before


def test_help_has_an_example(spikewright):
    code, out, _ = spikewright("build", "--help")
    assert code == 0
    assert "spikewright build runs/demo --board icebreaker" in " ".join(out.split())


@pytest.mark.slow
def test_real_tools_build_a_bitstream(make_run, spikewright, monkeypatch, tmp_path):
    try:
        for name in ("yosys", "nextpnr-ice40", "icepack"):
            find_tool(name)
    except ToolError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "cache"))
    run = make_run().path
    code, out, err = spikewright("build", run, "--lanes", "1", "--json")
    assert code == 0, err
    bits = (run / "boards" / "icebreaker" / "top.bin").read_bytes()
    assert bits[:4] == b"\xff\x00\x00\xff"  # as the iCE40 programming guide has it
    assert b"\x7e\xaa\x99\x7e" in bits[:64]
    assert 500 < out["utilisation"]["logic cells"]["used"] < 5280
    assert out["utilisation"]["logic cells"]["available"] == 5280
    assert out["fmax_mhz"]["sync"] > 12
    report = json.loads((run / "boards" / "icebreaker" / "report.json").read_text())
    assert report["utilization"]["ICESTORM_LC"] == out["utilisation"]["logic cells"]
