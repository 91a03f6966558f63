"""Nets from elsewhere on the command line: checked, compiled, run; runs exported."""

import json
import re
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import torch

from spikewright.gen import Stimulus, cli, first_difference, simulate
from spikewright.gen.runfolder import RunFolder
from spikewright.model.commands import train

CODE = """
import snntorch as snn
import torch
from torch import nn

def step(x):
    return (x > 0).float()

class Net(nn.Module):
    def __init__(self, neuron=snn.Leaky, hidden=6):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.lif1 = neuron(beta=0.9, threshold=0.3, init_hidden=True, spike_grad=step)
        self.fc = nn.Linear(3 * 2 * 2, hidden)
        self.lif2 = neuron(beta=0.8, threshold=0.2, init_hidden=True, spike_grad=step)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.lif1(self.norm(self.conv(x))), 2)
        return self.lif2(self.fc(x.flatten(1)))

class Skip(Net):
    def forward(self, x):
        cur = self.conv(x)
        x = nn.functional.max_pool2d(self.lif1(cur) + cur, 2)
        return self.lif2(self.fc(x.flatten(1)))

class Alpha(Net):
    def __init__(self):
        super().__init__()
        self.lif2 = snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True)

def broken():
    raise ValueError("no\\nnet")

def small():
    return Net(hidden=5)

net, number = Net(), 3
"""
SHAPE = ("--input-shape", "2,4,4")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """net.py, and net.pt with the weights of its Net."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CODE)
    spaces: dict[str, Any] = {"__name__": "own"}
    exec(CODE, spaces)
    torch.manual_seed(1)
    torch.save(spaces["Net"]().state_dict(), "net.pt")
    return tmp_path


def run(capsys, *arguments):
    """Exit code, the JSON object on stdout if there is one, and what stderr says."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return exit.value.code, json.loads(out) if out.startswith("{") else out, err.strip()


def test_a_net_of_your_own_becomes_a_run(files, capsys):
    own = ("compile", "net.pt", "--net", "own.py:Net", *SHAPE)
    code, result, _ = run(capsys, *own, "--check", "--json")
    assert (code, result["maps"]) == (0, True)
    assert {part["part"]: part["becomes"] for part in result["parts"]}["norm"] == "folded into conv"
    assert [layer["layer"] for layer in result["layers"]] == ["conv", "fc"]
    code, result, _ = run(capsys, *own, "--timesteps", "5", "--bits", "3", "-o", "run", "--json")
    assert (code, result["samples"], result["random_samples"]) == (0, 8, True)
    folder = RunFolder.open("run")
    spec, stimulus = folder.spec(), folder.stimulus()
    assert (spec.digest, spec.timesteps, spec.name) == (result["digest"], 5, "net")
    assert [layer.synapse.weight_bits for layer in spec.layers] == [3, 3]
    golden, ours = (simulate(spec, stimulus.spikes, engine=engine, membranes=True)
                    for engine in ("golden", "torch"))
    assert first_difference(golden, ours) is None
    assert all(layer.any() for layer in golden.spikes)
    for command in (("check", "run", "--engines", "torch"), ("simulate", "run"),
                    ("generate", "run")):
        assert run(capsys, *command, "--json")[0] == 0
    code, _, err = run(capsys, *own, "--timesteps", "5", "-o", "run")
    assert (code, "add --overwrite" in err) == (2, True)
    Stimulus(np.ones((2, 4, 32), np.bool_), np.array([0, 1])).save("mine.npz")
    code, result, _ = run(capsys, *own, "--timesteps", "4", "-o", "run", "--overwrite", "--json",
                          "--data", "spikes:mine.npz")
    assert (code, result["samples"], result["random_samples"]) == (0, 2, False)
    assert RunFolder.open("run").names() == [
        "imported.json", "results.json", "spec.json", "spec.npz", "stimulus.npz"
    ]


@pytest.mark.parametrize("model", ["own.py:Net", "own.py:net", "own:Net"])
def test_code_alone_is_a_model(files, capsys, model):
    assert run(capsys, "compile", model, *SHAPE, "--check")[0] == 0


def test_people_see_what_does_not_map(files, capsys):
    code, out, _ = run(capsys, "compile", "own.py:Skip", *SHAPE, "--check")
    assert code == 1
    assert "does NOT map" in out
    code, result, _ = run(capsys, "compile", "own.py:Skip", *SHAPE, "--check", "--json")
    assert re.search(r"lif2 takes a sum of two signals made at own.py:\d+; hardware has one "
                     "synapse a layer", result["parts"][-1]["why"])
    code, result, _ = run(capsys, "compile", "own.py:Alpha", *SHAPE, "--check", "--json")
    assert (code, [part["part"] for part in result["parts"]]) == (1, ["lif2"])
    code, _, err = run(capsys, "compile", "own.py:Alpha", *SHAPE, "--timesteps", "3")
    assert (code, err.count("\n")) == (2, 0)
    assert "lif2 (Alpha)" in err
    assert not (files / "runs").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("net.pt", *SHAPE), "say which net they belong to, as in --net"),
    (("net.pt", "--net", "own.py:Net"), "give the shape of one timestep"),
    (("net.pt", "--net", "own.py:Net", "--input-shape", "2,x"), "--input-shape is '2,x'"),
    (("net.pt", "--net", "own.py:small", *SHAPE), "net.pt does not fit own.py:small: .*fc.weight"),
    (("net.pt", "--net", "own.py:broken", *SHAPE), r"ValueError: no net\); name a module"),
    (("net.pt", "--net", "own.py:number", *SHAPE), "own.py:number gives no net"),
    (("net.pt", "--net", "own.py:missing", *SHAPE), "has no attribute 'missing'"),
    (("net.pt", "--net", "none.py:Net", *SHAPE), "none.py is no file"),
    (("net.pt", "--net", "Net", *SHAPE), "'Net' names no net"),
    (("own.py:Net", "--net", "own.py:Net", *SHAPE), "is code already"),
    (("none.pt", *SHAPE), r"none.pt cannot be read \(No such file"),
    (("text.pt", *SHAPE), r"text.pt (cannot be loaded|holds more than tensors)"),
    (("whole.pt", *SHAPE), "holds more than tensors, which may run code .* --trust"),
    (("numbers.pt", *SHAPE), "holds no state_dict"),
    (("x.pt2", *SHAPE), "exported program"),
    (("own.py:Net", *SHAPE, "--dt", "1"), "belong to .nir files"),
    (("own.py:Net", *SHAPE, "--epochs", "3"), "nothing to train on; drop --epochs"),
    (("own.py:Net", *SHAPE, "--timesteps", "3", "--data", "digits"), "as spikes:FILE.npz"),
    (("run", "--check"), "taken for a run folder; these belong to MODEL files; drop --check"),
    (("own.py:Net", *SHAPE, "--readout", "loudest"), "'loudest' is not one of"),
    (("own.py:Net", *SHAPE, "--input", "counts", "--input-bits", "99"), "bits"),
    (("none.nir",), "there is no such file"),
    (("none.nir", "--net", "a:b"), "says all of that itself; drop --net"),
])
def test_refused_in_one_line(files, capsys, arguments, words):
    (files / "text.pt").write_text("text")
    torch.save({"weights": [1, 2]}, "numbers.pt")
    torch.save(Whole(), "whole.pt")
    code, _, err = run(capsys, "compile", *arguments)
    assert code == 2
    assert "\n" not in err
    assert re.search(words, err), err


