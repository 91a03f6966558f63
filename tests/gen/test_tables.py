import re
from types import SimpleNamespace

import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from spikewright.gen.rtl.tables import CELLS, Tables

WORDS = ([5], [1, 2, 3], [7, 0, 5, 6, 1, 2, 3], list(range(16)), [n * 7 % 16 for n in range(37)])


@pytest.mark.parametrize("words", WORDS, ids=len)
@pytest.mark.parametrize("cell", CELLS)
def test_every_entry_that_is_reached_is_a_words_bit(cell, words):
    tables = Tables(words, 4)
    text = rtlil.convert(tables, ports=[tables.address, tables.data],
                         platform=SimpleNamespace(table_cell=cell), emit_src=False)
    found = re.findall(rf"cell \\{cell} \\table_(\d+)_(\d+)\n    parameter \\\w+ 16'([01]+)", text)
    assert len(found) == 4 * -(-len(words) // 16)
    for first, bit, init in found:
        group = words[int(first) : int(first) + 16]
        for n, word in enumerate(group):
            assert int(init, 2) >> n & 1 == word >> int(bit) & 1


def test_without_tables_the_words_are_logic():
    tables = Tables(WORDS[2], 4)

    async def bench(ctx):
        for address, word in enumerate(WORDS[2]):
            ctx.set(tables.address, address)
            assert ctx.get(tables.data) == word

    simulator = Simulator(tables)
    simulator.add_testbench(bench)
    simulator.run()
