import json
import re

import pytest

from spikewright.gen import cli
from spikewright.gen.runfolder import RunFolder

PNG, SVG = b"\x89PNG", b"<?xml"


@pytest.fixture
def energy(capsys):
    """Runs ``spikewright energy``: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            cli.main(["energy", *(str(argument) for argument in arguments)])
        return int(exit.value.code or 0), *capsys.readouterr()

    return run


def written(folder, names):
    """The pages and pictures ``names`` of ``folder``, checked to be what they are called."""
    for name in names:
        data = (folder / name).read_bytes()
        if name.endswith(".html"):
            page = data.decode()
            assert "22 nm model constants" in page
            # Nothing is fetched from anywhere.
            assert not re.search(r'(?:src|href)="(?!#|data:)', page.replace("xlink:href", "href"))
        else:
            assert data.startswith(PNG if name.endswith(".png") else SVG)


def test_table_prints_the_paper_s_values_beside_ours(energy, tmp_path):
    code, out, _ = energy("table", "--json", "-o", tmp_path)
    result = json.loads(out)
    assert code == 0
    assert result["differing"] == []
    assert result["compared"] > 30
    row = next(entry for entry in result["entries"] if entry["name"] == "efficient SNN")
    assert (row["paper"], row["tolerance"], row["scope"]) == (551.35, 0.01, "22 nm model constants")
    assert abs(row["ours"] - row["paper"]) == pytest.approx(abs(row["difference"]))
    written(tmp_path, result["written"])
    assert "contradicts itself" in energy("table")[1]


def test_table_fails_where_a_number_is_missed(energy, monkeypatch):
    from spikewright.model.energy import published

    monkeypatch.setattr(published, "FAN_IN", 4000)
    code, out, _ = energy("table", "--json")
    assert code == 1
    assert "efficient SNN" in json.loads(out)["differing"]


def test_landscape(energy, tmp_path):
    code, out, _ = energy("landscape", "--json", "-o", tmp_path)
    result = json.loads(out)
    assert code == 0
    assert len(result["cases"]) == 9
    assert {name.partition(".")[0] for name in result["written"]} == {
        "landscape", "rates", "movement"}
    written(tmp_path, result["written"])
    fast = next(case for case in result["cases"] if case["timesteps"] == 32)
    assert fast["twins"][0]["qnn_pj"] is None
    assert fast["twins"][0]["density"] > 1


def test_own_hardware(energy, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nbase = "typical"\nscope = "my chip"\n')
    code, out, _ = energy("landscape", "--hardware", file, "--json")
    assert code == 0
    assert {case["scope"] for case in json.loads(out)["cases"]} == {"my chip"}
    code, out, err = energy("landscape", "--hardware", "nothing")
    assert (code, out) == (2, "")
    assert "'nothing' is no hardware" in err


def test_breakeven(energy, tmp_path):
    code, out, _ = energy("breakeven", "--json", "-o", tmp_path)
    result = json.loads(out)
    assert code == 0
    lines = {(line["weight_bits"], line["fan_in"]): line["rates"] for line in result["lines"]}
    assert sorted(lines) == [(4, 64), (4, 4096), (8, 64), (8, 4096)]
    assert lines[8, 4096][4] == pytest.approx(0.064, abs=0.001)
    assert lines[4, 4096][4] == pytest.approx(0.057, abs=0.001)
    written(tmp_path, result["written"])
    assert energy("breakeven", "--density", 2)[0] == 2


def test_lifetime(energy, tmp_path):
    code, out, _ = energy("lifetime", "--json", "-o", tmp_path)
    efficient, _, fast = json.loads(out)["cases"]
    assert code == 0
    assert efficient["snn_hours"] == pytest.approx(20.2, rel=0.01)
    assert efficient["qnn_hours"] == pytest.approx(10.6, rel=0.01)
    assert "would need a density of 6.4" in fast["note"]
    written(tmp_path, json.loads(out)["written"])


def test_a_run(energy, make_run):
    folder = make_run()
    code, out, _ = energy("run", folder.path, "--lanes", "3,4", "--json")
    result = json.loads(out)
    assert code == 0
    built, unicast = result["verdicts"]
    assert (built["hops"], unicast["hops"]) == ("as built", "unicast")
    assert built["winner"] in ("SNN", "QNN")
    assert built["snn_pj"] == pytest.approx(sum(
        layer["snn"]["total_pj"] for layer in built["layers"]))
    assert built["snn_pj"] < unicast["snn_pj"]
    assert result["lanes"] == {"hidden": 3, "output": 4}
    assert result["twins"]["leaks"] == ["hidden", "output"]
    assert not result["twins"]["exact"]
    assert result["fpga"] is None
    again = RunFolder.open(folder.path)
    assert again.read_json("results.json", "energy")["energy"] == {
        key: value for key, value in result.items() if key != "run"}
    names = [name for name in again.names() if name.startswith("energy/")]
    assert {"energy/energy.html", "energy/layers.png", "energy/layers.svg"} <= set(names)
    written(folder.path, names)
    assert "not equivalent" in energy("run", folder.path)[1]


def test_a_run_on_a_board(energy, make_run):
    folder = make_run()
    code, _, err = energy("run", folder.path, "--board", "icebreaker")
    assert code == 2
    assert f"run: spikewright build {folder.path} --board icebreaker" in " ".join(err.split())
    folder.record("build", {"icebreaker": {
        "board": "icebreaker", "clock_mhz": 12.0, "lanes": [4, 4], "ways": [1, 1],
        "utilisation": {"logic cells": {"used": 1000, "available": 5280}}}})
    code, out, _ = energy("run", folder.path, "--board", "icebreaker", "--json")
    fpga = json.loads(out)["fpga"]
    assert code == 0
    assert (fpga["scope"], fpga["cells"], fpga["uncertainty_factor"]) == ("modelled FPGA", 1000, 3)
    assert fpga["total_pj"] == pytest.approx(
        fpga["clock_pj"] + fpga["logic_pj"] + fpga["memory_pj"])
    assert fpga["toggles"] > 0
    page = (folder.path / "energy" / "energy.html").read_text(encoding="utf-8")
    assert "Not to be compared with the figures above" in page
    for extra in (("--lanes", 4), ("--engine", "golden")):
        assert energy("run", folder.path, "--board", "icebreaker", *extra)[0] == 2
