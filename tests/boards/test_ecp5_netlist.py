"""Completing a netlist: levels of inputs that nothing drives, the reset, and what is refused."""

import json

import pytest

from spikewright.boards.ecp5_netlist import (
    MODELS,
    NetlistError,
    complete,
    model_of,
    models,
    placed_verilog,
)
from spikewright.gen.errors import ToolError


def module(**cells) -> dict:
    """A module of ``cells``: name → (type, parameters, connections); nets are numbers."""
    return {
        "ports": {"clk": {"direction": "input", "bits": [2]}},
        "netnames": {"clk": {"bits": [2]}},
        "cells": {name: {
            "type": kind, "parameters": parameters, "connections": connections,
            "port_directions": {port: "output" if port in ("Q", "Z", "CLKOP", "CLKOS") else "input"
                                for port in connections},
        } for name, (kind, parameters, connections) in cells.items()},
    }


def completed(kind, parameters, connections, **others) -> dict:
    made = module(cell=(kind, parameters, connections), **others)
    complete(made)
    return made["cells"]["cell"]


def test_every_input_has_a_net_or_a_level():
    table = completed("TRELLIS_COMB", {"INITVAL": "0" * 16}, {"A": [7], "B": [], "C": ["x"]})
    assert [table["connections"][port] for port in "ABCD"] == [[7], ["1"], ["1"], ["1"]]
    assert table["connections"]["FCI"] == ["0"]
    assert set(table["connections"]) == set(model_of("TRELLIS_COMB").inputs)
    # Only its inputs say which multiplexer it has.
    assert completed("TRELLIS_COMB", {}, {"FXA": [7], "FXB": [8]})["parameters"] == {"IS_Z1": "1"}
    flip_flop = completed("TRELLIS_FF", {"SD": "0 "}, {"CLK": [2], "M": [7], "Q": ["x"]})
    assert flip_flop["connections"]["CE"] == ["1"]
    assert flip_flop["connections"]["LSR"] == ["0"]
    # An output that goes nowhere gets a net of its own.
    assert flip_flop["connections"]["Q"] == [8]
    assert flip_flop["parameters"] == {"SD": "0 "}
    words = completed("TRELLIS_DPR16X4", {}, {"DI": ["x", 7, "0", "1"]})
    assert words["connections"]["DI"] == ["0", 7, "0", "1"]
    assert words["connections"]["RAD"] == ["0"] * 4


def test_constants_that_nextpnr_makes_parameters_are_levels_again():
    memory = completed("DP16KD", {
        "ADA0MUX": "1 ", "ADA1MUX": "0 ", "CSA0MUX": "INV", "RSTAMUX": "INV", "CEAMUX": "INV",
        "CEBMUX": "CEB", "CLKAMUX": "INV", "WEBMUX": "INV", "WID": "101",
    }, {"CLKA": [2], "DIA0": []})
    levels = {port: memory["connections"][port] for port in (
        "ADA0", "ADA1", "ADA2", "CSA0", "CSA1", "RSTA", "CEA", "CEB", "OCEA", "WEB", "DIA0")}
    assert levels == {
        "ADA0": ["1"], "ADA1": ["0"], "ADA2": ["0"], "CSA0": ["0"], "CSA1": ["0"], "RSTA": ["0"],
        "CEA": ["0"], "CEB": ["1"], "OCEA": ["1"], "WEB": ["0"], "DIA0": ["0"]}
    # Of a clock that is driven, it is the edge.
    assert memory["parameters"] == {"CLKAMUX": "INV"}


@pytest.mark.parametrize(("kind", "listens", "default"), [
    ("TRELLIS_FF", {}, True), ("TRELLIS_FF", {"GSR": "DISABLED"}, False),
    ("MULT18X18D", {}, True), ("DP16KD", {}, False), ("DP16KD", {"GSR": "ENABLED"}, True),
])
def test_cells_listen_to_the_chips_reset_as_they_say(kind, listens, default):
    reset = ("SGSR", {}, {"CLK": [2], "GSR": [5]})
    made = module(cell=(kind, listens, {}), reset=reset)
    complete(made)
    net = made["cells"]["reset"]["connections"]["GSRN"]
    assert net == [6]
    assert made["cells"]["cell"]["connections"]["GSRN"] == (net if default else ["1"])
    # Without one, nothing ever resets them.
    assert completed(kind, listens, {})["connections"]["GSRN"] == ["1"]


