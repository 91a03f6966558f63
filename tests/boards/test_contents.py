from itertools import permutations

import numpy as np
import pytest

from spikewright.boards.build import HIDE_ELEMENTS
from spikewright.boards.contents import permuted, separate
from spikewright.boards.registry import ICE40, find_board
from spikewright.boards.top import BoardTop

from .trainings import FOLDING, training


def design(seed, board="icebreaker", **more):
    board = find_board(board)
    plan = board.make_platform().prepare(
        BoardTop(board, training(seed, **more), FOLDING), emit_src=False,
        script_after_read=HIDE_ELEMENTS)
    text = plan.files["top.il"]
    return separate(text if isinstance(text, str) else text.decode(), board.family,
                    board.part.blocks)


@pytest.fixture(scope="module")
def apart():
    return design(1)


def test_two_trainings_have_one_structure(apart):
    other = design(2, threshold=20)
    assert other.structure == apart.structure
    assert other.contents.digest != apart.contents.digest
    assert other.placeholders.digest == apart.placeholders.digest


def test_every_weight_is_among_the_contents(apart):
    """Lanes 4 and 1: two words for each of the first layer's inputs, three for the second's."""
    weights = training(1).layers[0].synapse.weight
    (bits,) = [bits for name, bits in apart.contents.memories.items() if "fc1.synapses" in name]
    nibbles = (bits.reshape(2, 130, 4, 4) * [1, 2, 4, -8]).sum(axis=3)
    np.testing.assert_array_equal(nibbles.transpose(0, 2, 1).reshape(8, 130), weights)
    assert {bits.shape for bits in apart.contents.memories.values()} >= {(260, 16), (24, 4)}


def test_placeholders_are_told_apart(apart):
    for bits in apart.placeholders.memories.values():
        assert len({column.tobytes() for column in bits.T}) == bits.shape[1]
    for name, table in apart.placeholders.tables.items():
        inputs = apart.placeholders.inputs[name]
        assert inputs in (0, 1, 2, 3, 4)
        orders = {order[:inputs]: permuted(table, order) for order in permutations(range(4))}
        assert inputs == 0 or len(set(orders.values())) == len(orders)


def test_tables_hold_the_digest(apart):
    tables = [apart.contents.tables[f"accelerator.link.encoder.digest.table_0_{bit}"]
              for bit in range(8)]
    said = bytes(sum((table >> (n + 1) % 8 & 1) << bit for bit, table in enumerate(tables))
                 for n in range(8))
    assert said.hex() == training(1).digest[:16]


def test_without_blocks_to_spare_logic_stays_in_the_structure():
    board = find_board("icebreaker")
    top = BoardTop(board, training(1), FOLDING)
    text = board.make_platform().prepare(top, emit_src=False).files["top.il"]
    found = separate(text if isinstance(text, str) else text.decode(), ICE40, 0)
    assert "fc2.synapses.weights_0.memory" not in str(found.contents.memories)
    assert "fc1.synapses.weights_0.memory" in str(found.contents.memories)
