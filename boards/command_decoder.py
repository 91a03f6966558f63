"""Bytes from the host to beats: what a board does with a :class:`~.protocol.Command`."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.loading import LoadSignature
from ..gen.rtl.streams import EventLayout, SpatialLayout, address_bits, event_stream
from .protocol import EVENT_BITS, MAX_SKIPS, SKIP_BITS, Command, Fault, Identity, way_bits
from .reply_encoder import Request

#: Bits that the SKIPs of an event carry together.
HIGH_BITS = SKIP_BITS * MAX_SKIPS


class BeatGatherer(wiring.Component):
    """Events, one by one, to the slots of a beat.

    Latency: 2 cycles from ``distance`` to ``fault`` and ``full``, because checking an event is a
    long path, and there is time for it.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    distance, value : In
        An event, as it comes over the wire; see :func:`~.protocol.distance`.
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
            "distance": In(HIGH_BITS + EVENT_BITS), "value": In(8), "fault": Out(Fault),
            "full": Out(1), "put": In(1), "slots": Out(layout["slots"].shape), "end": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        bits, split = identity.bank_bits, way_bits(identity.ways)
        apart, way = self.distance[split:], self.distance[:split] if split else C(0, 1)
        gathered, highest = Signal(), Signal(len(way))
        seen, before = Signal(identity.ways), Signal(bits)
        with m.Switch(way):
            for number in range(identity.ways):
                with m.Case(number):
                    m.d.comb += before.eq(self.slots[number].address)
        far = Signal(len(self.distance) + 1)
        m.d.sync += far.eq(apart + Mux((seen >> way)[0], before + 1, 0))
        address = far[:bits]
        exists = (way < identity.ways) & (far < identity.inputs)
        if self.shape is not None:
            layout = SpatialLayout(*self.shape)
            # The field of an only channel has a bit, which no address needs.
            fields = data.View(layout, Cat(address, C(0, layout.size - bits)))
            exists &= ((fields.channel < self.shape[0]) & (fields.y < self.shape[1])
                       & (fields.x < self.shape[2]))
        fault = Signal(Fault)
        with m.If(~exists):
            m.d.comb += fault.eq(Fault.ADDRESS)
        if identity.value_bits:
            with m.Elif((self.value == 0) | (self.value >> identity.value_bits != 0)):
                m.d.comb += fault.eq(Fault.VALUE)
        m.d.sync += [self.fault.eq(fault), self.full.eq(gathered & (way <= highest))]

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
    """Bytes of COMMANDS to beats, loaded bytes and requests.

    A beat is kept until it is known whether the timestep ends with it, so that its tick rides on
    it, as in :func:`spikewright.gen.beats.beats`. Whatever bytes come, the beats keep the network's
    contract: addresses exist and come at most once a timestep, values are in range, and no
    inference is too long.

    Throughput: an event per 4 cycles, a tick per cycle. Latency: 3 cycles from the last byte of the
    next beat's first event to the beat, 1 from a tick.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    i : In(stream of 8 bits)
    reset : In
        Abandon the inference that is under way, whatever is expected next; then ask for READY.
    o : Out(stream of EventLayout)
    load : Out(LoadSignature)
        Only between inferences.
    loaded : In
        All of it has come: bytes that come now are too many.
    request : Out(stream of Request)
        Taken when its frame has been sent.
    pending : In
        A result is still to come; at the latest in the second cycle after its inference has left.
    resetting : Out
        Results are to be dropped.
    gather, release, run, passed, gathered : Out, Out, Out, In, In
        As of :class:`~.buffer.InferenceBuffer`.
    silent : Out
        Results of what runs are not for the host.
    choose, chosen : Out
        What is observed changes: bits 0–7 are the layer, 8–23 the timestep.
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
            "reset": In(1),
            "o": Out(event_stream(_address(identity, shape), identity.ways, identity.value_bits)),
            "load": Out(LoadSignature()), "loaded": In(1),
            "request": Out(stream.Signature(Request)),
            "pending": In(1),
            "resetting": Out(1),
            "gather": Out(1), "release": Out(1), "run": Out(1), "passed": In(1),
            "gathered": In(1), "silent": Out(1),
            "choose": Out(1), "chosen": Out(24),
            "clear": Out(1),
            "faults": Out(Fault),
        })

    def elaborate(self, platform):
        m = Module()
        identity, byte = self.identity, self.i.payload
        m.submodules.gatherer = gatherer = BeatGatherer(identity, self.shape)
        high, low, value, left = (Signal(HIGH_BITS), Signal(EVENT_BITS), Signal(8), Signal(8))
        last, command, asked = Signal(), Signal(Command), Signal(Request)
        ticks = Signal(range(identity.timesteps))
        abandon, inside = Signal(), Signal()
        valued = identity.value_bits > 0
        m.d.comb += [
            self.o.payload.slots.eq(gatherer.slots),
            gatherer.distance.eq(Cat(low, high)), gatherer.value.eq(value),
            self.load.byte.eq(byte), self.request.payload.eq(asked),
        ]

        def fault(which):
            m.d.comb += self.faults.eq(which)

        def tick(last):
            m.d.comb += [
                self.o.valid.eq(1), self.o.payload.tick.eq(1), self.o.payload.last.eq(last),
                gatherer.end.eq(self.o.ready),
            ]
            with m.If(self.o.ready):
                m.d.sync += [ticks.eq(Mux(last, 0, ticks + 1)), inside.eq(~last)]

        def ask(which: Request):
            m.d.sync += asked.eq(which)
            m.next = "ASK"

        def begin():
            """What the first byte of a command says."""
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += [low.eq(byte), left.eq(byte[:5]), command.eq(byte), last.eq(0)]
            with m.Switch(byte):
                if identity.observed_words:
                    with m.Case(Command.OBSERVE, Command.READ):
                        m.next = "WAIT"
                with m.Case("1-------"):
                    m.next = "VALUE" if valued else "ADDRESS"
                with m.Case("01------"):
                    m.d.sync += high.eq(Cat(byte[:SKIP_BITS], high))
                    with m.If(high[HIGH_BITS - SKIP_BITS :] != 0):
                        fault(Fault.ADDRESS)
                with m.Case("001-----"):
                    m.next = "TICK"
                with m.Case(Command.LAST):
                    m.d.sync += [last.eq(1), left.eq(0)]
                    m.next = "TICK"
                with m.Case(Command.IDENTIFY):
                    ask(Request.IDENTITY)
                with m.Case(Command.PING):
                    ask(Request.PONG)
                with m.Case(Command.COUNTERS, Command.CLEAR, Command.REWIND, Command.LOAD,
                            Command.GATHER, Command.RUN):
                    m.next = "WAIT"
                with m.Default():
                    fault(Fault.UNKNOWN)
            with m.If(byte[6:] == 0):
                m.d.sync += high.eq(0)

        def carry_out():
            """What has waited for results."""
            m.next = "COMMAND"
            with m.Switch(command):
                with m.Case(Command.COUNTERS):
                    ask(Request.COUNTERS)
                with m.Case(Command.CLEAR):
                    m.d.comb += self.clear.eq(1)
                with m.Case(Command.REWIND):
                    with m.If(inside):
                        fault(Fault.LOAD)
                    with m.Else():
                        m.d.comb += self.load.begin.eq(1)
                with m.Case(Command.GATHER):
                    with m.If(inside):
                        fault(Fault.BATCH)
                    with m.Else():
                        m.d.comb += self.gather.eq(1)
                with m.Case(Command.LOAD, Command.RUN):
                    m.next = "COUNT"
                if identity.observed_words:
                    with m.Case(Command.OBSERVE):
                        m.d.sync += left.eq(2)
                        m.next = "CHOOSE"
                    with m.Case(Command.READ):
                        ask(Request.OBSERVED)

        with m.If(self.reset):
            m.d.sync += abandon.eq(1)
        with m.FSM():
            with m.State("COMMAND"):
                with m.If(abandon):
                    m.d.sync += [abandon.eq(self.reset), high.eq(0)]
                    m.next = "ABANDON"
                with m.Elif(self.i.valid):
                    begin()
            if valued:
                with m.State("VALUE"):
                    with m.If(abandon):
                        m.next = "COMMAND"
                    with m.Elif(self.i.valid):
                        m.d.comb += self.i.ready.eq(1)
                        m.d.sync += value.eq(byte)
                        m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.next = "CHECK"
            with m.State("CHECK"):
                m.next = "EVENT"
            with m.State("EVENT"):
                with m.If(gatherer.fault != Fault(0)):
                    fault(gatherer.fault)
                    m.d.sync += high.eq(0)
                    m.next = "COMMAND"
                with m.Else():
                    m.d.comb += self.o.valid.eq(gatherer.full)
                    with m.If(~gatherer.full | self.o.ready):
                        m.d.comb += gatherer.put.eq(1)
                        m.d.sync += [high.eq(0), inside.eq(1)]
                        m.next = "COMMAND"
            with m.State("TICK"):
                with m.If(~last & (ticks == identity.timesteps - 1)):
                    fault(Fault.TIMESTEPS)
                    m.next = "COMMAND"
                with m.Else():
                    tick(last)
                    with m.If(self.o.ready):
                        m.d.sync += left.eq(left - 1)
                        with m.If(left == 0):
                            m.next = "COMMAND"
            with m.State("ASK"):
                m.d.comb += self.request.valid.eq(1)
                with m.If(self.request.ready):
                    m.d.sync += self.resetting.eq(0)
                    m.next = "COMMAND"
            with m.State("WAIT"):
                with m.If(abandon):
                    m.next = "COMMAND"
                with m.Elif(~self.pending):
                    carry_out()
            with m.State("COUNT"):
                with m.If(abandon):
                    m.next = "COMMAND"
                with m.Elif(self.i.valid):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += left.eq(byte)
                    m.next = "LOAD"
                    with m.If(command == Command.RUN):
                        m.d.sync += self.silent.eq(byte != 0)
                        m.next = "RUN"
            with m.State("LOAD"):
                with m.If(abandon):
                    m.next = "COMMAND"
                with m.Elif(self.i.valid):
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(self.loaded | inside):
                        fault(Fault.LOAD)
                    with m.Else():
                        m.d.comb += self.load.valid.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "COMMAND"
            if identity.observed_words:
                with m.State("CHOOSE"):
                    with m.If(abandon):
                        m.next = "COMMAND"
                    with m.Elif(self.i.valid):
                        m.d.comb += [self.i.ready.eq(1), self.choose.eq(1)]
                        m.d.sync += [self.chosen.eq(Cat(self.chosen[8:], byte)), left.eq(left - 1)]
                        with m.If(left == 0):
                            m.next = "COMMAND"
            with m.State("RUN"):
                with m.If(abandon):
                    m.next = "COMMAND"
                with m.Elif(~self.gathered | inside):
                    fault(Fault.BATCH)
                    m.next = "COMMAND"
                with m.Else():
                    m.d.comb += self.run.eq(1)
                    with m.If(self.passed):
                        m.d.sync += left.eq(left - 1)
                        with m.If(left[1:] == 0):
                            m.next = "COMMAND"
            with m.State("ABANDON"):
                tick(C(1))
                with m.If(self.o.ready):
                    m.d.sync += self.resetting.eq(1)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.next = "DRAIN"
            with m.State("DRAIN"), m.If(~self.pending):
                m.d.comb += [self.clear.eq(1), self.release.eq(1)]
                m.d.sync += self.silent.eq(0)
                ask(Request.READY)
        return m
