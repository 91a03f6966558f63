"""Timesteps pass between layers as a whole: no spike is lost, doubled or invented on the way."""

import pytest
from amaranth.hdl import Module, Mux, Signal

from spikewright.gen.rtl import router
from spikewright.gen.rtl.router import TIMESTEPS, SpikeQueue

from .prover import Claims, RefutedError, internal
from .reachability import prove_unbounded
from .streams import assert_offers_without_asking, claim_source
from .timesteps import Timestep, look_at_one


def sweeps(claims: Claims, dut: SpikeQueue) -> Timestep:
    """What sweeps send: ``dut.rows`` rows a timestep, and none of a third timestep before the
    first has left. Sweeps begin at least two cycles apart, because a neuron's state has to be
    stored before it is read again."""
    m, row = claims.m, dut.row
    number = Signal(range(dut.rows + 1))
    first = dut.valid & (number == 0)
    with m.If(dut.valid):
        m.d.sync += number.eq(Mux(row.tick, 0, number + 1))
    timestep = look_at_one(claims, first=first, last=dut.valid & row.tick,
                           left=dut.o.valid & dut.o.ready & dut.o.payload.tick)
    claims.assume(~first | ((timestep.under_way < TIMESTEPS) & ~claims.past(first)))
    claims.assume(~dut.valid | (row.base == number * dut.lanes))
    claims.assume(~dut.valid | (row.tick == (number == dut.rows - 1)))
    claims.assume(~row.last | row.tick)
    return timestep


def keeps_whole_timesteps(claims: Claims, dut: SpikeQueue, inside: Module):
    """Looks at one neuron in one timestep, whichever they are."""
    m, o = claims.m, dut.o
    timestep = sweeps(claims, dut)
    claim_source(claims, o)
    neuron = claims.fixed(len(dut.row.base), "neuron")

    spiked, ended, seen = Signal(), Signal(), Signal()
    place = (neuron - dut.row.base)[:len(neuron)]
    with m.If(dut.valid & timestep.enters):
        with m.If((place < dut.lanes) & dut.row.spikes.bit_select(place, 1)):
            m.d.sync += spiked.eq(1)
        with m.If(dut.row.tick):
            m.d.sync += ended.eq(dut.row.last)
    here = o.valid & timestep.leaves
    now = here & o.payload.spikes[0] & (o.payload.base == neuron)
    with m.If(now & o.ready):
        m.d.sync += seen.eq(1)

    queue = inside.submodules.rows
    claims.always("no row is refused", ~queue.w_en | queue.w_rdy)
    claims.always("sends nothing unasked", ~o.valid | (timestep.under_way != 0))
    claims.always("a timestep begins when it is complete", ~here | timestep.entered)
    claims.always("sends only what spiked, and once", ~now | (spiked & ~seen))
    claims.always("sends all that spiked", ~(here & o.payload.tick) | ((seen | now) == spiked))
    claims.always("ends with the inference", ~here | (o.payload.last == (o.payload.tick & ended)))
    claims.always("has no bubble within a timestep",
                  ~claims.past(o.valid & o.ready & ~o.payload.tick) | o.valid)


@pytest.mark.parametrize(("lanes", "rows"), [
    (1, 1), pytest.param(1, 2, marks=pytest.mark.slow), pytest.param(2, 2, marks=pytest.mark.slow),
])
def test_no_spike_is_lost_or_doubled(lanes, rows):
    prove_unbounded(SpikeQueue(lanes, lanes * rows, rows), keeps_whole_timesteps, seconds=500)


def test_no_spike_of_a_wide_row_is_lost_or_doubled(monkeypatch):
    """Rows wider than a piece take another way in, and are cut twice."""
    monkeypatch.setattr(router, "PIECE", 1)
    prove_unbounded(SpikeQueue(2, 2, 1), keeps_whole_timesteps)


@pytest.mark.parametrize("lanes", [1, 3, 20])
def test_offers_without_asking(lanes):
    assert_offers_without_asking(SpikeQueue(lanes, 3 * lanes, 3))


class Forgetful(SpikeQueue):
    """Loses the spikes it holds back when a silent row comes."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.valid & ~self.row.spikes.any()):
            m.d.sync += internal(m, "full").eq(0)
        return m


def test_a_lost_spike_is_found():
    with pytest.raises(RefutedError, match="sends all that spiked"):
        prove_unbounded(Forgetful(2, 4, 2), keeps_whole_timesteps)


def test_a_queue_of_one_timestep_is_found_too_short(monkeypatch):
    monkeypatch.setattr(router, "TIMESTEPS", 1)
    with pytest.raises(RefutedError, match="no row is refused"):
        prove_unbounded(SpikeQueue(1, 2, 2), keeps_whole_timesteps)
