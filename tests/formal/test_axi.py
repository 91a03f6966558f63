"""AXI ports: packets become legal beats whatever comes, nothing is lost, nothing is withdrawn."""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal, unsigned

from spikewright.gen import Folding
from spikewright.gen.linear import Source
from spikewright.gen.rtl.axi import AxiNetwork
from spikewright.gen.rtl.axi_events import AxiEvents
from spikewright.gen.rtl.axi_lite import AxiLite
from spikewright.gen.rtl.axi_restart import EMPTY, AxiRestart
from spikewright.gen.rtl.axi_results import AxiResults
from spikewright.gen.rtl.register_slice import RegisterSlice
from spikewright.gen.rtl.streams import EventLayout, ResultLayout, SpatialLayout

from .prover import Claims, RefutedError, internal, prove
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_same, claim_source
from .test_network import net


def passes(claims: Claims, dut: RegisterSlice, inside: Module):
    assume_source(claims, dut.i)
    claim_source(claims, dut.o)
    claim_same(claims, dut.i, dut.o, most=2)
    claims.always("refuses only when full", dut.i.ready | dut.o.valid)
    taken = claims.past(dut.o.ready & claims.begun)
    claims.always("refuses nothing while the other side takes",
                  dut.i.ready | ~taken | ~claims.past(dut.i.ready))


def test_a_register_slice_loses_nothing():
    prove_unbounded(RegisterSlice(unsigned(3)), passes)
    assert_offers_without_asking(RegisterSlice(unsigned(3)))


