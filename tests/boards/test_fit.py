import numpy as np
import pytest
from hypothesis import given, settings

from spikewright.boards.fit import (
    FILL,
    block_memories,
    default_folding,
    estimated_blocks,
    estimated_logic,
    require_memory,
)
from spikewright.boards.registry import ECP5, ICE40, find_board
from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.errors import DoesNotFitError

from ..gen.examples import one_layer, two_layers
from ..gen.strategies import networks


def demo_net() -> NetworkSpec:
    """The net that the figures below were measured with: 200–48–10, INT4."""
    rng = np.random.default_rng(0)

    def layer(name, fan_in, neurons):
        weight = np.clip(np.rint(rng.normal(0, 3, (neurons, fan_in))), -8, 7)
        return Layer(name=name, synapse=Linear(weight=weight, weight_bits=4, weight_shift=3),
                     neuron=Neuron(decay=14, decay_fraction=4, threshold=90,
                                   bias=rng.integers(-9, 10, neurons)))

    return NetworkSpec(input_shape=(200,), timesteps=12,
                       layers=(layer("hidden", 200, 48), layer("output", 48, 10)))


@pytest.mark.parametrize(("family", "width", "depth", "blocks"), [
    (ICE40, 16, 256, 1), (ICE40, 16, 257, 2), (ICE40, 8, 512, 1), (ICE40, 2, 2048, 1),
    (ICE40, 120, 6, 8), (ICE40, 32, 1200, 10),
    (ECP5, 36, 512, 1), (ECP5, 37, 512, 2), (ECP5, 1, 16384, 1), (ECP5, 64, 600, 4),
])
def test_block_memories(family, width, depth, blocks):
    assert block_memories(family, width, depth) == blocks


# Columns: lanes, LCs and block memories that nextpnr packed (Yosys 0.70, nextpnr 0.11.1).
@pytest.mark.parametrize(("lanes", "cells", "blocks"), [
    ((1, 1), 2794, 21), ((4, 1), 3468, 24), ((8, 1), 4351, 28), ((2, 2), 3713, 20),
    ((6, 5), 5085, 25), ((12, 2), 8345, 19), ((8, 10), 5944, 26),
])
def test_estimates_are_near_what_was_measured(lanes, cells, blocks):
    spec = demo_net()
    plans = Folding.lanes(*lanes, spec=spec).plans(spec)
    assert estimated_logic(plans) == pytest.approx(cells, rel=0.15)
    assert blocks <= estimated_blocks(spec, plans, find_board("icebreaker")) <= blocks + 3


def test_default_folding_of_the_demo_net():
    spec = demo_net()
    plans = default_folding(spec, find_board("icebreaker")).plans(spec)
    assert [plan.lanes for plan in plans] == [8, 1]
    plans = default_folding(spec, find_board("ulx3s-85f")).plans(spec)
    assert [plan.rows for plan in plans] == [1, 1]


@settings(max_examples=30, deadline=None)
@given(networks())
def test_default_folding_fits_or_is_the_smallest(spec):
    board = find_board("icebreaker")
    plans = default_folding(spec, board).plans(spec)
    fits = (estimated_blocks(spec, plans, board) <= board.part.blocks
            and estimated_logic(plans) <= FILL * board.part.logic)
    assert fits or all(plan.lanes == 1 for plan in plans)


def test_weights_beyond_all_memory_are_refused_with_numbers_and_larger_boards():
    board = find_board("icebreaker")
    require_memory(one_layer(240, 128), board)  # 30 block memories, the very last bit
    with pytest.raises(
        DoesNotFitError,
        match=r"its 30960 weights need 31 of 30 block memories; use fewer .* larger board \(ulx3s",
    ):
        require_memory(one_layer(240, 129), board)
    require_memory(two_layers(), board)
