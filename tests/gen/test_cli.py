"""The command line: exit codes, one line for bad input, one JSON object on stdout."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikewright.gen import Stimulus, cli, console
from spikewright.gen.errors import SpikewrightError
from spikewright.gen.runfolder import RunFolder

from .examples import of_everything


@pytest.fixture
def spikewright(capsys):
    """Runs a command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            cli.main([str(a) for a in arguments])
        return int(exit.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def refused(spikewright):
    """Runs a command line that must be refused in one line; returns the line."""

    def run(*arguments: object) -> str:
        code, out, err = spikewright(*arguments)
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert line.startswith("error: ")
        return line

    return run


def test_help_of_every_command_has_an_example(spikewright):
    code, out, _ = spikewright("--help")
    assert code == 0
    for name in cli.ORDER:
        assert name in out
        code, help_text, _ = spikewright(name, "--help")
        assert code == 0
        assert "Example" in help_text, name
        assert f"spikewright {name}" in help_text, name
        assert "--json" in help_text, name


def test_nothing_asked_shows_help(spikewright):
    code, out, _ = spikewright()
    assert code == 0
    assert "Usage" in out


def test_simulate_json(spikewright, make_run, small_stimulus):
    run = make_run()
    code, out, _ = spikewright("simulate", run.path, "--json")
    assert code == 0
    result = json.loads(out)
    assert result["samples"] == 6
    assert result["accuracy"] == pytest.approx(5 / 6)
    assert result["input_spikes"] == small_stimulus.spikes.sum()
    assert set(result["spikes_per_layer"]) == {"hidden", "output"}
    assert result["synops"] == 8 * result["input_spikes"] + 4 * result["spikes_per_layer"]["hidden"]
    assert result["counters"]["output"]["events_in"] == result["spikes_per_layer"]["hidden"]
    assert result["cycles"] is None
    kept = json.loads((run.path / "results.json").read_text())["simulate"]["golden"]
    assert kept.items() <= result.items()


def test_simulate_a_held_image(spikewright, make_run):
    spec = of_everything()
    images = np.random.default_rng(1).integers(0, 4, (5, 1, spec.inputs))
    run = make_run(spec, Stimulus(images, np.full(5, -1)))
    code, out, _ = spikewright("simulate", run.path, "--json")
    assert code == 0
    result = json.loads(out)
    assert result["timesteps"] == spec.timesteps
    assert result["input_spikes"] == np.count_nonzero(images)
    assert result["input_rate"] == pytest.approx(np.count_nonzero(images) / images.size)
    assert result["counters"]["conv1"]["events_in"] == result["input_spikes"]
    assert result["counters"]["hidden"]["recurrent_events"] > 0
    assert result["spikes_per_layer"]["output"] == 0


def test_batches_do_not_change_the_figures(make_run, monkeypatch):
    run = make_run().path
    whole = cli.run("simulate", run=run, membranes=True)
    monkeypatch.setattr("spikewright.gen.commands._BATCH", 4)
    assert cli.run("simulate", run=run, membranes=True) == whole
    assert whole["membranes"]["hidden"]["low"] < whole["membranes"]["hidden"]["high"]


def test_simulate_as_tables(spikewright, make_run):
    code, out, _ = spikewright("simulate", make_run().path, "--membranes", "--samples", 2)
    assert code == 0
    assert "hidden" in out
    assert "proven" in out


def test_simulate_other_spikes_leaves_run_alone(spikewright, make_run, small_stimulus, tmp_path):
    run = make_run()
    type(small_stimulus)(small_stimulus.spikes, np.full(6, -1)).save(tmp_path / "other.npz")
    code, out, _ = spikewright("simulate", run.path, "--data", f"spikes:{tmp_path}/other.npz",
                               "--samples", 4, "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] is None
    assert json.loads(out)["samples"] == 4
    assert not (run.path / "results.json").exists()


def test_generate(spikewright, make_run, small_net, tmp_path):
    run = make_run()
    code, out, _ = spikewright("generate", run.path, "--lanes", "4,1", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["lanes"] == {"hidden": 4, "output": 1}
    text = (run.path / "verilog" / "small.v").read_text()
    assert result["verilog"] == str(run.path / "verilog" / "small.v")
    assert text.startswith("// small")
    assert small_net.digest in text
    top = text[re.search(r"^module \\?small\b", text, re.MULTILINE).start():]
    for port in result["ports"]:
        assert re.search(rf"^\s*{port['direction']}\b.*\b{port['name']};$", top, re.MULTILINE), port
    code, out, _ = spikewright("generate", run.path, "-o", tmp_path / "deep" / "rtl")
    assert code == 0
    assert "counter_address" in out
    assert (tmp_path / "deep" / "rtl" / "small.v").read_text() != text  # other lanes


def test_generate_a_test_bench_and_axi_ports(spikewright, make_run, small_net, refused, tmp_path):
    run = make_run()
    code, out, _ = spikewright("generate", run.path, "--testbench", "--axi", "--loadable",
                               "--samples", 2, "--json")
    result = json.loads(out)
    assert code == 0
    vectors = [f"small_tb/{name}.hex"
               for name in ("beats", "begins", "results", "counters", "weights")]
    names = ["small.v", "small_axi.v", "small_tb.v", *vectors]
    assert result["files"] == [str(run.path / "verilog" / name) for name in names]
    assert [name for name in RunFolder.open(run.path).names() if "verilog" in name] == sorted(
        f"verilog/{name}" for name in names)
    assert result["samples"] == 2
    assert {"load_byte", "loaded"} <= {port["name"] for port in result["ports"]}
    top = (run.path / "verilog" / "small_axi.v").read_text()
    for port in result["axi_ports"]:
        assert f"  {port['direction']} " in top
        assert port["name"] in top
    assert small_net.digest in top
    code, _, _ = spikewright("generate", run.path)
    assert code == 0
    assert list((run.path / "verilog").rglob("*.*")) == [run.path / "verilog" / "small.v"]
    code, out, _ = spikewright("generate", run.path, "-o", tmp_path / "rtl", "--testbench")
    assert code == 0
    assert "small_tb.v" in out
    assert sorted(path.name for path in (tmp_path / "rtl").iterdir()) == [
        "small.v", "small_tb", "small_tb.v"]
    assert "add --testbench" in refused("generate", run.path, "--samples", 2)


def test_generate_where_nothing_can_be_written(refused, make_run, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused("generate", make_run().path, "-o", tmp_path / "file")


def test_bad_input_is_one_line(refused, make_run, tmp_path):
    run = make_run().path
    assert "No such option: --fast" in refused("simulate", run, "--fast")
    assert "No such command" in refused("melt", run)
    assert "Missing argument" in refused("simulate")
    assert "no run folder" in refused("simulate", tmp_path / "nowhere")
    assert "no run folder" in refused("check", tmp_path / "nowhere")
    assert "no run folder" in refused("generate", tmp_path / "nowhere")
    assert "engine 'abacus' is unknown; available are" in refused("simulate", run, "--engine",
                                                                  "abacus")
    assert "engine 'abacus' is unknown" in refused("check", run, "--engines", "golden,abacus")
    assert "nothing to compare golden with" in refused("check", run, "--engines", "golden")
    assert "spikes:…" in refused("simulate", run, "--data", "carrier-pigeon:x")
    assert "SCHEME:PATH" in refused("simulate", run, "--data", "file.npz")
    assert "cannot be read" in refused("simulate", run, "--data", "spikes:/nowhere.npz")
    assert "no clock" in refused("simulate", run, "--waveform", tmp_path / "x.vcd")
    assert "9 lanes for 8 neurons" in refused("simulate", run, "--lanes", "9,4")
    assert "3 lane counts for 2 layers" in refused("simulate", run, "--lanes", "1,1,1")
    assert "'many' is not understood" in refused("simulate", run, "--lanes", "many")
    assert "3 way counts for 2 layers" in refused("simulate", run, "--ways", "1,1,1")
    assert "ways 0 has 0; every number" in refused("check", run, "--ways", "0")
    assert "Invalid value for '--samples'" in refused("simulate", run, "--samples", "0")
    assert refused("simulate", run, "--engine", "abacus", "--json")


@pytest.mark.parametrize("name", ["run.json", "spec.json", "spec.npz", "stimulus.npz"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "edited"])
def test_damaged_run_folder(refused, make_run, name, damage):
    file = make_run().path / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    before = sorted(file.parent.iterdir())
    line = refused("simulate", file.parent)
    assert str(file.parent) in line
    assert "train" in line or "compile" in line
    assert sorted(file.parent.iterdir()) == before


def test_unknown_versions(refused, make_run):
    run = make_run()
    manifest = run.path / "run.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"version": 1', '"version": 99'))
    assert "version 99; this spikewright reads 1" in refused("simulate", run.path)
    manifest.write_text(text)
    description = json.loads((run.path / "spec.json").read_text())
    with run.writing("compile") as folder:
        (folder / "spec.json").write_text(json.dumps({**description, "version": 99}))
    assert "version 99; this spikewright reads 2" in refused("simulate", run.path)


def test_spikes_of_another_net(refused, make_run, tmp_path, small_stimulus):
    type(small_stimulus)(small_stimulus.spikes[:, :, :5], small_stimulus.labels).save(
        tmp_path / "narrow.npz")
    line = refused("simulate", make_run().path, "--data", f"spikes:{tmp_path}/narrow.npz")
    assert "(6, 5, 5)" in line
    assert "12" in line


def test_missing_package_is_named(refused, make_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "spikewright.gen.engines.golden", None)
    monkeypatch.delattr("spikewright.gen.engines.golden", raising=False)
    assert "golden" in refused("simulate", make_run().path)


def test_interrupt(spikewright, make_run, monkeypatch):
    run = make_run().path

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikewright.gen.commands.run_engine", interrupted)
    code, out, err = spikewright("simulate", run)
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err


def test_what_the_system_refuses(refused, make_run, monkeypatch):
    run = make_run().path

    def forbidden(*_arguments, **_options):
        raise PermissionError(13, "Permission denied", "/locked/file")

    monkeypatch.setattr("spikewright.gen.commands.run_engine", forbidden)
    assert "/locked/file: Permission denied" in refused("simulate", run)


def test_package_left_out(refused, make_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    line = refused("report", make_run().path)
    assert "'jinja2'" in line
    assert "pip install 'spikewright[" in line


def test_bug_of_ours_keeps_its_traceback(make_run, monkeypatch):
    run = make_run().path

    def broken(*_arguments, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr("spikewright.gen.commands.run_engine", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["simulate", str(run)])


def test_run_returns_what_json_prints(make_run, capsys):
    run = make_run().path
    result = cli.run("simulate", run=run)
    assert capsys.readouterr().out == ""
    assert result["samples"] == 6
    with pytest.raises(SpikewrightError, match="not installed"):
        cli.run("melt")


def test_table_cells():
    made = console.table("t", ("a", "b"), [("x", 1234567), ("y", None), ("z", 0.5)])
    assert list(made.columns[1].cells) == ["1,234,567", "–", "0.500"]


class TestAsAProcess:
    """The installed script, with streams that are no terminal."""

    @staticmethod
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        script = Path(sys.executable).with_name("spikewright")
        return subprocess.run([script, *map(str, arguments)], capture_output=True, text=True,
                              env={**os.environ, "COLUMNS": "200"}, timeout=60)

    def test_json_is_the_whole_stdout(self, make_run):
        done = self.run("simulate", make_run().path, "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["samples"] == 6
        assert "simulating on golden" in done.stderr

    def test_bad_input(self, tmp_path):
        done = self.run("simulate", tmp_path / "nowhere", "--json")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