def test_ties_of_what_a_model_leaves_out():
    # nextpnr makes nets of some constants, driven by a table without inputs.
    table = ("TRELLIS_COMB", {"INITVAL": "0" * 16}, {"F": [7]})
    multiplier = completed("MULT18X18D", {"C3MUX": "0 "}, {"SOURCEA": [7], "SRIA0": []}, zero=table)
    assert multiplier["parameters"] == {}
    assert "SOURCEA" not in multiplier["connections"]
    table[1]["INITVAL"] = "1" * 16
    with pytest.raises(NetlistError, match="uses SOURCEA"):
        completed("MULT18X18D", {}, {"SOURCEA": [7]}, one=table)


@pytest.mark.parametrize(("kind", "parameters", "connections", "message"), [
    ("ALU54B", {}, {}, "type ALU54B, which cannot be simulated; there are models of CCU2C, DCCA"),
    ("TRELLIS_FF", {"GSR": "AUTO"}, {}, "GSR is 'AUTO'; ENABLED or DISABLED is known"),
    ("TRELLIS_FF", {"LSRMODE": "PRLD"}, {}, "has LSRMODE = 'PRLD', which its model leaves out"),
    ("TRELLIS_IO", {"DATAMUX_ODDR": "IOLDO"}, {}, "has DATAMUX_ODDR = 'IOLDO'"),
    ("DP16KD", {"WEAMUX": "INV"}, {"WEA": [7]}, "WEAMUX is 'INV' of a driven input"),
    ("MULT18X18D", {}, {"SOURCEA": ["1"]}, "uses SOURCEA, which its model leaves out"),
    ("MULT18X18D", {}, {"SRIA3": [7]}, "uses SRIA3, which its model leaves out"),
    ("MULT18X18D", {"MULT_BYPASS": "ENABLED"}, {}, "has MULT_BYPASS = 'ENABLED'"),
    ("DCCA", {}, {"CLKI": [2], "CE": [7]}, "uses CE, which its model leaves out"),
])
def test_what_has_no_model_is_refused(kind, parameters, connections, message):
    with pytest.raises(NetlistError) as caught:
        completed(kind, parameters, connections)
    assert message in str(caught.value)


def test_one_clock_of_a_generator():
    def pll(**readers):
        return module(pll=("EHXPLLL", {"CLKOP_DIV": "101"},
                           {"CLKI": [2], "CLKFB": [7], "CLKOP": [7], "CLKOS": [8]}),
                      **{name: ("TRELLIS_FF", {}, {"CLK": [bit]}) for name, bit in readers.items()})

    made = pll(one=8)
    complete(made)
    assert made["cells"]["pll"]["parameters"] == {}
    with pytest.raises(NetlistError, match="makes clocks CLKOP and CLKOS; designs on one clock"):
        complete(pll(one=7, two=8))


def test_two_resets_are_refused():
    with pytest.raises(NetlistError, match="2 cells that reset the chip"):
        complete(module(one=("GSR", {}, {}), two=("SGSR", {}, {})))


def test_models_come_with_what_they_are_made_of():
    assert [path.stem for path in models({"SGSR", "DP16KD"})] \
        == ["DP16KD", "DP16KD_output", "GSR", "SGSR"]
    for path in MODELS.glob("*.v"):
        assert model_of(path.stem).outputs, path


@pytest.mark.parametrize("content", [None, "", "[]", json.dumps({"modules": {"other": {}}})])
def test_no_netlist(content, tmp_path):
    if content is not None:
        (tmp_path / "placed.json").write_text(content)
    with pytest.raises(ToolError, match="is no netlist of a design called top"):
        placed_verilog(tmp_path)
