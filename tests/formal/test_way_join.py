"""The ways of a router keep step: a timestep leaves as one, whatever spikes on which way."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from spikewright.gen.plan import SpikeRows
from spikewright.gen.rtl.router import TIMESTEPS, SpikeRouter

from .prover import Claims, RefutedError, internal
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, claim_source
from .timesteps import look_at_one


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

    timestep = look_at_one(claims, first=dut.begin, last=dut.valid & dut.end,
                           left=o.valid & o.ready & o.payload.tick)
    neuron = claims.fixed(len(number) + len(dut.spikes), "neuron")
    spiked, ended, seen = Signal(), Signal(), Signal()
    with m.If(dut.valid & timestep.enters):
        with m.If(Cat(dut.spikes[unit] & (neuron == number * rows.units + unit)
                      for unit in range(rows.units)).any()):
            m.d.sync += spiked.eq(1)
        with m.If(dut.end):
            m.d.sync += ended.eq(dut.last)
    here = o.valid & timestep.leaves
    slots = [o.payload.slots[way] for way in range(dut.ways)]
    now = here & Cat(slot.event & (slot.address * dut.ways + way == neuron)
                     for way, slot in enumerate(slots)).any()
    with m.If(now & o.ready):
        m.d.sync += seen.eq(1)
    claims.always("sends nothing unasked", ~o.valid | (timestep.under_way != 0))
    claims.always("a timestep begins when it is complete", ~here | timestep.entered)
    claims.always("sends only what spiked, and once", ~now | (spiked & ~seen))
    claims.always("sends all that spiked", ~(here & o.payload.tick) | ((seen | now) == spiked))
    claims.always("ends with the inference", ~here | (o.payload.last == (o.payload.tick & ended)))
    claims.always("has no bubble within a timestep",
                  ~claims.past(o.valid & o.ready & ~o.payload.tick) | o.valid)
    some = Cat(slot.event for slot in slots).any()
    claims.always("sends no empty beat but a bare tick", ~o.valid | some | o.payload.tick)
    claims.always("no more timesteps than fit", dut.waiting <= TIMESTEPS)


@pytest.mark.parametrize(("rows", "units", "ways"), [
    (1, 1, 1), (1, 2, 2), (1, 4, 2),
    *(pytest.param(*shape, marks=pytest.mark.slow) for shape in ((2, 1, 1), (1, 3, 3))),
])
def test_no_spike_is_lost_or_doubled(rows, units, ways):
    prove_unbounded(router(rows, units, ways), joins, seconds=500)


def test_both_ways_send_while_another_timestep_waits():
    assert_possible(router(1, 2, 2), joins, lambda dut: (
        dut.o.valid & dut.o.payload.slots[0].event & dut.o.payload.slots[1].event
        & dut.o.payload.last & (dut.waiting == TIMESTEPS)))


class Stuck(SpikeRouter):
    """A way that is done does not stand back in the next timestep either."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        done = internal(m, "done")
        with m.If(self.o.valid & self.o.ready & self.o.payload.tick):
            m.d.sync += done.eq(done)
        return m


def test_a_way_left_out_is_found():
    order = np.arange(4).reshape(1, 4)
    with pytest.raises(RefutedError, match="sends"):
        prove_unbounded(Stuck(SpikeRows(order, last_step=0), 2), joins)


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_offers_without_asking(ways):
    assert_offers_without_asking(router(2, 4, ways))
