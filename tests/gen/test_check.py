"""``spikewright check`` finds every kind of seeded fault, and says where it is."""

import json
import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType

import numpy as np
import pytest

from spikewright.gen import cli, simulate
from spikewright.gen.engines import GROUP, golden
from spikewright.gen.runfolder import RunFolder
from spikewright.gen.trace import Trace


@pytest.fixture
def register(monkeypatch):
    """Registers an engine: golden, with its trace changed by ``fault``."""

    def add(fault: Callable[[Trace], None], name: str = "faulty") -> None:
        def run(spec, spikes, options):
            trace = golden.run(spec, spikes, options)
            object.__setattr__(trace, "engine", name)
            fault(trace)
            return trace

        module = ModuleType("faulty_engine")
        module.__dict__["run"] = run
        monkeypatch.setitem(sys.modules, "faulty_engine", module)
        genuine = metadata.entry_points

        def entry_points(**select):
            found = list(genuine(**select))
            if select.get("group") == GROUP and select.get("name", name) == name:
                found.append(metadata.EntryPoint(name, "faulty_engine:run", GROUP))
            return found

        monkeypatch.setattr(metadata, "entry_points", entry_points)

    return add


@pytest.fixture
def check(capsys):
    def run(*arguments: object) -> tuple[int, dict, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(["check", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return int(exit.value.code or 0), json.loads(out), err

    return run


def flip_spike(trace):
    trace.spikes[0][3, 2, 5] ^= True


def nudge_membrane(trace):
    trace.membranes[1][4, 1, 2] += 1


def miscount(trace):
    trace.counters["events_in"][2, 1] += 1


def mispredict(trace):
    trace.prediction[5] = 3 - trace.prediction[5]


@pytest.mark.parametrize(("fault", "place"), [
    (flip_spike, {"what": "spike", "sample": 3, "layer": "hidden", "timestep": 2, "neuron": 5}),
    (nudge_membrane,
     {"what": "membrane", "sample": 4, "layer": "output", "timestep": 1, "neuron": 2}),
    (miscount, {"what": "counter events_in", "sample": 2, "layer": "output", "timestep": None,
                "neuron": None}),
    (mispredict, {"what": "prediction", "sample": 5, "layer": None, "timestep": None,
                  "neuron": None}),
])
def test_one_seeded_fault_is_found(fault, place, register, check, make_run):
    register(fault)
    run = make_run()
    code, result, err = check(run.path, "--engines", "faulty,golden")
    assert code == 1
    assert (result["samples"], result["mismatches"]) == (6, 1)
    found = result["first_difference"]
    assert {key: found[key] for key in place} == place
    assert found["values"]["golden"] != found["values"]["faulty"]
    line = next(line for line in err.splitlines() if line.startswith("first difference: "))
    for key in ("layer", "timestep", "neuron"):
        if place[key] is not None:
            assert f"{key} {place[key]}" in line
    for engine, value in found["values"].items():
        assert f"{engine} has {value}" in line
    recorded = RunFolder.open(run.path).read_json("results.json", "check")["check"]
    assert recorded["mismatches"] == 1


def test_a_fault_beyond_the_first_batch_keeps_its_sample(register, check, make_run, monkeypatch):
    monkeypatch.setattr("spikewright.gen.check_command._BATCH", 2)
    calls = []

    def only_in_third_batch(trace):
        calls.append(len(trace))
        if len(calls) == 3:
            trace.spikes[1][1, 0, 0] ^= True

    register(only_in_third_batch)
    code, result, _ = check(make_run().path, "--engines", "faulty")
    assert (code, calls) == (1, [2, 2, 2])
    assert result["first_difference"]["sample"] == 5


def test_an_engine_that_hides_its_membranes_proves_nothing(register, make_run, capsys):
    register(lambda trace: object.__setattr__(trace, "membranes", None))
    with pytest.raises(SystemExit) as exit:
        cli.main(["check", str(make_run().path), "--engines", "faulty"])
    assert exit.value.code == 2
    assert "reports no membranes" in capsys.readouterr().err


@pytest.mark.parametrize("lanes", [None, "1", "3,4"])
def test_hardware_equals_golden(check, make_run, lanes):
    code, result, _ = check(make_run().path, "--engines", "golden,amaranth",
                            *(["--lanes", lanes] if lanes else []))
    assert code == 0
    assert result["engines"] == ["amaranth", "golden"]
    assert (result["samples"], result["mismatches"]) == (6, 0)
    assert result["first_difference"] is None


def test_engines_by_default_are_left_out_aloud(check, make_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "spikewright.model.engine", None)
    code, result, err = check(make_run().path, "--samples", 2)
    assert code == 0
    assert result["engines"] == ["amaranth", "golden"]
    assert "torch" in result["left_out"]
    assert "left out: torch" in err


def test_engines_asked_for_are_not_left_out(make_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "spikewright.model.engine", None)
    with pytest.raises(SystemExit) as exit:
        cli.main(["check", str(make_run().path), "--engines", "torch,golden"])
    assert exit.value.code == 2
    assert "engine 'torch' needs" in capsys.readouterr().err


def test_hardware_is_held_to_the_clock_of_the_cycle_model(register, check, make_run, small_net):
    """A wrong cycle counter is a difference, although golden has none."""
    def slow(trace):
        clocked = simulate(small_net, make_run().stimulus().spikes, engine="cycles", membranes=True)
        for name in ("counters", "cycles", "first_spike", "decision"):
            object.__setattr__(trace, name, getattr(clocked, name))
        trace.cycles[1] += 1

    register(slow)
    code, result, _ = check(make_run().path, "--engines", "faulty")
    assert (code, result["mismatches"]) == (1, 1)
    assert result["first_difference"]["what"] == "cycles"
    assert result["compared_per_engine"]["faulty"] == [
        "spikes", "membranes", "scores", "counters", "cycles"]


def test_all_engines_are_those_that_can_run_here(check, make_run, monkeypatch):
    monkeypatch.setattr("spikewright.gen.check_command.available_engines",
                        lambda: ["cycles", "golden", "netlist", "synthesis"])
    code, result, err = check(make_run().path, "--engines", "all")
    assert (code, result["engines"]) == (0, ["cycles", "golden"])
    assert set(result["left_out"]) == {"netlist", "synthesis"}
    assert "left out: netlist (it simulates a built board; name one with --board)" in err


@pytest.mark.parametrize(("options", "message"), [
    (["--board", "icebreaker"], "run: spikewright build --board icebreaker "),
    (["--engines", "netlist"], "engine netlist simulates a built board"),
    (["--engines", "nothing"], "engine 'nothing' is unknown"),
])
def test_a_board_that_is_not_built(make_run, capsys, options, message):
    with pytest.raises(SystemExit) as exit:
        cli.main(["check", str(make_run().path), *options])
    assert exit.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_simulate_hardware_reports_cycles(make_run, small_net):
    result = cli.run("simulate", run=make_run().path, engine="amaranth", samples=3, lanes="4")
    cycles = result["per_sample"]["cycles"]
    assert len(cycles) == 3
    assert result["cycles"] == {"mean": sum(cycles) / 3, "min": min(cycles), "max": max(cycles)}
    for layer in small_net.layers:
        counted = result["counters"][layer.name]
        assert sum(counted[k] for k in ("busy", "sweeping", "stalled", "starved")) == sum(cycles)
        assert result["utilisation"][layer.name] == pytest.approx(
            counted["synops"] / (4 * sum(cycles)))
    assert np.all(np.asarray(cycles) > 0)


def test_simulate_writes_a_waveform(make_run, tmp_path):
    cli.run("simulate", run=make_run().path, engine="amaranth", samples=1,
            waveform=tmp_path / "deep" / "x.vcd")
    assert (tmp_path / "deep" / "x.vcd").read_text().startswith(("$", "\n", " "))
