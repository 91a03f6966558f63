"""The host's bytes become legal beats whatever they are, and no event or result is lost on the way.
"""

import pytest
from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed

from spikewright.boards import hostlink
from spikewright.boards.cobs import CobsEncoder
from spikewright.boards.command_decoder import BeatGatherer, CommandDecoder
from spikewright.boards.hostlink import HostLink
from spikewright.boards.protocol import VERSION, Command, Identity, Tag, way_bits
from spikewright.boards.reply_encoder import ReplyEncoder, Request

from .prover import Claims, RefutedError
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, assume_source, claim_source


def identity(ways=1, value_bits=0, inputs=3, classes=2, score_bits=4, rows=0) -> Identity:
    return Identity(
        version=1, digest=b"12345678", shape=b"abcdefgh", inputs=inputs, ways=ways,
        value_bits=value_bits,
        classes=classes, score_bits=score_bits, timesteps=2, layers=1, counter_words=2, window=4,
        buffer=4, rows=rows, units=2 * rows,
    )


def assume_buffer(claims: Claims, pending, sent):
    """A result is owed only after beats were sent; so the buffer behind says from the next cycle.
    """
    claims.assume(~pending | claims.past(pending) | claims.past(sent.valid & sent.ready))


def decodes(claims: Claims, dut: CommandDecoder, inside: Module):
    """Looks at one event, whichever it is."""
    m, i, o, ident = claims.m, dut.i, dut.o, dut.identity
    bits = ident.bank_bits
    assume_source(claims, i)
    assume_buffer(claims, dut.pending, o)
    claim_source(claims, o)
    claim_source(claims, dut.request, "request")
    claims.always("asks for what there is", ~dut.request.valid | known(ident, dut.request))

    # What the bytes say, by the grammar of the protocol.
    split = way_bits(ident.ways)
    expected, far, near, left = Signal(3), Signal(12), Signal(7), Signal(8)
    command, value, count, loads, passes, chooses = range(6)
    byte, moved = i.payload, i.valid & i.ready
    distance, whole = Signal(19), Signal()
    m.d.comb += distance.eq(Cat(near if ident.value_bits else byte[:7], far))
    with m.If(moved), m.Switch(expected):
        with m.Case(command):
            m.d.sync += near.eq(byte[:7])
            with m.If(byte[7]):
                if ident.value_bits:
                    m.d.sync += expected.eq(value)
                else:
                    m.d.comb += whole.eq(1)
                    m.d.sync += far.eq(0)
            with m.Elif(byte[6]):
                m.d.sync += far.eq(Cat(byte[:6], far))
            with m.Else():
                m.d.sync += far.eq(0)
                with m.If(byte == Command.LOAD):
                    m.d.sync += expected.eq(count)
                with m.Elif(byte == Command.RUN):
                    m.d.sync += expected.eq(passes)
                if ident.observed_words:
                    with m.If(byte == Command.OBSERVE):
                        m.d.sync += [expected.eq(chooses), left.eq(2)]
        with m.Case(value):
            m.d.sync += [expected.eq(command), far.eq(0)]
            m.d.comb += whole.eq(1)
        with m.Case(passes):
            m.d.sync += expected.eq(command)
        with m.Case(count):
            m.d.sync += [expected.eq(loads), left.eq(byte)]
        with m.Case(loads, chooses):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += expected.eq(command)
    with m.If(dut.reset):
        m.d.sync += [expected.eq(command), far.eq(0)]

    # Events are legal if they exist and weigh something.
    way, number = claims.fixed(max(1, split), "way"), claims.fixed(bits, "number")
    claims.assume((way < ident.ways) & (number < ident.inputs))
    seen, highest, place = Signal(), Signal(bits), Signal(21)
    m.d.comb += place.eq(distance[split:] + Mux(seen, highest + 1, 0))
    in_range = ((byte != 0) & (byte >> ident.value_bits == 0)) if ident.value_bits else 1
    legal = (place < ident.inputs) & in_range
    ours = whole & (distance[:split] == way)
    owed, weight = Signal(), Signal(max(1, ident.value_bits))
    ticks = o.valid & o.ready & o.payload.tick
    with m.If(ticks):
        m.d.sync += seen.eq(0)
    with m.If(ours & legal):
        m.d.sync += [seen.eq(1), highest.eq(place)]
    slot = Array([o.payload.slots[n].as_value() for n in range(ident.ways)])[way]
    event, address, carried = slot[0], slot[1 : 1 + bits], slot[1 + bits :]
    sent = o.valid & event & (address == number)
    with m.If(sent & o.ready):
        m.d.sync += owed.eq(0)
    with m.If(ours & legal & (place == number)):
        m.d.sync += [owed.eq(1), weight.eq(byte)]
    claims.always("sends what came, once", ~sent | owed)
    claims.always("sends all before the tick", ~(o.valid & o.payload.tick & owed) | sent)
    if ident.value_bits:
        claims.always("sends the value that came", ~sent | (carried == weight))

    ended = Signal(range(ident.timesteps + 1))
    with m.If(ticks):
        m.d.sync += ended.eq(Mux(o.payload.last, 0, ended + 1))
    claims.always("no inference is too long",
                  ~o.valid | ~o.payload.tick | o.payload.last | (ended < ident.timesteps - 1))
    some = Cat(o.payload.slots[n].event for n in range(ident.ways)).any()
    claims.always("sends no empty beat", ~o.valid | o.payload.tick | some)
    claims.always("addresses exist", ~(o.valid & event) | (address < ident.inputs))


