"""From a bitstream to scores: the engine that simulates what a board is programmed with."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from spikewright.boards.build import build
from spikewright.boards.netlists.ice40_synthesised import simplify_pins
from spikewright.boards.protocol import WrongBitstreamError
from spikewright.boards.registry import find_board
from spikewright.boards.toolchain import find_tool
from spikewright.gen import (
    Folding,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
    Reset,
    simulate,
)
from spikewright.gen.errors import SpikewrightError, ToolError
from spikewright.gen.trace import first_difference

from ..gen.examples import one_layer

# One process makes what they share.
pytestmark = pytest.mark.xdist_group("netlist")

#: Membranes are the scores, so that no weight can change unnoticed. The weights fill one memory.
SPEC = NetworkSpec(
    input_shape=(128,), timesteps=2, readout=Readout(kind=ReadoutKind.MEMBRANE),
    layers=(Layer(
        name="fc", neuron=Neuron(decay=7, decay_fraction=3, threshold=None, reset=Reset.NONE),
        synapse=Linear(weight=np.random.default_rng(1).integers(-7, 8, (8, 128)), weight_bits=4)),),
)
FOLDING = Folding.lanes(4, spec=SPEC)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a bitstream for the smallest board."""
    return build(SPEC, find_board("icebreaker"), FOLDING).folder


@pytest.fixture(scope="module")
def samples():
    """One of every input: it needs more bytes than the board's window holds."""
    chosen = np.random.default_rng(2).random((3, 2, 128)) < 0.1
    chosen[2] = True
    return chosen


def test_bitstream_computes_the_network(made, samples):
    """Scores, predictions, every counter, and the cycles of the cycle model."""
    trace = simulate(SPEC, samples, engine="netlist", build=made)
    reference = simulate(SPEC, samples, engine="cycles", folding=FOLDING)
    assert trace.spikes == ()
    assert not trace.spilled.any()
    assert set(trace.counters) == set(reference.counters)
    assert first_difference(reference, trace) is None
    np.testing.assert_array_equal(trace.scores, reference.scores)
    np.testing.assert_array_equal(trace.cycles, reference.cycles)


def contents(block: str) -> str:
    """16 lines of words of a memory in IceStorm's text form, without what follows."""
    return "\n".join(block.splitlines()[1:17])


def test_one_weight_bit_is_noticed(made, samples, tmp_path):
    folder = tmp_path / "flipped"
    shutil.copytree(made, folder)
    tools = {name: find_tool(name).path for name in ("iceunpack", "icepack")}
    subprocess.run([tools["iceunpack"], "top.bin", "top.asc"], cwd=folder, check=True)
    head, *memories = re.split(r"(?=\.ram_data)", (folder / "top.asc").read_text())
    # The only memory that holds anything before a cycle ran; behind its place, 16 lines.
    n, = (n for n, block in enumerate(memories) if re.search("[1-9a-f]", contents(block)))
    at = memories[n].index(contents(memories[n])) + 64
    memories[n] = f"{memories[n][: at - 1]}{int(memories[n][at - 1], 16) ^ 1:x}{memories[n][at:]}"
    (folder / "top.asc").write_text(head + "".join(memories))
    subprocess.run([tools["icepack"], "top.asc", "top.bin"], cwd=folder, check=True)

    trace = simulate(SPEC, samples, engine="netlist", build=folder)
    reference = simulate(SPEC, samples, engine="cycles", folding=FOLDING)
    found = first_difference(reference, trace)
    assert found is not None
    assert found.what == "score"
    # One weight is of one neuron.
    assert (trace.scores != reference.scores).any(axis=0).sum() == 1
    np.testing.assert_array_equal(trace.cycles, reference.cycles)


def test_another_network_is_refused(made):
    other = one_layer(128, 8, timesteps=2)
    with pytest.raises(WrongBitstreamError, match="was built for network"):
        simulate(other, np.zeros((1, 2, 128), bool), engine="netlist", build=made)


def test_damaged_bitstream_is_refused(made, samples, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(made, folder)
    (folder / "top.bin").write_bytes((made / "top.bin").read_bytes()[:5000])
    with pytest.raises(ToolError, match="no bitstream that iceunpack takes"):
        simulate(SPEC, samples, engine="netlist", build=folder)


@pytest.mark.parametrize("engine", ["netlist", "synthesis"])
def test_what_is_missing_is_said(engine, samples, tmp_path):
    with pytest.raises(SpikewrightError, match=rf"--engines {engine} --board B"):
        simulate(SPEC, samples, engine=engine)
    with pytest.raises(ToolError, match="holds no build"):
        simulate(SPEC, samples, engine=engine, build=tmp_path)
    with pytest.raises(SpikewrightError, match="no waveform"):
        simulate(SPEC, samples, engine=engine, build=tmp_path, waveform=tmp_path / "x.vcd")


def test_a_loop_hands_the_clock_of_its_pin_on():
    """Yosys' model of it is empty: a design behind it would stand still."""
    module = {"ports": {"clk": {"direction": "inout", "bits": [2]}}, "cells": {"clock.loop": {
        "type": "SB_PLL40_PAD", "parameters": {"DIVR": "0000"},
        "connections": {"PACKAGEPIN": [2], "PLLOUTGLOBAL": [3], "LOCK": [4], "RESETB": ["1"]}}}}
    simplify_pins(module)
    assert module["cells"]["clock.loop"] == {
        "type": "loop", "parameters": {},
        "connections": {"PACKAGE_PIN": [2], "PLLOUTGLOBAL": [3], "LOCK": [4]},
        "port_directions": {"PACKAGE_PIN": "input", "PLLOUTGLOBAL": "output", "LOCK": "output"}}
    assert module["ports"]["clk"]["direction"] == "input"
