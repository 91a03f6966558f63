"""Waveforms, and the signal layouts beside them: every signal that a layout names is there."""

import re
from collections import Counter

import numpy as np
import pytest

from spikewright.gen import simulate
from spikewright.gen.compiled import engine
from spikewright.gen.errors import SpikewrightError

from .examples import two_layers
from .test_compiled import ENGINES

GROUPS = ["stream", "router", "neurons", "counters"]


def names_of(path):
    """Full names of everything in a VCD file, and how often each changes."""
    scopes, names, changes = [], {}, Counter()
    for line in path.read_text().splitlines():
        match line.split():
            case ["$scope", _, name, *_]:
                scopes.append(name)
            case ["$upscope", *_]:
                scopes.pop()
            case ["$var", _, _, key, name, *_]:
                names[".".join([*scopes, name])] = key
            case [value, key] if value[0] == "b":
                changes[key] += 1
            case [value] if value[0] in "01":
                changes[value[1:]] += 1
    return {name: changes[key] for name, key in names.items()}


def run(path, name):
    spec = two_layers()
    samples = np.random.default_rng(0).random((2, spec.timesteps, spec.inputs)) < 0.3
    simulate(spec, samples, engine=name, waveform=path)
    return spec


def assert_layouts_are_of(path, spec, names):
    gtkw, sucl = (path.with_suffix(suffix).read_text() for suffix in (".gtkw", ".sucl"))
    assert f'[dumpfile] "{path}"' in gtkw
    traced = [re.sub(r"\[\d+:0\]$", "", line) for line in gtkw.splitlines()
              if line[0] not in "[@-*"]
    assert len(traced) > 40
    assert not [name for name in traced if name.replace("\\", "") not in names
                and name not in names]
    opened = [line[1:] for line in gtkw.splitlines() if line.startswith("-")]
    for layer in spec.layers:
        start = opened.index(layer.name)
        assert list(dict.fromkeys(opened[start + 1 : start + 9])) == GROUPS
    commands = [line.split(" ", 1) for line in sucl.splitlines()]
    assert commands[0] == ["load_file", str(path)]
    added = [name for command, name in commands[:-1] if command == "variable_add"]
    assert len(added) > 40
    assert set(added) <= set(names)
    assert ["divider_add", f"{spec.layers[1].name} router"] in commands
    assert all(sum(names[name] for name in added if word in name) > 10
               for word in ("valid", "spikes", "busy"))


def test_amaranth_s_layouts(tmp_path):
    spec = run(tmp_path / "w.vcd", "amaranth")
    assert_layouts_are_of(tmp_path / "w.vcd", spec, names_of(tmp_path / "w.vcd"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_compiled_engines_layouts(tmp_path, name, monkeypatch):
    monkeypatch.setattr(engine, "OPTIMISE", 0)
    spec = run(tmp_path / "w.vcd", name)
    assert_layouts_are_of(tmp_path / "w.vcd", spec, names_of(tmp_path / "w.vcd"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES[:1])
def test_an_fst_has_what_the_vcd_has(tmp_path, name, monkeypatch):
    monkeypatch.setattr(engine, "OPTIMISE", 0)
    pylibfst = pytest.importorskip("pylibfst", reason="reads FST; pip install pylibfst")
    spec = run(tmp_path / "w.fst", name)
    reader = pylibfst.lib.fstReaderOpen(str(tmp_path / "w.fst").encode())
    _, signals = pylibfst.get_scopes_signals2(reader)
    names = {re.sub(r" ?\[\d+:0\]$", "", signal): 11 for signal in signals.by_name}
    assert_layouts_are_of(tmp_path / "w.fst", spec, names)


@pytest.mark.parametrize(("name", "file", "message"), [
    ("amaranth", "x.fst", r"x\.fst is not vcd; name it x\.vcd"),
    ("cxxrtl", "x.fst", r"x\.fst is not vcd; name it x\.vcd"),
    ("verilator", "x.png", r"x\.png is not fst or vcd; name it x\.fst"),
])
def test_other_formats_are_refused(tmp_path, name, file, message):
    with pytest.raises(SpikewrightError, match=message):
        run(tmp_path / file, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["amaranth"])
def test_a_waveform_that_cannot_be_written_is_told(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpikewrightError, match="cannot be written"):
        run(tmp_path / "file" / "x.vcd", name)
