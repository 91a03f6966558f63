import re
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from spikewright.boards.build import HIDE_ELEMENTS
from spikewright.boards.contents import permuted, separate
from spikewright.boards.estimate import estimate
from spikewright.boards.registry import ICE40, find_board
from spikewright.boards.top import BoardTop
from spikewright.gen.training import shape_digest
from spikewright.gen.widths import proven_widths, spare_widths

from ..gen.trainings import loadable
from .trainings import FOLDING, training

#: What the bits of a weight count.
NIBBLE = [1, 2, 4, -8]


def board_text(spec, folding=FOLDING, board="icebreaker"):
    plan = find_board(board).make_platform().prepare(
        BoardTop(find_board(board), training(spec) if isinstance(spec, int) else spec, folding),
        emit_src=False, script_after_read=HIDE_ELEMENTS)
    text = plan.files["top.il"]
    return text if isinstance(text, str) else text.decode()


def design(seed, **more):
    return separate(board_text(training(seed, **more)), ICE40, find_board("icebreaker").part.blocks)


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
    nibbles = (bits.reshape(2, 130, 4, 4) * NIBBLE).sum(axis=3)
    np.testing.assert_array_equal(nibbles.transpose(0, 2, 1).reshape(8, 130), weights)
    # So few words are no block memory, and so in tables of 16 each.
    tables = [[apart.contents.tables[
        f"accelerator.network.layer_fc2.synapses.weights_0.tables.table_{first}_{bit}"]
        for bit in range(4)] for first in (0, 16)]
    bits = np.array([[table >> n % 16 & 1 for table in tables[n // 16]] for n in range(24)])
    np.testing.assert_array_equal((bits * NIBBLE).sum(axis=1).reshape(3, 8),
                                  training(1).layers[1].synapse.weight)


def test_placeholders_are_told_apart(apart):
    for bits in apart.placeholders.memories.values():
        assert len({column.tobytes() for column in bits.T}) == bits.shape[1]
    for name, table in apart.placeholders.tables.items():
        inputs = apart.placeholders.inputs[name]
        assert inputs in (0, 1, 2, 3, 4)
        orders = {order[:inputs]: permuted(table, order) for order in permutations(range(4))}
        assert inputs == 0 or len(set(orders.values())) == len(orders)


def test_tables_hold_the_digest(apart):
    tables = [apart.contents.tables[f"accelerator.carried.built.table_0_{bit}"]
              for bit in range(8)]
    said = bytes(sum((table >> n & 1) << bit for bit, table in enumerate(tables))
                 for n in range(16))
    assert said.hex() == (training(1).digest[:16] + shape_digest(training(1), FOLDING)[:16])


def test_what_can_be_loaded_is_among_the_contents():
    """Thresholds too, which all neurons share, and decays, which are logic otherwise."""
    folding, board = loadable(FOLDING, training(1)), find_board("icebreaker")
    specs = [training(1), changed_decay(training(2, threshold=20))]
    first, second = (separate(board_text(spec, folding), ICE40, board.part.blocks)
                     for spec in specs)
    assert first.structure == second.structure
    assert first.contents.digest != second.contents.digest


def changed_decay(spec):
    return replace(spec, layers=tuple(
        replace(layer, neuron=replace(layer.neuron, decay=5)) for layer in spec.layers))


def test_weights_are_contents_even_without_blocks_to_spare():
    texts = [board_text(seed) for seed in (1, 2)]
    first, second = (separate(text, ICE40, 0) for text in texts)
    assert first.structure == second.structure
    assert first.contents.digest != second.contents.digest
    assert "fc1.synapses.weights_0.memory" in str(first.contents.memories)


def test_small_memories_make_room_for_larger_ones():
    """As registers where block memories are short by a few, and not at all if that is no use."""
    text = board_text(1)
    needed = estimate(text, ICE40).blocks
    assert "registers" not in separate(text, ICE40, needed).structure
    short = separate(text, ICE40, needed - 1)
    assert re.findall(r'attribute \\ram_style "(\w+)"\n  memory width \d+ size (\d+)',
                      short.structure) == [("registers", "15")]
    assert estimate(text, ICE40, needed - 1).blocks == needed - 1
    assert estimate(text, ICE40, needed - 1).logic > estimate(text, ICE40).logic
    assert separate(text, ICE40, 2).structure.count("registers") == 0


def test_any_training_has_the_structure_of_the_first(apart):
    """Weights, thresholds and biases of all kinds; also a training that needs more bits of a sum
    and a membrane than another."""
    rng = np.random.default_rng(3)
    proven = set()
    for _ in range(4):
        spread = rng.uniform(1, 3)
        spec = training(1)
        spec = replace(spec, layers=tuple(replace(
            layer,
            synapse=replace(layer.synapse, weight=np.clip(np.rint(rng.normal(
                0, spread, layer.synapse.weight.shape)), -7, 7).astype(int)),
            neuron=replace(layer.neuron, threshold=int(rng.integers(2, 200)),
                           bias=rng.integers(-28, 29, layer.neurons)))
            for layer in spec.layers))
        proven.add(proven_widths(spec))
        folding = FOLDING.with_widths(spare_widths(spec), spec=spec)
        assert separate(board_text(spec, folding), ICE40, 30).structure == apart.structure
    assert len(proven) == 4
