"""Bytes from the host to beats: what a board does with a :class:`~.protocol.Command`."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.streams import EventLayout, SpatialLayout, address_bits, event_stream
from ..gen.rtl.weights import LoadSignature
from .protocol import Command, Fault, Identity
from .reply_encoder import Request


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
            layout = SpatialLayout(*self.shape)
            # The field of an only channel has a bit, which no address needs.
            fields = data.View(layout, Cat(address, C(0, layout.size - bits)))
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