@pytest.mark.parametrize("settings", [{}, {"ways": 2, "inputs": 2}, {"value_bits": 2},
                                      {"rows": 1}])
def test_every_legal_event_is_sent_once(settings):
    prove_unbounded(CommandDecoder(identity(**settings)), decodes)
    assert_offers_without_asking(CommandDecoder(identity(**settings)))


def test_an_event_of_the_second_way_can_be_sent():
    assert_possible(CommandDecoder(identity(ways=2)), decodes, lambda dut: (
        dut.o.valid & dut.o.ready & dut.o.payload.slots[0].event & dut.o.payload.slots[1].event
        & dut.o.payload.tick & dut.o.payload.last))


def test_events_that_never_leave_are_found(monkeypatch):
    monkeypatch.setattr(BeatGatherer, "_slots", lambda self: [])
    with pytest.raises(RefutedError, match="sends"):
        prove_unbounded(CommandDecoder(identity()), decodes)


def known(ident: Identity, request) -> Value:
    """A request that the board has an answer to."""
    most = Request.OBSERVED if ident.observed_words else Request.READY
    return request.payload.as_value() <= most.value


def encodes(claims: Claims, dut: ReplyEncoder, inside: Module):
    """Follows the frames byte by byte."""
    m, o, results, ident = claims.m, dut.o, dut.results, dut.identity
    assume_source(claims, results)
    assume_source(claims, dut.request)
    claims.assume(known(ident, dut.request))
    claims.assume(dut.digest == Array([*ident.digest, *ident.shape])[dut.digest_place])
    claim_source(claims, o)
    answered, asked = results.valid & results.ready, dut.request.valid & dut.request.ready
    index = Signal(range(ident.classes))
    with m.If(answered):
        m.d.sync += index.eq(Mux(results.payload.last, 0, index + 1))
    claims.assume(results.payload.last == (index == ident.classes - 1))
    # Results are dropped whole, and nothing spills while the counters are sent.
    claims.assume((index == 0) | dut.drop_results | ~claims.past(dut.drop_results))
    claims.assume(~claims.past(dut.request.valid) | (
        (dut.spilled == claims.past(dut.spilled)) & (dut.seen == claims.past(dut.seen))))

    words, score, winner = 4 * ident.counter_words, ident.score_bytes, ident.index_bytes
    frame, place = Signal(4), Signal(range(64))
    moved, sends = o.valid & o.ready, o.payload.byte
    lengths = {Tag.RESULT: ident.classes * score + winner, Tag.ERROR: 2, Tag.COUNTERS: words + 1,
               Tag.IDENTITY: ident.BYTES, Tag.PONG: 0, Tag.READY: 1}
    if ident.observed_words:
        lengths[Tag.OBSERVED] = 4 * ident.observed_words + 1
    length = Signal(range(64))
    with m.Switch(frame):
        for tag, many in lengths.items():
            with m.Case(tag):
                m.d.comb += length.eq(many)
    short = sends[:4] == Tag.PONG
    with m.If(moved):
        with m.If(frame == 0):
            m.d.sync += [frame.eq(Mux(short, 0, sends[:4])), place.eq(0)]
        with m.Else():
            m.d.sync += place.eq(place + 1)
            with m.If(place == length - 1):
                m.d.sync += frame.eq(0)
    at = o.valid & (frame == Tag.RESULT)
    scores = ident.classes * score
    wide, byte = Signal(signed(8 * score)), Signal(range(max(2, score)))
    m.d.comb += wide.eq(results.payload.score)
    with m.If(moved):
        m.d.sync += byte.eq(Mux(at & (byte != score - 1), byte + 1, 0))
    part = Array([wide[8 * n : 8 * n + 8] for n in range(score)])[byte]
    scored = at & (place < scores) & (byte == score - 1)
    ends = moved & (frame != 0) & (place == length - 1)
    claims.always("frames begin with a tag", ~o.valid | (frame != 0) | Cat(
        sends == (VERSION << 4 | tag) for tag in lengths).any())
    claims.always("and end where they should", ~o.valid | (
        o.payload.last == Mux(frame == 0, short, place == length - 1)))
    claims.always("scores are sent as they are", ~at | (place >= scores) | (
        results.valid & (sends == part)))
    claims.always("and the winner behind them", ~at | (place < scores) | (
        results.valid & results.payload.last
        & (sends == (results.payload.winner >> (8 * (place - scores))[:5])[:8])))
    claims.always("classes follow one another", ~at | (place >= scores) | (
        index * score + byte == place))
    claims.always("a score is taken with its last byte, or dropped", answered == (
        (moved & ((at & ends) | (scored & (place != scores - 1))))
        | (results.valid & results.ready & dut.drop_results & (frame == 0) & ~o.valid)))
    claims.always("a request is taken with its frame", asked == (
        (ends & ((frame == Tag.COUNTERS) | (frame == Tag.OBSERVED) | (frame == Tag.IDENTITY)
                 | (frame == Tag.READY)))
        | (moved & (frame == 0) & short)))
    body = Array(ident.pack())
    claims.always("says whose words it wants", ~dut.counter_read
                  | (dut.observing == (frame == Tag.OBSERVED)))
    claims.always("says who it is", ~(o.valid & (frame == Tag.IDENTITY))
                  | (sends == body[place]))


