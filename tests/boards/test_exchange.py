"""Contents are found in what tools make of a design, and exchanged; the tools are played here."""

import json

import numpy as np
import pytest

from spikewright.boards.block_bits import Ecp5Bits, Ice40Bits
from spikewright.boards.chip_texts import Ecp5Text, ExchangeError, Ice40Text
from spikewright.boards.contents import Contents, permuted
from spikewright.boards.exchange import Exchange, chip_text
from spikewright.boards.netlists.ice40_chip import ice40_chip
from spikewright.boards.registry import ECP5, ICE40

ORDER = (2, 0, 3, 1)


def contents(seed: int, depth: int = 700, width: int = 5) -> Contents:
    """A memory and a table of three inputs."""
    rng = np.random.default_rng(seed)
    table = int(rng.integers(1 << 8))
    return Contents({"net.weights": rng.random((depth, width)) < 0.5},
                    {"net.table": table | table << 8}, {"net.table": 3})


PLACEHOLDERS = contents(1)
# Tells its inputs apart.
PLACEHOLDERS.tables["net.table"] = 0b11010010_11010010

BLOCKS = {ICE40: (Ice40Bits(), {"READ_MODE": "01"}),
          ECP5: (Ecp5Bits(), {"DATA_WIDTH_A": "10010", "DATA_WIDTH_B": "10010"})}


class Tools:
    """A design with ``what`` inside, as netlists and as text. ``layout``: which of the shapes."""

    def __init__(self, family, what: Contents, layout: int = -1):
        blocks, parameters = BLOCKS[family]
        memory = what.memories["net.weights"]
        words = blocks.layouts({"parameters": parameters})[layout]
        chip = chip_text(family)
        self.fillings = []
        cells, placed = {}, {}
        for bank in range(-(-len(memory) // len(words))):
            part = memory[bank * len(words) : (bank + 1) * len(words)]
            for column in range(0, part.shape[1], words.shape[1]):
                some = part[:, column : column + words.shape[1]]
                bits = np.zeros(blocks.count, np.bool_)
                # The chip has the columns in another order.
                bits[words[: len(some), : some.shape[1]]] = some[:, ::-1]
                cell = {"type": blocks.cell, "parameters": dict(parameters), "attributes": {}}
                blocks.write(cell, bits)
                name = f"net.weights.{bank}.{column}"
                cells[name] = cell
                at = len(self.fillings)
                placed[name + chip.memory_suffix] = {
                    **cell, "parameters": dict(cell["parameters"]),
                    "attributes": {"NEXTPNR_BEL": f"X6/Y{2 * at + 1}/ram"}}
                self.fillings.append(bits)
        table = f"{what.tables['net.table']:016b}"
        cells["net.table"] = {"type": family.table, "parameters": {
            "LUT_INIT" if family is ICE40 else "INIT": table}}
        bel = "X3/Y4/lc2" if family is ICE40 else "X3/Y4/SLICEB.K1"
        placed["net.table" + chip.table_suffix] = {
            "parameters": {chip.table_parameter: table}, "attributes": {"NEXTPNR_BEL": bel}}
        self.synthesised = {"modules": {"top": {"cells": cells}}}
        self.placed = {"modules": {"top": {"cells": placed}}}
        self.chip = chip(_ice40_text(len(self.fillings)) if family is ICE40
                         else _ecp5_text(len(self.fillings)))
        for n, bits in enumerate(self.fillings):
            self.chip.set_memory(f".ram_data 6 {2 * n + 1}" if family is ICE40
                                 else f".bram_init {n}", bits)
        self.table_place = "3 4 2" if family is ICE40 else ".tile R4C3:PLC2 SLICEB.K1.INIT"
        self.chip.set_table(self.table_place, permuted(what.tables["net.table"], ORDER))

    def find(self, family) -> Exchange:
        return Exchange.find(family, PLACEHOLDERS, self.synthesised, self.placed, self.chip)


def _ice40_text(memories: int) -> str:
    rows = "\n".join(["0" * 54] * 16)
    data = "\n".join(f".ram_data 6 {2 * n + 1}\n" + "\n".join(["0" * 64] * 16) + "\n"
                     for n in range(memories))
    return f".device 5k\n\n.logic_tile 3 4\n{rows}\n\n{data}"


def _ecp5_text(memories: int) -> str:
    rows = "\n".join([" ".join(["000"] * 8)] * 256)
    return ".tile R4C3:PLC2\narc: A B\nword: SLICEB.K1.INIT 1111111111111111\n\n" + "\n".join(
        f".bram_init {n}\n{rows}\n" for n in range(memories))


CASES = [(ICE40, layout) for layout in range(len(Ice40Bits().layouts(
    {"parameters": {"READ_MODE": "01"}})))] + [(ECP5, 0)]


@pytest.mark.parametrize(("family", "layout"), CASES)
def test_other_contents_are_what_the_tools_would_have_made(family, layout, tmp_path):
    found = Tools(family, PLACEHOLDERS, layout)
    found.find(family).save(tmp_path / "exchange.npz")
    exchange = Exchange.load(tmp_path / "exchange.npz", family)
    other = contents(2)
    exchange.into_chip(found.chip, other)
    exchange.into_synthesised(found.synthesised, other)
    exchange.into_placed(found.placed, other, chip_text(family))
    made = Tools(family, other, layout)
    assert found.chip.text == made.chip.text
    assert json.dumps(found.synthesised) == json.dumps(made.synthesised)
    assert json.dumps(found.placed) == json.dumps(made.placed)


@pytest.mark.parametrize("family", [ICE40, ECP5], ids=["ice40", "ecp5"])
@pytest.mark.parametrize("where", ["memory", "elsewhere", "table", "gone"])
def test_one_bit_amiss_is_noticed(family, where):
    tools = Tools(family, PLACEHOLDERS)
    cells = tools.synthesised["modules"]["top"]["cells"]
    name = next(iter(cells))
    blocks = BLOCKS[family][0]
    if where == "table":
        tools.chip.set_table(tools.table_place, 0b1000_0000_0000_0000)
    elif where == "gone":
        del cells[name]
    else:
        bits = blocks.read(cells[name])
        # Row 700 is none of the memory's.
        words = blocks.layouts(cells[name])[-1]
        at = words[3, 0] if where == "memory" else words[len(words) - 1, -1]
        bits[at] ^= True
        blocks.write(cells[name], bits)
    with pytest.raises(ExchangeError):
        tools.find(family)


def test_texts_keep_what_is_not_exchanged():
    text = Tools(ICE40, PLACEHOLDERS).chip.text
    assert Ice40Text(text).text == text
    text = Tools(ECP5, PLACEHOLDERS).chip.text
    assert Ecp5Text(text).text == text
    assert set(ice40_chip("5k").configuration("logic")) >= {f"LC_{n}" for n in range(8)}
