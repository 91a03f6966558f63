"""Netlists of memories and multipliers, after synthesis and after place-and-route, against the RTL
they were made of."""

import shutil

import pytest

from spikewright.boards.ecp5_netlist import PLACED, placed_verilog, synthesised_verilog

from .benches import SIMULATORS
from .ecp5_builds import Memories, Products, cells, make, require_equal

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")

#: One block memory of each geometry.
GEOMETRIES = [(1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)]


def test_a_memory_of_each_geometry(tmp_path):
    # A write port of fewer than 36 bits and one that reads; and one of 36 with either.
    design = Memories([*GEOMETRIES, (5, 300), (3, 16)])
    make(design, tmp_path, place=False)
    widths = {tuple(int(cell["parameters"][f"DATA_WIDTH_{port}"], 2) for port in "AB")
              for cell in cells(tmp_path) if cell["type"] == "DP16KD"}
    assert {b for _, b in widths} >= {1, 2, 4, 9, 18, 36}
    text, models = synthesised_verilog(tmp_path)
    assert {"DP16KD", "TRELLIS_DPR16X4"} <= {model.stem for model in models}
    changed = require_equal(design, text, tmp_path, "icarus", design.vectors(600))
    assert changed == sum(width for width, _ in design.shapes)


PRODUCTS = [(18, 18, True, True), (18, 18, False, False), (17, 18, True, False),
            (9, 12, False, True), (2, 2, True, True), (36, 36, True, True), (25, 20, False, True)]


def test_products_of_any_width(tmp_path):
    design = Products(PRODUCTS)
    make(design, tmp_path, place=False)
    assert sum(cell["type"] == "MULT18X18D" for cell in cells(tmp_path)) >= 8
    text, _ = synthesised_verilog(tmp_path)
    changed = require_equal(design, text, tmp_path, "icarus", design.vectors(600))
    assert changed == sum(map(len, design.outputs))


WIDTHS = [*range(1, 11), 13, *range(16, 20), 24, 27, 32, 35, 36, 37, 45, 54, 64, 72, 73]


@pytest.mark.slow
@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("depth", [64, 256, 500, 512, 1024, 2048, 3000, 4096])
def test_memories_of_many_shapes(simulator, depth, extra, tmp_path):
    design = Memories([(width, depth) for width in WIDTHS], extra)
    make(design, tmp_path, place=False)
    text, _ = synthesised_verilog(tmp_path)
    changed = require_equal(design, text, tmp_path, simulator, design.vectors(3000))
    assert changed == sum(WIDTHS)
    registered = sum(cell["parameters"].get("REGMODE_B") == "OUTREG" for cell in cells(tmp_path))
    print(f"{len(WIDTHS)} memories of {depth} words, {registered} registered inside: equal for "
          f"3000 cycles")


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [(False, False), (True, False), (False, True), (True, True)])
def test_products_of_many_widths(kinds, tmp_path):
    design = Products([(bits, 2 + 5 * bits % 35, *kinds) for bits in range(2, 37)])
    make(design, tmp_path, place=False)
    text, _ = synthesised_verilog(tmp_path)
    changed = require_equal(design, text, tmp_path, "icarus", design.vectors(3000))
    assert changed == sum(map(len, design.outputs))
    print(f"{len(design.shapes)} products: equal for 3000 pairs")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "shapes", "extra"), [
    # Few enough pins for the part.
    *((Memories, [shape], (extra,)) for shape in GEOMETRIES for extra in (0, 1)),
    (Memories, [(5, 300), (3, 16), (4, 32), (1, 64), (10, 16)], ()),
    (Products, [(18, 18, True, True), (17, 18, True, False), (9, 12, False, True),
                (2, 2, True, True)], ()),
    (Products, [(25, 20, False, True)], ()), (Products, [(36, 36, True, True)], ()),
])
def test_placed_netlists(kind, shapes, extra, tmp_path):
    design = kind(shapes, *extra)
    make(design, tmp_path, place=True)
    text, _ = placed_verilog(tmp_path)
    changed = require_equal(design, text, tmp_path, "icarus", design.vectors(2000))
    assert changed == sum(map(len, design.outputs))
    kinds = {cell["type"] for cell in cells(tmp_path, PLACED)}
    print(f"{kind.__name__} {shapes}, placed as {', '.join(sorted(kinds))}: equal for 2000 cycles")