@pytest.mark.parametrize("settings", [{}, {"score_bits": 9, "classes": 3}, {"rows": 1}])
def test_every_result_is_sent_whole(settings):
    prove_unbounded(ReplyEncoder(identity(**settings)), encodes)
    assert_offers_without_asking(ReplyEncoder(identity(**settings)))


def test_an_answer_can_be_whole():
    assert_possible(ReplyEncoder(identity()), encodes, lambda dut: (
        dut.results.valid & dut.results.ready & dut.results.payload.last & ~dut.drop_results))


def links(claims: Claims, dut: HostLink, inside: Module):
    assume_source(claims, dut.i)
    assume_source(claims, dut.results)
    assume_buffer(claims, dut.pending, dut.events)
    request = inside.submodules.decoder.request
    claims.assume(~claims.past(request.valid) | (
        (dut.spilled == claims.past(dut.spilled)) & (dut.seen == claims.past(dut.seen))))
    claim_source(claims, dut.o)
    claim_source(claims, dut.events, "events")


def test_both_directions_keep_the_rules(monkeypatch):
    monkeypatch.setattr(hostlink, "CobsEncoder", lambda: CobsEncoder(1))
    prove_unbounded(HostLink(identity()), links)
    assert_offers_without_asking(HostLink(identity()))
    assert_offers_without_asking(HostLink(identity()), "events")
