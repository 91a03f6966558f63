"""Each spike of a row has the address of its neuron, in every row of every timestep."""

import numpy as np
import pytest
from amaranth.hdl import Array, Module, Mux, Signal, Value

from spikewright.gen import Folding, Layer, MaxPool2d, NetworkSpec
from spikewright.gen.folding import LayerFolding
from spikewright.gen.layers import Conv2d
from spikewright.gen.neuron import Neuron
from spikewright.gen.plan import SpikeRows, layer_plans
from spikewright.gen.rtl.places import NeuronPlaces
from spikewright.gen.rtl.router import SpikeRowLayout

from .prover import Claims, RefutedError, prove

NEURON = Neuron(decay=1, decay_fraction=1, threshold=3)


def map_rows(shape, *, lanes, banks, units, pool=None) -> SpikeRows:
    """Rows of a map of ``shape`` that a convolution behind receives."""
    channels, height, width = shape
    first = Layer(name="a", neuron=NEURON, synapse=Conv2d(
        weight=np.ones((channels, 1, 1, 2)), weight_bits=2, input_shape=(1, height, width + 1)))
    window = None if pool is None else MaxPool2d(input_shape=shape, kernel=pool)
    shape = shape if window is None else window.output_shape
    second = Layer(name="b", neuron=NEURON, pool=window, synapse=Conv2d(
        weight=np.ones((1, shape[0], 1, 1)), weight_bits=2, input_shape=shape))
    spec = NetworkSpec(input_shape=(1, height, width + 1), timesteps=2, layers=(first, second))
    folding = Folding(layers={"a": LayerFolding(lanes=lanes, banks=(1, banks), units=units)})
    return layer_plans(spec, folding)[0].rows


def follows(claims: Claims, dut: NeuronPlaces, inside: Module):
    m, rows = claims.m, dut.rows
    number = Signal(range(rows.rows))
    claims.assume(dut.end == (number == rows.rows - 1))
    with m.If(dut.advance):
        m.d.sync += number.eq(Mux(dut.end, 0, number + 1))
    for unit in range(rows.units):
        way, lane = unit % (rows.units // dut.lanes), unit // (rows.units // dut.lanes)
        row = Signal(SpikeRowLayout(1, dut.addresses, dut.place), name=f"row_{unit}")
        m.d.comb += row.base.eq(dut.base + lane)
        if dut.place is not None:
            m.d.comb += row.place.eq(dut.here)
        address = Value.cast(dut.resolve(row))
        expected = [_address(dut, step, unit, way) for step in range(rows.rows)]
        claims.always(f"unit {unit} has its address",
                      (address == Array([max(0, place) for place in expected])[number])
                      | Array([place < 0 for place in expected])[number])


def _address(dut: NeuronPlaces, row: int, unit: int, way: int) -> int:
    """What the layer behind knows the signal by; −1 if there is none."""
    rows = dut.rows
    if dut.place is None:
        ways = rows.units // dut.lanes
        return (row * rows.units + unit - way) // ways
    signal = int(rows.order[row, unit])
    if signal < 0:
        return -1
    assert rows.shape is not None
    channel, y, x = (int(part) for part in np.unravel_index(signal, rows.shape))
    return dut.place.const({"channel": channel, "y": y, "x": x}).as_value().value


@pytest.mark.parametrize(("rows", "units", "ways"), [(3, 4, 1), (3, 4, 2), (1, 2, 1), (5, 6, 3)])
def test_numbers(rows, units, ways):
    order = np.arange(rows * units).reshape(rows, units)
    prove(NeuronPlaces(SpikeRows(order, rows - 1), ways, False), follows, steps=rows + 3)


MAPS = [
    {"shape": (2, 3, 4), "lanes": 2, "banks": 2, "units": 4},
    {"shape": (4, 2, 3), "lanes": 4, "banks": 2, "units": 2},
    {"shape": (3, 3, 5), "lanes": 1, "banks": 2, "units": 2},
    {"shape": (2, 5, 5), "lanes": 2, "banks": 2, "units": 4, "pool": 2},
    {"shape": (2, 4, 6), "lanes": 1, "banks": 2, "units": 2, "pool": (1, 3)},
]


@pytest.mark.parametrize("settings", MAPS)
def test_places_in_a_map(settings):
    rows = map_rows(**settings)
    prove(NeuronPlaces(rows, 1, True), follows, steps=rows.rows + 3)


class Shifted(NeuronPlaces):
    """Forgets to begin a timestep in the first block."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.advance & self.end):
            m.d.sync += self.here.y.eq(1)
        return m


def test_a_wrong_line_is_found():
    with pytest.raises(RefutedError, match="has its address"):
        prove(Shifted(map_rows(**MAPS[0]), 1, True), follows, steps=12)