class Whole(torch.nn.Sequential):
    """Can be pickled, unlike snnTorch's neurons with a surrogate of its own."""


def test_whole_modules_only_where_trusted(files, capsys):
    import snntorch as snn
    net = Whole(torch.nn.Flatten(), torch.nn.Linear(32, 3), snn.Leaky(beta=0.5, spike_grad=abs))
    torch.save(net, "whole.pt")
    assert run(capsys, "compile", "whole.pt", *SHAPE, "--check")[0] == 2
    assert run(capsys, "compile", "whole.pt", *SHAPE, "--check", "--trust")[0] == 0


def test_a_nir_file(files, capsys):
    rng = np.random.default_rng(0)
    nodes: dict[str, Any] = {
        "input": nir.Input(np.array([8])),
        "fc": nir.Affine(rng.normal(size=(4, 8)), np.zeros(4)),
        "lif": nir.LIF(np.full(4, 0.01), np.full(4, 10.0), np.full(4, 0.1), np.ones(4)),
        "fc2": nir.Linear(rng.normal(size=(3, 4))),
        "li": nir.LI(np.full(3, 0.02), np.full(3, 20.0), np.zeros(3)),
        "output": nir.Output(np.array([3])),
    }
    nir.write("net.nir", nir.NIRGraph(nodes, list(pairwise(nodes))))
    code, result, _ = run(capsys, "compile", "net.nir", "--check", "--json")
    assert (code, result["maps"], result["input_shape"]) == (0, True, [8])
    said = {part["part"]: part["why"] for part in result["parts"] if part["status"] == "changed"}
    assert said == {"time": "dt = 0.001, implied by r = τ/dt", "lif": "v_leak 0.1 becomes a bias"}
    assert "--timesteps" in run(capsys, "compile", "net.nir")[2]
    code, result, _ = run(capsys, "compile", "net.nir", "--timesteps", "4", "--json")
    spec = RunFolder.open("runs/net").spec()
    assert (spec.readout.kind.value, spec.layers[-1].neuron.threshold) == ("membrane", None)
    assert run(capsys, "check", "runs/net", "--engines", "torch", "--json")[0] == 0
    code, result, _ = run(capsys, "compile", "net.nir", "--readout", "spike-count", "--check",
                          "--json")
    assert (code, result["parts"][-1]["part"]) == (1, "readout")


def test_a_trained_run_goes_to_nir_and_back(tmp_path, recipe_file, capsys):
    """Rounding what comes back gives the very network that rounding the run gives."""
    text = recipe_file.read_text().replace('hidden = [8]', 'hidden = ["3c3", "m2", 8]')
    recipe_file.write_text(text + '[surrogate]\nname = "atan"\nalpha = 3\n')
    train(str(recipe_file), output=tmp_path / "run", epochs=1)
    code, result, _ = run(capsys, "export", str(tmp_path / "run"), "--nir",
                          str(tmp_path / "tiny.nir"), "--json")
    assert (code, len(result["layers"]), len(result["differences"])) == (0, 3, 3)
    run(capsys, "compile", str(tmp_path / "run"), "--method", "ptq")
    code, result, _ = run(capsys, "compile", str(tmp_path / "tiny.nir"), "-o",
                          str(tmp_path / "back"), "--json")
    assert code == 0
    assert result["digest"] == RunFolder.open(tmp_path / "run").spec().digest
    assert all(part["status"] == "exact" for part in result["parts"])
    assert run(capsys, "export", str(tmp_path / "back"), "--nir", "x.nir")[0] == 2
