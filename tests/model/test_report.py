"""The report: complete, self-contained, and honest about what is missing."""

import json
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from spikewright.gen import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    Stimulus,
    SumPool2d,
    cli,
)
from spikewright.gen.runfolder import write_json

BUILD = {
    "board": "icebreaker", "device": "iCE40UP5K", "lanes": [8, 4], "ways": [1, 1], "slices": [1, 1],
    "clock_mhz": 12.0,
    "fmax_mhz": {"sync": 30.5}, "meets_timing": True,
    "utilisation": {"logic cells": {"used": 2640, "available": 5280},
                    "multipliers": {"used": 0, "available": 0}},
}
TRAINING = {
    "seed": 3, "samples": {"train": 10, "held_back": 6}, "finished": True,
    "history": [{"epoch": n, "loss": 1 / (n + 1), "accuracy": n / 10, "held_back_accuracy": n / 12,
                 "seconds": 0.1} for n in range(1, 6)],
}


class Reader(HTMLParser):
    """Open tags, text, every address that the page would fetch, and every one that it links to."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.fetched: list[str] = []
        self.linked: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)
        addresses = [value for name, value in attrs if name in ("src", "href", "xlink:href")
                     and not value.startswith(("#", "data:"))]
        if tag == "a":
            self.linked.update(addresses)
        else:
            self.fetched += addresses

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


def page_of(run) -> tuple[str, Reader]:
    page = (run.path / "report.html").read_text()
    return page, Reader(page)


def test_bare_run_says_which_commands_are_missing(make_run):
    run = make_run()
    result = cli.run("report", run=run.path)
    page, read = page_of(run)
    assert not read.open
    assert not read.fetched
    assert "<script" not in page
    commands = [f"spikewright {c} {run.path}" for c in
                ("check", "simulate", "build", "generate", "energy run")]
    for command in commands:
        assert any(missing.startswith(command) for missing in result["missing"])
        assert command in read.text
    assert "83.33%" in read.text  # five of six samples are labelled with what the network says
    # Weights, raster, membranes, spike rates, confusion.
    assert len(re.findall("<svg", page)) == 2 + 1 + 2 + 1 + 1


@pytest.fixture
def complete(make_run, small_net):
    run = make_run()
    with run.writing("train") as folder:
        write_json(folder / "training.json", TRAINING)
    for command, arguments in [
        ("simulate", {"engine": "amaranth", "lanes": "8,4"}),
        ("check", {"engines": "amaranth", "lanes": "8,4"}),
        ("generate", {"lanes": "8,4"}),
    ]:
        cli.run(command, run=run.path, **arguments)
    with pytest.raises(SystemExit) as stop:
        cli.main(["energy", "run", str(run.path), "--engine", "cycles", "--lanes", "8,4"])
    assert not stop.value.code
    run = type(run).open(run.path)
    run.record("build", {"icebreaker": BUILD | {"network": small_net.digest}})
    return run


def test_complete_run(complete):
    result = cli.run("report", run=complete.path, sample=4)
    assert result["missing"] == []
    page, read = page_of(complete)
    results = json.loads((complete.path / "results.json").read_text())
    mean = results["simulate"]["amaranth"]["cycles"]["mean"]
    assert f"{mean / 12e6 / 1e-6:.3g} µs" in read.text
    assert "30.5 MHz" in read.text
    assert "50%" in read.text
    assert "2,640 / 5,280" in read.text
    assert "Held-back sample 4" in read.text
    assert "counter_address" in read.text
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == page.count("<figcaption>") == len(
        re.findall(r'From <a href="[^"]+"><code>[^<]+</code></a>.</figcaption>', page))
    assert read.linked == {"spec.json", "spec.npz", "stimulus.npz", "training.json", "results.json",
                           "boards/icebreaker/build.json", "run.json"}
    assert "Which layer does what when" in read.text
    assert " limits: it works in " in read.text
    assert "costs less: " in read.text
    assert "twins are" in read.text
    for picture in pictures:
        tree = ElementTree.fromstring(picture)
        assert tree.get("aria-label")
        assert tree.get("width") is None
        assert "#010203" not in picture
    ids = re.findall(r'clipPath id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_latency_only_of_the_hardware_that_was_simulated(complete):
    complete.record("build", {"icebreaker": BUILD | {"network": complete.spec().digest,
                                                     "lanes": [2, 2]}})
    result = cli.run("report", run=complete.path)
    assert result["missing"] == [
        f"spikewright simulate {complete.path} --engine amaranth --lanes 2,2 "
        "--ways 1,1 --slices 1,1"
    ]
    assert "latency on" not in page_of(complete)[1].text


def test_mismatches_are_shown(complete):
    check = complete.read_json("results.json", "check")["check"]
    check |= {"mismatches": 1, "first_difference": {
        "what": "membrane", "sample": 1, "layer": "hidden", "timestep": 2, "neuron": 3,
        "values": {"golden": 17, "amaranth": -4}}}
    complete.record("check", check)
    cli.run("report", run=complete.path)
    page, read = page_of(complete)
    assert '<li class="bad"><b>1</b>' in page
    assert "membrane of sample 1, layer hidden, timestep 2, neuron 3" in read.text
    assert "amaranth has -4" in read.text


def test_without_labels_and_without_spikes(make_run):
    run = make_run(stimulus=Stimulus(np.zeros((2, 5, 12), bool), np.full(2, -1)))
    cli.run("report", run=run.path, sample=99)
    page, read = page_of(run)
    assert "accuracy" not in read.text
    assert "Confusion" not in read.text
    assert "Held-back sample 1, predicted 0" in read.text
    assert page.count("<svg") == 6


def test_needs_no_torch(make_run, monkeypatch):
    for name in ("torch", "snntorch", "tonic"):
        monkeypatch.setitem(sys.modules, name, None)
    cli.run("report", run=make_run().path)


def test_the_same_run_gives_the_same_page(make_run):
    run = make_run()
    cli.run("report", run=run.path)
    first = (run.path / "report.html").read_bytes()
    cli.run("report", run=run.path)
    assert (run.path / "report.html").read_bytes() == first


def test_layers_of_every_kind_are_described(make_run):
    rng = np.random.default_rng(0)
    fires = {"decay": 1, "decay_fraction": 1, "threshold": 3}
    spec = NetworkSpec(
        input_shape=(1, 6, 6), timesteps=4, input=Input(kind=InputKind.CURRENT, bits=2),
        readout=Readout(kind=ReadoutKind.MEMBRANE),
        layers=(
            Layer(name="maps", synapse=Conv2d(
                weight=rng.integers(-2, 8, (2, 1, 3, 3)), weight_bits=4, input_shape=(1, 6, 6),
                stride=1), neuron=Neuron(**fires), recurrent=OneToOne(weight=1)),
            Layer(name="last", synapse=Linear(weight=rng.integers(-8, 8, (3, 8)), weight_bits=4),
                  pool=SumPool2d(input_shape=(2, 4, 4), kernel=2),
                  neuron=Neuron(decay=1, decay_fraction=0, threshold=None, reset=Reset.NONE)),
        ),
    )
    run = make_run(spec, Stimulus(rng.integers(0, 4, (5, 1, 36)), np.arange(5) % 3))
    cli.run("report", run=run.path)
    _, read = page_of(run)
    assert not read.open
    assert "2 kernels 3×3, stride 1×1; recurrent one to one" in read.text
    assert "sum pooling 2×2; all to all" in read.text
    assert "highest membranes; they never fire" in read.text
