"""What the README shows, runs."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from spikewright.gen import cli
from spikewright.gen.runfolder import RunFolder

from ..tools import install

pytest_plugins = ["pytester"]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
API, IMPORTS, OWN_NET, USERS_TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

NET = """
import numpy as np
import snntorch as snn
import torch
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(200, 8), snn.Leaky(beta=0.9, init_hidden=True),
                    nn.Linear(8, 3), snn.Leaky(beta=0.9, init_hidden=True, output=True))
spikes = np.random.default_rng(0).random((2, 12, 200)) < 0.1
"""


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_python_api(real, tmp_path, monkeypatch):
    """Bitstreams by stand-ins for the tools, and by the real ones, which take minutes."""
    if real:
        monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    else:
        install(tmp_path, monkeypatch)
    assert len(API.splitlines()) == 6
    names = {}
    exec(NET + IMPORTS + API, names)
    assert names["golden"].spikes[0].any()
    assert names["made"].figures["meets_timing"]
    bits = names["made"].folder / names["made"].figures["bitstream"]
    assert bits.stat().st_size > (1000 if real else 0)


def test_bring_your_own_net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "import snntorch as snn\nimport torch\nfrom torch import nn\n" + OWN_NET
    Path("net.py").write_text(code)
    names: dict[str, Any] = {"__name__": "net"}
    exec(code, names)
    names["torch"].save(names["Net"]().state_dict(), "net.pt")
    lines = re.findall(r"^    spikewright (compile net.pt .*)$", README, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        with pytest.raises(SystemExit) as exit:
            cli.main(shlex.split(line))
        assert not exit.value.code
    assert RunFolder.open("runs/net").spec().inputs == 200


def test_pytest_example(pytester):
    assert len(USERS_TEST.splitlines()) == 5
    pytester.makepyfile(NET + USERS_TEST)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize("line", re.findall(r"^\| `(spikewright [^`]*)`", README, re.MULTILINE))
def test_command_lines_are_understood(line, capsys):
    """Each command and option exists: what is refused is the run folder, not the command line."""
    _, command, *arguments = shlex.split(line)
    with pytest.raises(SystemExit) as exit:
        cli.main([command, *arguments, "--help"])
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    for argument in arguments:
        if argument.startswith("-"):
            assert argument in shown
    assert command in cli.ORDER


def test_every_command_is_in_the_readme():
    assert re.findall(r"^\| `spikewright (\w+)", README, re.MULTILINE) == list(cli.ORDER)


def test_links_lead_somewhere():
    root = Path(__file__).resolve().parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (root / target).exists(), target
