"""Results, counters and faults to frames for the host."""

from amaranth import *
from amaranth.hdl import ValueLike
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.streams import result_stream
from .cobs import FrameByte
from .protocol import VERSION, Fault, Identity, Tag


class Request(enum.Enum, shape=3):
    """Frames that the host asks for."""

    IDENTITY = 0
    COUNTERS = 1
    PONG = 2
    READY = 3
    OBSERVED = 4


class ReplyEncoder(wiring.Component):
    """Results, requests and faults to kinds and bodies of frames; one at a time: faults first, then
    results.

    Throughput: one byte per cycle, and 2 cycles between frames and between counter words.

    Parameters
    ----------
    identity : Identity

    Members
    -------
    results : In(stream of ResultLayout)
        A beat is taken with its last byte.
    drop_results : In
        Results that have not begun to be sent are taken and forgotten.
    request : In(stream of Request)
        Taken with the last byte of its frame.
    faults : In
    number : In
        Of the last RESET.
    spilled : In
    digest_place, digest : Out, In
        As of :class:`~.carried.CarriedDigests`.
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
        As of :class:`spikewright.gen.rtl.network.Network`; with ``observing``, as of
        :class:`~.observer.Observer`.
    observing, seen : Out, In
        The words of OBSERVED are asked for; its last byte.
    o : Out(stream of FrameByte)
    """

    def __init__(self, identity: Identity):
        self.identity = identity
        super().__init__({
            "results": In(result_stream(identity.classes, identity.score_bits)),
            "drop_results": In(1),
            "request": In(stream.Signature(Request)),
            "faults": In(Fault), "number": In(8),
            "spilled": In(1),
            "digest_place": Out(range(Identity.DIGESTS_BYTES)), "digest": In(8),
            "counter_address": Out(range(max(
                identity.counter_words, identity.observed_words, 2))),
            "observing": Out(1), "seen": In(1),
            "counter_read": Out(1), "counter_data": In(32), "counter_valid": In(1),
            "o": Out(stream.Signature(FrameByte())),
        })

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        first, digests = identity.DIGESTS_AT, identity.DIGESTS_BYTES
        packed = bytearray(identity.pack())
        packed[first : first + digests] = bytes(digests)
        body = C(int.from_bytes(packed, "little"), 8 * identity.BYTES)
        place = Signal(range(max(identity.BYTES, identity.counter_words,
                                 identity.observed_words)))
        byte, word = Signal(2), Signal(32)
        gathered, reported = Signal(Fault), Signal(Fault)
        tag, number = Signal(4), Signal(8)
        m.d.comb += [self.counter_address.eq(place), self.digest_place.eq(place - first)]
        said = Mux((place >= first) & (place < first + digests), self.digest,
                   body.word_select(place, 8))
        m.d.sync += gathered.eq(gathered | self.faults)

        def send(value, *, valid: ValueLike = 1, last: ValueLike = 1):
            m.d.comb += [
                self.o.valid.eq(valid), self.o.payload.byte.eq(value), self.o.payload.last.eq(last),
            ]
            return self.o.valid & self.o.ready

        def last_byte_of(value, width: int, *, valid=1, ends=False):
            """Sends ``width`` bytes of ``value``, with which the frame ``ends``; the condition that
            the last of them is taken."""
            last = byte == width - 1
            sent = send(Value.cast(value).word_select(byte, 8), valid=valid, last=last & ends)
            with m.If(sent):
                m.d.sync += byte.eq(Mux(last, 0, byte + 1))
            return sent & last

        asked = {
            Request.IDENTITY: (Tag.IDENTITY, "IDENTITY"),
            Request.COUNTERS: (Tag.COUNTERS, "FETCH"),
            Request.PONG: (Tag.PONG, "END"),
            Request.READY: (Tag.READY, "READY"),
        }
        said_last, ended = self.spilled, place == identity.counter_words - 1
        if identity.observed_words:
            asked[Request.OBSERVED] = (Tag.OBSERVED, "FETCH")
            m.d.comb += self.observing.eq(tag == Tag.OBSERVED)
            said_last = Mux(self.observing, self.seen, self.spilled)
            ended = Mux(self.observing, place == identity.observed_words - 1, ended)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [place.eq(0), byte.eq(0), number.eq(self.number)]
                with m.If(gathered.any()):
                    m.d.sync += [tag.eq(Tag.ERROR), reported.eq(gathered), gathered.eq(self.faults)]
                    m.next = "TAG"
                with m.Elif(self.results.valid):
                    m.d.comb += self.results.ready.eq(self.drop_results)
                    with m.If(~self.drop_results):
                        m.d.sync += tag.eq(Tag.RESULT)
                        m.next = "TAG"
                with m.Elif(self.request.valid):
                    with m.Switch(self.request.payload):
                        for request, (name, _) in asked.items():
                            with m.Case(request):
                                m.d.sync += tag.eq(name)
                    m.next = "TAG"
            kind = C(VERSION, 4)
            with m.State("TAG"), m.If(send(Cat(tag, kind), last=tag == Tag.PONG)), m.Switch(tag):
                with m.Case(Tag.ERROR):
                    m.next = "ERROR"
                with m.Case(Tag.RESULT):
                    m.next = "COUNT"
                for name, state in asked.values():
                    with m.Case(name):
                        if state == "END":
                            m.d.comb += self.request.ready.eq(1)
                            m.next = "IDLE"
                        else:
                            m.next = state
            with m.State("ERROR"), m.If(last_byte_of(reported, 2, ends=True)):
                m.next = "IDLE"
            with m.State("READY"), m.If(send(number)):
                m.d.comb += self.request.ready.eq(1)
                m.next = "IDLE"

            with m.State("COUNT"):
                result = self.results.payload
                # Only a wider word is extended by its sign.
                score = Signal(signed(8 * identity.score_bytes))
                m.d.comb += score.eq(result.score)
                done = last_byte_of(score, identity.score_bytes, valid=self.results.valid)
                with m.If(done & result.last):
                    m.next = "WINNER"
                with m.Else():
                    m.d.comb += self.results.ready.eq(done)
            with m.State("WINNER"), m.If(
                last_byte_of(self.results.payload.winner, identity.index_bytes, ends=True)
            ):
                m.d.comb += self.results.ready.eq(1)
                m.next = "IDLE"

            with m.State("FETCH"):
                m.d.comb += self.counter_read.eq(1)
                m.d.sync += word.eq(self.counter_data)
                with m.If(self.counter_valid):
                    m.next = "WORD"
            with m.State("WORD"), m.If(last_byte_of(word, 4)):
                m.d.sync += place.eq(place + 1)
                m.next = "FETCH"
                with m.If(ended):
                    m.next = "SPILLED"
            with m.State("SPILLED"), m.If(send(said_last)):
                m.d.comb += self.request.ready.eq(1)
                m.next = "IDLE"

            with m.State("IDENTITY"), m.If(send(said, last=place == identity.BYTES - 1)):
                m.d.sync += place.eq(place + 1)
                with m.If(place == identity.BYTES - 1):
                    m.d.comb += self.request.ready.eq(1)
                    m.next = "IDLE"
        return m
