"""The whole way on a study that trains for a second."""

import json
import re

import pytest

from spikewright.gen.cli import main
from spikewright.gen.engines import simulate
from spikewright.gen.folding import Folding
from spikewright.gen.runfolder import RunFolder

STUDY = """
name = "whole"
recipe = "digits"
samples = 10
retries = 0
[set]
epochs = 1
hidden = [8]
timesteps = 3
data.train = 60
quantisation.method = "ptq"
lanes = "4,2"
[space]
kind = [{method = "plain", board = "icebreaker"}, {method = "conversion"},
        {neuron = "lapicque", "training.merge" = 3}]
"""


def run(arguments, capsys):
    """Exit code, and what was printed as JSON."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out or "null")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "whole.toml").write_text(STUDY)
    return folder


def test_from_settings_to_report(folder, capsys):
    study, out = str(folder / "whole.toml"), folder / "out"
    assert run(["study", study, "-o", str(out), "--workers", "0"], capsys)[0] == 2

    # A net that no recipe allows is named before anything runs.
    assert not (out / "runs").exists()
    (folder / "whole.toml").write_text(STUDY.replace(
        ',\n        {neuron = "lapicque", "training.merge" = 3}', ', {net.neuron = "rleaky"}'))
    out = folder / "out2"
    code, result = run(["study", study, "-o", str(out), "--workers", "0"], capsys)
    assert code == 0
    assert (result["finished"], result["failed"]) == (3, 0)
    page = (out / "report.html").read_text()
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    links = re.findall(r'<a href="([^"]*\.json)"', page)
    assert links
    assert set(re.findall(r'<a href="([^"]*)"', page)) == {*links, "study.db"}
    for link in links:
        found = json.loads((out / link).read_text())
        run_folder = RunFolder.open((out / link).parents[1])
        spec, stimulus = run_folder.spec(), run_folder.stimulus()
        trace = simulate(spec, stimulus.spikes[:10], engine="cycles",
                         folding=Folding.lanes(4, 2, spec=spec))
        golden = simulate(spec, stimulus.spikes, engine="golden")
        assert found["cycles"] == trace.cycles.mean()
        assert found["accuracy"] == golden.accuracy(stimulus.labels)
        assert (found["logic"] is None) == (found["settings"].get("board") is None)
    recurrent = [json.loads((out / link).read_text()) for link in links]
    assert any("recurs" in each["energy"].get("refused", "") for each in recurrent)

    # Nothing is done twice, and nothing begun over.
    assert run(["study", study, "-o", str(out), "--workers", "0"], capsys)[0] == 2
    before = (out / "study.db").read_bytes()
    code, again = run(["study", study, "-o", str(out), "--workers", "0", "--resume"], capsys)
    assert (code, again) == (0, result)
    assert (out / "study.db").read_bytes() == before

    # To report needs nothing to run, and something to report.
    (out / "report.html").unlink()
    assert run(["study", study, "-o", str(out), "--report"], capsys) == (0, result)
    assert (out / "report.html").read_text() == page
    assert run(["study", study, "-o", str(folder / "none"), "--report"], capsys)[0] == 2
    assert not (folder / "none").exists()