class Forgetful(RegisterSlice):
    """Has no second register."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


def test_a_lost_payload_is_found():
    with pytest.raises(RefutedError):
        prove_unbounded(Forgetful(unsigned(1)), passes)


def events(ways: int = 1, inputs: int = 3, timesteps: int = 2, shape=None) -> AxiEvents:
    address = unsigned(2) if shape is None else SpatialLayout(*shape)
    value_bits = 1 if ways == 1 and shape is None else 0
    return AxiEvents(EventLayout(address, ways, value_bits),
                     Source(np.arange(inputs), value_bits, shape), timesteps)


def is_legal(claims: Claims, dut: AxiEvents, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    moved = o.valid & o.ready
    ticks = Signal(range(dut.timesteps + 1))
    with m.If(moved & o.payload.tick):
        m.d.sync += ticks.eq(Mux(o.payload.last, 0, ticks + 1))
    claims.always("no inference is too long",
                  ~o.valid | ~o.payload.tick | o.payload.last | (ticks < dut.timesteps - 1))
    claims.always("last is a tick", ~o.valid | o.payload.tick | ~o.payload.last)
    empty = ~o.payload.tick
    for way, slot in enumerate(o.payload.slots):
        empty = empty & ~slot.event
        offered = o.valid & slot.event
        if dut.source.shape is None:
            exists = slot.address * dut.layout.ways + way < len(dut.source.order)
        else:
            exists = ((slot.address.channel < dut.source.shape[0])
                      & (slot.address.y < dut.source.shape[1])
                      & (slot.address.x < dut.source.shape[2]))
        claims.always(f"slot {way} names an input", ~offered | exists)
        if dut.source.value_bits:
            claims.always(f"slot {way} has a value", ~offered | (slot.value != 0))
        # Any input, looked at for ever.
        address = slot.address if dut.source.shape is None else slot.address.as_value()
        look = claims.fixed(len(address), f"input_{way}")
        spiked = Signal(name=f"spiked_{way}")
        with m.If(moved):
            m.d.sync += spiked.eq((spiked | (slot.event & (address == look))) & ~o.payload.tick)
        claims.always(f"slot {way} spikes once a timestep",
                      ~offered | ~spiked | (address != look))
    claims.always("no beat is empty", ~o.valid | ~empty)

    # A packet ends its inference, and an inference only that of its packet.
    entered, left = Signal(3), Signal(3)
    within, answered = Signal(), Signal()
    taken = i.valid & i.ready
    ends = taken & i.payload.last
    with m.If(taken):
        m.d.sync += within.eq(~i.payload.last)
    with m.If(ends):
        m.d.sync += answered.eq(0)
    with m.Elif(moved & o.payload.last):
        m.d.sync += answered.eq(1)
    m.d.sync += [entered.eq(entered + ends), left.eq(left + (moved & o.payload.last))]
    claims.always("one inference a packet", (left - entered)[:3] == answered)
    claims.always("begins only when it may", ~dut.begins | claims.past(
        dut.enable | dut.active | (o.valid & ~o.ready)))
    claims.always("says what it leaves out", ~taken | dut.faults.timesteps
                  | ~(moved & o.payload.last) | i.payload.last)


@pytest.mark.parametrize(("ways", "inputs", "timesteps", "shape"), [
    (1, 3, 2, None), (1, 4, 1, None), (2, 5, 3, None), (1, 6, 2, (1, 3, 2)),
])
def test_beats_are_legal_whatever_comes(ways, inputs, timesteps, shape):
    prove_unbounded(events(ways, inputs, timesteps, shape), is_legal)
    assert_offers_without_asking(events(ways, inputs, timesteps, shape))


def carries(claims: Claims, dut: AxiEvents, inside: Module):
    """Any legal word arrives."""
    i, o = dut.i, dut.o
    assume_source(claims, i)
    size = 8 * dut.slot_bytes
    word, slot = i.payload.data[:size], o.payload.slots[0]
    legal = word[-1] & i.payload.keep.all() & (word[:2] < 3) & word[2] & ~word[3:-2].any()
    before, seen = Signal(2), Signal()
    m = claims.m
    with m.If(o.valid & o.ready):
        m.d.sync += seen.eq(~o.payload.tick & (seen | slot.event))
        with m.If(slot.event):
            m.d.sync += before.eq(slot.address)
    legal &= ~seen | (before < word[:2])
    claims.always("legal events pass", ~(o.valid & legal) | (
        slot.event & (slot.address == word[:2]) & (slot.value == word[2])
        & (o.payload.tick == (word[-2] | i.payload.last))))
    claims.always("nothing legal is passed over", ~(i.valid & i.ready & legal)
                  | (o.valid & o.ready) | internal(inside, "dropping"))


def test_legal_events_arrive():
    prove_unbounded(events(), carries)
    assert_possible(events(), carries, lambda dut: (
        dut.o.valid & dut.o.ready & dut.o.payload.last & dut.o.payload.slots[0].event))


def answers(claims: Claims, dut: AxiResults, inside: Module):
    m, i, o = claims.m, dut.i, dut.o
    assume_source(claims, i)
    claim_source(claims, o)
    owed, winner = Signal(), Signal.like(i.payload.winner)
    moved = o.valid & o.ready
    with m.If(i.valid & i.ready & i.payload.last):
        m.d.sync += [owed.eq(1), winner.eq(i.payload.winner)]
    with m.Elif(moved):
        m.d.sync += owed.eq(0)
    claims.always("ends with the prediction", ~o.valid | (o.payload.last == owed))
    claims.always("tells the prediction", ~(o.valid & owed) | (o.payload.data == winner))
    claims.always("tells every score", ~(o.valid & ~owed) | (
        i.valid & (o.payload.data.as_signed() == i.payload.score)))
    claims.always("takes a score as it leaves",
                  (i.valid & i.ready) == (o.valid & o.ready & ~owed))


def test_results_leave_whole():
    prove_unbounded(AxiResults(ResultLayout(3, 5)), answers)
    assert_offers_without_asking(AxiResults(ResultLayout(3, 5)))


def restarts(claims: Claims, dut: AxiRestart, inside: Module):
    m = claims.m
    assume_source(claims, dut.i)
    assume_source(claims, dut.i_results)
    claim_source(claims, dut.o)
    claim_source(claims, dut.o_results, "o_results")
    # A result comes of each inference, and not before its end.
    ended = dut.o.valid & dut.o.ready & dut.o.payload.last
    answered = dut.i_results.valid & dut.i_results.ready & dut.i_results.payload.last
    sent, owed = Signal(3), Signal(3)
    m.d.sync += owed.eq(owed + ended - answered)
    claims.assume(~dut.i_results.valid | (owed != 0))
    claims.assume(owed < 6)
    with m.If(ended & (sent != EMPTY)):
        m.d.sync += sent.eq(sent + 1)
    empty = dut.o.payload.tick & dut.o.payload.last & ~dut.o.payload.slots[0].event
    claims.always("first come empty inferences", ~dut.o.valid | (sent == EMPTY) | empty)
    claims.always("nothing is taken before", ~dut.i.ready | (sent == EMPTY) & dut.done)
    claims.always("their results are dropped", ~dut.o_results.valid | dut.done)
    claims.always("done is for ever", dut.done | ~claims.past(dut.done))
    claims.always("then all passes", ~dut.done | (
        (dut.o.valid == dut.i.valid) & (dut.i.ready == dut.o.ready)
        & (dut.o_results.valid == dut.i_results.valid)
        & (dut.i_results.ready == dut.o_results.ready)))


def test_a_restart_is_over_before_the_first_packet():
    def build():
        return AxiRestart(EventLayout(1), ResultLayout(2, 2))

    prove_unbounded(build(), restarts)
    assert_possible(build(), restarts, lambda dut: dut.done & dut.o_results.valid)
    assert_offers_without_asking(build())
    assert_offers_without_asking(build(), "o_results")


def answers_packets(claims: Claims, dut: AxiNetwork, inside: Module):
    m = claims.m
    for name in ("s_axis", "aw", "w", "ar"):
        assume_source(claims, getattr(dut, name))
    for name in ("m_axis", "b", "r"):
        claim_source(claims, getattr(dut, name), name)
    word, held = Signal(2), Signal(4)
    moved = dut.m_axis.valid & dut.m_axis.ready
    with m.If(moved):
        m.d.sync += word.eq(Mux(dut.m_axis.payload.last, 0, word + 1))
    asked = dut.s_axis.valid & dut.s_axis.ready & dut.s_axis.payload.last
    m.d.sync += held.eq(held + asked - (moved & dut.m_axis.payload.last))
    claims.always("answers word by word", ~dut.m_axis.valid | (
        dut.m_axis.payload.last == (word == dut.spec.classes)))
    claims.always("holds few packets", held < 14)


def test_a_network_offers_without_asking():
    assert_offers_without_asking(AxiNetwork(net(1, 1), Folding()), "m_axis")


@pytest.mark.slow
def test_every_packet_is_answered_whole_in_the_first_cycles():
    """The search was undecided after 100 s."""
    prove(AxiNetwork(net(1, 1), Folding()), answers_packets, steps=24, from_reset=True)


def responds(claims: Claims, dut: AxiLite, inside: Module):
    m = claims.m
    for channel in (dut.aw, dut.w, dut.ar):
        assume_source(claims, channel)
    for name in ("b", "r"):
        claim_source(claims, getattr(dut, name), name)
    counts = {}
    for name in ("aw", "w", "b", "ar", "r"):
        channel = getattr(dut, name)
        counts[name] = Signal(2, name=f"count_{name}")
        m.d.sync += counts[name].eq(counts[name] + (channel.valid & channel.ready))
    written, read = Signal(2), Signal(2)
    m.d.sync += [written.eq(written + (dut.write & dut.write_done)),
                 read.eq(read + (dut.read & dut.read_done))]
    for name, request in (("b", counts["aw"]), ("b", counts["w"]), ("r", counts["ar"])):
        ahead = (request - counts[name])[:2]
        claims.always(f"{name} answers each request once, {request.name}", ahead <= 1)
        claims.always(f"{name} answers no more than was asked, {request.name}",
                      ~getattr(dut, name).valid | (ahead == 1))
    claims.always("a write is done once", (written - counts["b"])[:2] == dut.b.valid)
    claims.always("a read is done once", (read - counts["r"])[:2] == dut.r.valid)
    address, data = Signal.like(dut.write_address), Signal.like(dut.write_data)
    with m.If(dut.aw.valid & dut.aw.ready):
        m.d.sync += address.eq(dut.aw.payload.addr[2:])
    with m.If(dut.w.valid & dut.w.ready):
        m.d.sync += data.eq(dut.w.payload.data)
    claims.always("writes what was sent where it was sent", ~dut.write | (
        (dut.write_address == address) & (dut.write_data == data)))
    asked = Signal.like(dut.read_address)
    with m.If(dut.ar.valid & dut.ar.ready):
        m.d.sync += asked.eq(dut.ar.payload.addr[2:])
    claims.always("reads where it was asked to", ~dut.read | (dut.read_address == asked))
    claims.always("gives what was read", ~claims.past(dut.read & dut.read_done) | (
        dut.r.valid & (dut.r.payload.data == claims.past(dut.read_data))))
    claims.always("a write stands until it is done", dut.write | ~claims.past(
        dut.write & ~dut.write_done))


def test_every_request_is_answered_once():
    prove_unbounded(AxiLite(), responds)
    assert_offers_without_asking(AxiLite(), "b")
    assert_offers_without_asking(AxiLite(), "r")
    assert_possible(AxiLite(), responds, lambda dut: dut.b.valid & dut.r.valid)


class Hasty(AxiLite):
    """Responds to a write before its data are there."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.aw.valid & self.aw.ready):
            m.d.sync += self.b.valid.eq(1)
        return m


def test_a_hasty_response_is_found():
    with pytest.raises(RefutedError):
        prove_unbounded(Hasty(), responds)
