"""Estimates against what Yosys and nextpnr made of the same designs."""

import pytest
from amaranth.back import rtlil

from spikewright.boards.alone import LFE5U_85F, UP5K
from spikewright.boards.estimate import Memory, estimate, features, memories
from spikewright.boards.pins import Pins
from spikewright.boards.registry import ECP5, ICE40
from spikewright.gen.rtl.network import Network

from ..bench.designs import ESTIMATED
from ..bench.estimates import packed, rtlil_of


# Yosys 0.70: as `memory_libmap` says which memory it maps to what.
@pytest.mark.parametrize(("width", "depth", "written", "ecp5", "ice40"), [
    (36, 512, False, 1, 5), (36, 64, False, 1, 0), (16, 128, False, 0, 1),
    (16, 64, True, 0, 1), (16, 128, True, 1, 1), (36, 32, True, 0, 3), (144, 64, True, 4, 9),
    (8, 8, True, 0, 0), (4, 16, True, 0, 0), (1, 512, True, 1, 1), (144, 64, False, 4, 0),
    (128, 64, False, 0, 0),
])
def test_memories_become_what_yosys_makes_of_them(width, depth, written, ecp5, ice40):
    memory = Memory(width, depth, written)
    assert (memory.blocks(ECP5), memory.blocks(ICE40)) == (ecp5, ice40)


def test_memories_are_read_from_the_design():
    network = Pins(Network(ESTIMATED["memory"].spec, ESTIMATED["memory"].folding))
    found = list(memories(rtlil.convert(network, ports=network.ports, emit_src=False)))
    assert Memory(12 * 4, 8 * 64, False) in found  # weights
    assert Memory(32, network.component.counter_count, True) in found


def test_a_lane_of_a_layer_that_takes_values_has_a_multiplier():
    text = rtlil_of(ESTIMATED["values"], LFE5U_85F)
    assert estimate(text, ECP5).multipliers == 32
    assert estimate(text, ICE40).multipliers == 0
    plain = rtlil_of(ESTIMATED["registers"], LFE5U_85F)
    assert features(text, ICE40)["products"] == 32 * 4 * 5
    assert features(plain, ICE40)["products"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", [LFE5U_85F, UP5K], ids=lambda target: target.device)
@pytest.mark.parametrize("name", ["memory", "one lane", "values"])
def test_estimates_are_near_what_nextpnr_packs(name, target):
    told = estimate(rtlil_of(ESTIMATED[name], target), target.family)
    used = packed(ESTIMATED[name], target)
    assert told.blocks == used["block memories"]
    if target.family is ECP5:
        assert told.multipliers == used["multipliers"]
    assert told.logic == pytest.approx(next(iter(used.values())), rel=0.15)
