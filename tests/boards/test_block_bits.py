import numpy as np
import pytest

from spikewright.boards.block_bits import Ecp5Bits, Ice40Bits

MODES = [
    *((Ice40Bits(), {"READ_MODE": f"{mode:02b}"}, 16 >> mode, 256 << mode) for mode in range(4)),
    *((Ecp5Bits(), {"DATA_WIDTH_A": f"{width:b}", "DATA_WIDTH_B": f"{width:b}"}, width, depth)
      for width, depth in ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))),
]


@pytest.mark.parametrize(("blocks", "parameters", "width", "depth"), MODES)
def test_layouts_have_every_bit_once(blocks, parameters, width, depth):
    for layout in blocks.layouts({"parameters": parameters}):
        assert layout.shape == (depth, width)
        assert len(np.unique(layout)) == layout.size
        assert 0 <= layout.min() <= layout.max() < blocks.count


@pytest.mark.parametrize("blocks", [Ice40Bits(), Ecp5Bits()])
def test_what_is_written_is_read(blocks):
    bits = np.random.default_rng(1).random(blocks.count) < 0.5
    cell = {"parameters": {}}
    assert not blocks.read(cell).any()
    blocks.write(cell, bits)
    np.testing.assert_array_equal(blocks.read(cell), bits)


def test_words_are_where_the_manuals_have_them():
    """FPGA-TN-02002: in mode 2 a word's bit n is bit 4n + part of a row. FPGA-TN-02204: words of 18
    bits are two rows of nine."""
    layout = Ice40Bits().layouts({"parameters": {"READ_MODE": "10"}})[0]
    assert layout[3 * 256 + 7].tolist() == [7 * 16 + 4 * n + 3 for n in range(4)]
    assert Ecp5Bits().layouts({"parameters": {
        "DATA_WIDTH_A": "10010", "DATA_WIDTH_B": "10010"}})[0][5].tolist() == list(range(90, 108))
    assert Ecp5Bits().layouts({"parameters": {
        "DATA_WIDTH_A": "100", "DATA_WIDTH_B": "100"}})[0][3].tolist() == [13, 14, 15, 16]
