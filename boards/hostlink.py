"""The board's side of :mod:`~spikewright.boards.protocol`: bytes to beats, results to bytes."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..gen.rtl.streams import (
    EventLayout,
    SpatialLayout,
    address_bits,
    event_stream,
    result_stream,
)
from ..gen.rtl.weights import LoadSignature
from .protocol import Command, Fault, Identity, Tag


class Request(enum.Enum, shape=2):
    """Frames that the host asks for."""

    IDENTITY = 0
    COUNTERS = 1
    PONG = 2
    READY = 3


class BeatGatherer(wiring.Component):
    """Events, one by one, to the slots of a beat.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    address, value : In
        An event, as it comes over the wire.
    fault : Out
        Why it cannot be taken.
    full : Out
        It begins another beat.
    put : In
        It is taken, and what was gathered before, if ``full``, has left.
    slots : Out
        What is gathered.
    end : In
        What was gathered has left, and the timestep ends.
    """

    def __init__(self, identity: Identity, shape: tuple[int, int, int] | None):
        self.identity = identity
        self.shape = shape
        layout = EventLayout(_address(identity, shape), identity.ways, identity.value_bits)
        super().__init__({
            "address": In(15), "value": In(8), "fault": Out(Fault), "full": Out(1), "put": In(1),
            "slots": Out(layout["slots"].shape), "end": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        bits = identity.bank_bits
        address, way = self.address[:bits], self.address[bits:]
        gathered, highest = Signal(), Signal.like(way)
        seen, before = Signal(identity.ways), Signal(bits)
        with m.Switch(way):
            for number in range(identity.ways):
                with m.Case(number):
                    m.d.comb += before.eq(self.slots[number].address)
        exists = (way < identity.ways) & (address < identity.inputs)
        if self.shape is not None:
            fields = data.View(SpatialLayout(*self.shape), address)
            exists &= ((fields.channel < self.shape[0]) & (fields.y < self.shape[1])
                       & (fields.x < self.shape[2]))
        again = (seen >> way)[0] & (address <= before)
        with m.If(~exists | again):
            m.d.comb += self.fault.eq(Fault.ADDRESS)
        if identity.value_bits:
            with m.Elif((self.value == 0) | (self.value >> identity.value_bits != 0)):
                m.d.comb += self.fault.eq(Fault.VALUE)
        m.d.comb += self.full.eq(gathered & (way <= highest))

        with m.If(self.put):
            m.d.sync += [gathered.eq(1), highest.eq(way), seen.bit_select(way, 1).eq(1)]
            with m.If(self.full):
                m.d.sync += [slot.event.eq(0) for slot in self._slots()]
            with m.Switch(way):
                for number, slot in enumerate(self._slots()):
                    with m.Case(number):
                        m.d.sync += [slot.event.eq(1), slot.address.eq(address)]
                        if identity.value_bits:
                            m.d.sync += slot.value.eq(self.value)
        with m.Elif(self.end):
            m.d.sync += [gathered.eq(0), seen.eq(0), *(slot.event.eq(0) for slot in self._slots())]
        return m

    def _slots(self):
        return [self.slots[number] for number in range(self.identity.ways)]


def _address(identity: Identity, shape: tuple[int, int, int] | None):
    return address_bits(identity.inputs) if shape is None else SpatialLayout(*shape)


class CommandDecoder(wiring.Component):
    """Bytes from the host to beats, loaded bytes and requests.

    A beat is kept until it is known whether the timestep ends with it, so that its tick rides on
    it, as in :func:`spikewright.gen.beats.beats`. Whatever bytes come, the beats keep the network's
    contract: addresses exist and come at most once a timestep, values are in range, and no
    inference is too long.

    Throughput: one byte per cycle. Latency: a beat leaves in the cycle in which the last byte of
    the next beat's first event, or the tick, is offered.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    i : In(stream of 8 bits)
    o : Out(stream of EventLayout)
    load : Out(LoadSignature)
    request : Out(stream of Request)
        Taken when its frame has been sent.
    pending : In
        A result is still to come.
    resetting : Out
        Results are to be dropped.
    clear : Out
        Zeroes the counters.
    faults : Out
        High for one cycle per ignored byte or event.
    """

    def __init__(self, identity: Identity, shape: tuple[int, int, int] | None = None):
        self.identity = identity
        self.shape = shape
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(event_stream(_address(identity, shape), identity.ways, identity.value_bits)),
            "load": Out(LoadSignature()),
            "request": Out(stream.Signature(Request)),
            "pending": In(1),
            "resetting": Out(1),
            "clear": Out(1),
            "faults": Out(Fault),
        })

    def elaborate(self, platform):
        m = Module()
        identity, byte = self.identity, self.i.payload
        m.submodules.gatherer = gatherer = BeatGatherer(identity, self.shape)
        high, low, value, left = Signal(7), Signal(8), Signal(8), Signal(8)
        # Checking an event is a long path, and there is time for it.
        wrong, full = Signal(Fault), Signal()
        ticks = Signal(range(identity.timesteps))
        valued = identity.value_bits > 0
        m.d.comb += [
            self.o.payload.slots.eq(gatherer.slots),
            gatherer.address.eq(Cat(low, high)), gatherer.value.eq(value),
            self.load.byte.eq(byte),
        ]

        def fault(which):
            m.d.comb += [self.faults.eq(which), self.i.ready.eq(1)]

        def ask(which: Request):
            m.d.comb += [
                self.request.valid.eq(1), self.request.payload.eq(which),
                self.i.ready.eq(self.request.ready),
            ]

        def tick(last: bool):
            m.d.comb += [
                self.o.valid.eq(1), self.o.payload.tick.eq(1), self.o.payload.last.eq(last),
                gatherer.end.eq(self.o.ready),
            ]
            with m.If(self.o.ready):
                m.d.sync += ticks.eq(0 if last else ticks + 1)

        def command():
            with m.Case(Command.TICK):
                with m.If(ticks == identity.timesteps - 1):
                    fault(Fault.TIMESTEPS)
                with m.Else():
                    tick(last=False)
                    m.d.comb += self.i.ready.eq(self.o.ready)
            with m.Case(Command.LAST):
                tick(last=True)
                m.d.comb += self.i.ready.eq(self.o.ready)
            with m.Case(Command.COUNTERS), m.If(~self.pending):
                ask(Request.COUNTERS)
            with m.Case(Command.CLEAR), m.If(~self.pending):
                m.d.comb += [self.clear.eq(1), self.i.ready.eq(1)]
            with m.Case(Command.IDENTIFY):
                ask(Request.IDENTITY)
            with m.Case(Command.PING):
                ask(Request.PONG)
            with m.Case(Command.RESET):
                with m.If(~self.resetting):
                    tick(last=True)
                    m.d.sync += self.resetting.eq(self.o.ready)
                with m.Elif(~self.pending):
                    m.d.comb += self.clear.eq(1)
                    ask(Request.READY)
                    with m.If(self.request.ready):
                        m.d.sync += self.resetting.eq(0)
            with m.Case(Command.REWIND), m.If(~self.pending):
                m.d.comb += [self.load.begin.eq(1), self.i.ready.eq(1)]
            with m.Case(Command.LOAD), m.If(~self.pending):
                m.d.comb += self.i.ready.eq(1)
                m.next = "COUNT"
            with m.Default():
                fault(Fault.UNKNOWN)

        with m.FSM():
            with m.State("COMMAND"), m.If(self.i.valid):
                with m.If(byte[7]):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += high.eq(byte[:7])
                    m.next = "ADDRESS"
                with m.Else(), m.Switch(byte):
                    command()
            with m.State("ADDRESS"), m.If(self.i.valid):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += low.eq(byte)
                m.next = "VALUE" if valued else "CHECK"
            if valued:
                with m.State("VALUE"), m.If(self.i.valid):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += value.eq(byte)
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += [wrong.eq(gatherer.fault), full.eq(gatherer.full)]
                m.next = "EVENT"
            with m.State("EVENT"):
                with m.If(wrong != Fault(0)):
                    m.d.comb += self.faults.eq(wrong)
                    m.next = "COMMAND"
                with m.Else():
                    m.d.comb += self.o.valid.eq(full)
                    with m.If(~full | self.o.ready):
                        m.d.comb += gatherer.put.eq(1)
                        m.next = "COMMAND"
            with m.State("COUNT"), m.If(self.i.valid):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += left.eq(byte)
                m.next = "LOAD"
            with m.State("LOAD"), m.If(self.i.valid):
                m.d.comb += [self.load.valid.eq(1), self.i.ready.eq(1)]
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "COMMAND"
        return m


class ReplyEncoder(wiring.Component):
    """Results, requests and faults to frames; one at a time: faults first, then results.

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
    spilled : In
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
        As of :class:`spikewright.gen.rtl.network.Network`.
    o : Out(stream of 8 bits)
    """

    def __init__(self, identity: Identity):
        self.identity = identity
        super().__init__({
            "results": In(result_stream(identity.classes, identity.score_bits)),
            "drop_results": In(1),
            "request": In(stream.Signature(Request)),
            "faults": In(Fault),
            "spilled": In(1),
            "counter_address": Out(range(max(identity.counter_words, 2))),
            "counter_read": Out(1), "counter_data": In(32), "counter_valid": In(1),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        body = C(int.from_bytes(identity.pack(), "little"), 8 * identity.BYTES)
        place = Signal(range(max(identity.BYTES, identity.counter_words)))
        byte, word = Signal(2), Signal(32)
        gathered, reported = Signal(Fault), Signal(Fault)
        tag = Signal(8)
        m.d.comb += self.counter_address.eq(place)
        m.d.sync += gathered.eq(gathered | self.faults)

        def send(value, *, valid=1):
            m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(value)]
            return self.o.valid & self.o.ready

        def last_byte_of(value, width: int, *, valid=1):
            """Sends ``width`` bytes of ``value``; the condition that the last of them is taken."""
            sent = send(Value.cast(value).word_select(byte, 8), valid=valid)
            last = byte == width - 1
            with m.If(sent):
                m.d.sync += byte.eq(Mux(last, 0, byte + 1))
            return sent & last

        asked = {
            Request.IDENTITY: (Tag.IDENTITY, "IDENTITY"),
            Request.COUNTERS: (Tag.COUNTERS, "FETCH"),
            Request.PONG: (Tag.PONG, "END"),
            Request.READY: (Tag.READY, "END"),
        }
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [place.eq(0), byte.eq(0)]
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
            with m.State("TAG"), m.If(send(tag)), m.Switch(tag):
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
            with m.State("ERROR"), m.If(send(reported)):
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
                last_byte_of(self.results.payload.winner, identity.index_bytes)
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
                with m.If(place == identity.counter_words - 1):
                    m.next = "SPILLED"
            with m.State("SPILLED"), m.If(send(self.spilled)):
                m.d.comb += self.request.ready.eq(1)
                m.next = "IDLE"

            with m.State("IDENTITY"), m.If(send(body.word_select(place, 8))):
                m.d.sync += place.eq(place + 1)
                with m.If(place == identity.BYTES - 1):
                    m.d.comb += self.request.ready.eq(1)
                    m.next = "IDLE"
        return m


class HostLink(wiring.Component):
    """Decoder and encoder side by side: a stream of bytes each way, the network on the other side.

    Throughput: one byte per 2 cycles in, one per cycle out. Latency: that of
    :class:`CommandDecoder` and 1 cycle, and that of :class:`ReplyEncoder`.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    i, o : In, Out(stream of 8 bits)
    events : Out(stream of EventLayout)
    results : In(stream of ResultLayout)
    clear : Out
    load : Out(LoadSignature)
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
    pending, spilled : In
        As of :class:`~spikewright.boards.buffer.InferenceBuffer`.
    framing_error, overrun : In
        As of :class:`~spikewright.boards.uart.UartReceiver`.
    """

    def __init__(self, identity: Identity, shape: tuple[int, int, int] | None = None):
        self.identity = identity
        self._decoder, self._encoder = CommandDecoder(identity, shape), ReplyEncoder(identity)
        passed = {name: self._encoder.signature.members[name]
                  for name in ("o", "results", "counter_address", "counter_read", "counter_data",
                               "counter_valid", "spilled")}
        super().__init__({
            "i": In(stream.Signature(8)),
            "events": Out(self._decoder.o.signature),
            "load": Out(LoadSignature()),
            "clear": Out(1),
            "pending": In(1),
            "framing_error": In(1),
            "overrun": In(1),
            **passed,
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self._decoder
        m.submodules.encoder = encoder = self._encoder
        # Cuts the long way from the memory in front through the decoder and back to its address.
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [decoder.i.valid.eq(1), decoder.i.payload.eq(self.i.payload)]
        with m.Elif(decoder.i.ready):
            m.d.sync += decoder.i.valid.eq(0)
        m.d.comb += self.i.ready.eq(~decoder.i.valid)
        connect(m, decoder.o, flipped(self.events))
        connect(m, decoder.load, flipped(self.load))
        connect(m, decoder.request, encoder.request)
        connect(m, flipped(self.results), encoder.results)
        connect(m, encoder.o, flipped(self.o))
        line = Mux(self.framing_error, Fault.FRAMING, 0) | Mux(self.overrun, Fault.OVERRUN, 0)
        m.d.comb += [
            decoder.pending.eq(self.pending),
            self.clear.eq(decoder.clear),
            encoder.drop_results.eq(decoder.resetting),
            encoder.faults.eq(decoder.faults | line),
            encoder.spilled.eq(self.spilled),
            self.counter_address.eq(encoder.counter_address),
            self.counter_read.eq(encoder.counter_read),
            encoder.counter_data.eq(self.counter_data),
            encoder.counter_valid.eq(self.counter_valid),
        ]
        return m
