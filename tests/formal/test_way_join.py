"""The ways of a router keep step: a timestep leaves as one, whatever spikes on which way."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from spikewright.gen.plan import SpikeRows
from spikewright.gen.rtl.router import TIMESTEPS, SpikeRouter

from .prover import Claims, prove
from .streams import assert_offers_without_asking, claim_source


def router(rows: int, units: int, ways: int) -> SpikeRouter:
    order = np.arange(rows * units).reshape(rows, units)
    return SpikeRouter(SpikeRows(order, last_step=rows - 1), ways)


def joins(claims: Claims, dut: SpikeRouter, inside: Module):
    """Sweeps begin when there is room; looks at one neuron in one timestep, whichever they are."""
    m, o, rows = claims.m, dut.o, dut.rows
    number = Signal(range(rows.rows + 1))
    claims.assume(~dut.begin | (dut.room & ~claims.past(dut.begin)))
    claims.assume(dut.begin == (dut.valid & (number == 0)))
    claims.assume(dut.end == (number == rows.rows - 1))
    with m.If(dut.valid):
        m.d.sync += number.eq(Mux(dut.end, 0, number + 1))
    claim_source(claims, o)

    timestep, neuron = claims.fixed(2, "timestep"), claims.fixed(3, "neuron")
    entering, leaving, spiked, ended, seen = Signal(3), Signal(3), Signal(), Signal(), Signal()
    place = neuron - number * rows.units
    with m.If(dut.valid & ~entering[2]):
        m.d.sync += entering.eq(entering + dut.end)
        with m.If(entering == timestep):
            with m.If((place >= 0) & (place < rows.units) & (dut.spikes >> place[:3])[0]):
                m.d.sync += spiked.eq(1)
            with m.If(dut.end):
                m.d.sync += ended.eq(dut.last)
    with m.If(o.valid & o.ready & o.payload.tick & ~leaving[2]):
        m.d.sync += leaving.eq(leaving + 1)
    here = o.valid & (leaving == timestep)
    slots = [o.payload.slots[way] for way in range(dut.ways)]
    now = here & Cat(slot.event & (slot.address * dut.ways + way == neuron)
                     for way, slot in enumerate(slots)).any()
    with m.If(now & o.ready):
        m.d.sync += seen.eq(1)
    claims.always("a timestep begins when it is complete", ~here | (entering > timestep))
    claims.always("sends only what spiked, and once", ~now | (spiked & ~seen))
    claims.always("sends all that spiked", ~(here & o.payload.tick) | ((seen | now) == spiked))
    claims.always("ends with the inference", ~here | (o.payload.last == (o.payload.tick & ended)))
    claims.always("has no bubble within a timestep",
                  ~claims.past(o.valid & o.ready & ~o.payload.tick) | o.valid)
    some = Cat(slot.event for slot in slots).any()
    claims.always("sends no empty beat but a bare tick", ~o.valid | some | o.payload.tick)
    claims.always("no more timesteps than fit", dut.waiting <= TIMESTEPS)


@pytest.mark.parametrize(("rows", "units", "ways", "cycles"), [
    (2, 1, 1, 12), (1, 2, 2, 12), (1, 3, 3, 10),
    *(pytest.param(*shape, marks=pytest.mark.slow)
      for shape in ((2, 1, 1, 16), (1, 2, 2, 16), (2, 2, 2, 12), (1, 4, 2, 12), (1, 3, 3, 12))),
])
def test_no_spike_is_lost_or_doubled_in_the_first_cycles(rows, units, ways, cycles):
    prove(router(rows, units, ways), joins, steps=cycles, from_reset=True)


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_offers_without_asking(ways):
    assert_offers_without_asking(router(2, 4, ways))
