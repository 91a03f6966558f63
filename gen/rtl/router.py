"""From rows of spikes to address events: the spikes are found by skipping what is silent.

Between two layers a timestep passes as a whole. The queue holds all rows that two timesteps can
have, so a sweep that has begun never waits, and what reads it finds every timestep complete: events
come one a cycle, without a bubble. So the layers' timing depends on how many events there are, and
not on where they are.
"""

from itertools import combinations
from typing import Any

from amaranth import *
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan import SpikeRows
from .places import NeuronPlaces
from .streams import event_stream

#: Timesteps between two layers.
TIMESTEPS = 2

#: Widest row searched in one cycle; wider ones are first cut into pieces of this many lanes.
PIECE = 16


class SpikeRowLayout(data.StructLayout):
    """Spikes of neighbouring neurons.

    Members
    -------
    spikes : lanes
    base : unsigned
        Address of the neuron in lane 0, or of lane 0 within ``place``.
    place : place
        Passed on as it is; present only if given.
    tick, last : 1
        This row is the timestep's (the inference's) last.
    """

    def __init__(self, lanes: int, addresses: int, place: data.Layout | None = None):
        members: dict[str, Any] = {
            "spikes": lanes, "base": range(max(2, addresses)), "tick": 1, "last": 1,
        }
        if place is not None:
            members["place"] = place
        super().__init__(members)


class SpikeSplitter(wiring.Component):
    """Cuts rows of spikes into pieces of ``width`` lanes and leaves out the silent ones.

    Throughput: one piece with spikes per cycle, without a bubble between rows; a row without any
    spike costs one cycle. Latency: 1 cycle.

    Parameters
    ----------
    lanes : int
        Lanes of an incoming row.
    width : int
        Lanes of a piece; a power of two.
    addresses : int
        Addresses that ``base`` can have.
    place : layout, optional

    Members
    -------
    i : In(stream of SpikeRowLayout(lanes))
    o : Out(stream of SpikeRowLayout(width))
        The last piece of a row carries its ``tick`` and ``last``.
    """

    def __init__(self, lanes: int, width: int, addresses: int,
                 place: data.Layout | None = None):
        if width & (width - 1) or not 1 <= width <= lanes:
            raise ValueError(f"width is {width}; a power of two up to {lanes} lanes is needed")
        self.lanes = lanes
        self.width = width
        super().__init__({
            "i": In(stream.Signature(SpikeRowLayout(lanes, addresses, place))),
            "o": Out(stream.Signature(SpikeRowLayout(width, addresses, place))),
        })

    def elaborate(self, platform):
        m = Module()
        pieces = -(-self.lanes // self.width)
        row = Signal(data.ArrayLayout(self.width, pieces))
        kept = [name for name in self.i.payload.shape().members if name != "spikes"]
        held = {name: Signal.like(self.i.payload[name], name=name) for name in kept}
        valid = Signal()
        pending = Signal(pieces)
        first = Signal(range(pieces) if pieces > 1 else 1)
        only = Signal()
        for piece in reversed(range(pieces)):
            with m.If(pending[piece]):
                m.d.comb += first.eq(piece)
        m.d.comb += [
            only.eq(~_several(pending)),
            self.o.valid.eq(valid),
            self.o.payload.spikes.eq(row[first] if pieces > 1 else row[0]),
            self.o.payload.base.eq(held["base"] + first * self.width),
            self.o.payload.tick.eq(held["tick"] & only),
            self.o.payload.last.eq(held["last"] & only),
            self.i.ready.eq(~valid | (self.o.ready & only)),
        ]
        if "place" in held:
            m.d.comb += self.o.payload.place.eq(held["place"])
        with m.If(valid & self.o.ready):
            m.d.sync += [pending.eq(pending & (pending - 1)[:pieces]), valid.eq(~only)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                valid.eq(1), row.eq(self.i.payload.spikes),
                *(held[name].eq(self.i.payload[name]) for name in kept),
            ]
            for piece in range(pieces):
                lanes = self.i.payload.spikes[piece * self.width : (piece + 1) * self.width]
                m.d.sync += pending[piece].eq(lanes.any())
        return m


class SpikeQueue(wiring.Component):
    """Keeps the rows with spikes of whole timesteps, and gives out a timestep's spikes when all of
    them are in.

    Throughput: a row in per cycle; an event out per cycle, without a bubble within a timestep or
    between timesteps that are complete. A silent timestep is one beat without an event.

    Latency: the first beat of a timestep is offered ``latency`` cycles after its last row, whether
    that has spikes or not: 5, or 7 if rows have more than :data:`PIECE` lanes.

    Rows are never refused. The user begins no timestep before all but one are taken out, and ends
    none in the cycle after another's end; no sweep is that short.

    Parameters
    ----------
    lanes, addresses, place
        Of a row.
    rows : int
        Most rows of a timestep.

    Members
    -------
    valid, row : In
        ``row.tick`` marks the timestep's last row; it may be silent.
    o : Out(stream of SpikeRowLayout(1))
    """

    def __init__(self, lanes: int, addresses: int, rows: int, place: data.Layout | None = None):
        self.lanes = lanes
        self.addresses = addresses
        self.rows = rows
        self.place = place
        self.latency = queue_latency(lanes)
        layout = SpikeRowLayout(lanes, addresses, place)
        super().__init__({
            "valid": In(1), "row": In(layout),
            "o": Out(stream.Signature(SpikeRowLayout(1, addresses, place))),
        })

    def elaborate(self, platform):
        m = Module()
        layout = self.row.shape()
        m.submodules.rows = queue = fifo.SyncFIFOBuffered(
            width=layout.size, depth=TIMESTEPS * self.rows
        )
        valid, row = self.valid, self.row
        if self.lanes > PIECE:
            # Wide rows come from far away.
            valid, row = Signal(name="came"), Signal(layout, name="row_came", reset_less=True)
            m.d.sync += [valid.eq(self.valid), row.eq(self.row)]
        # Which row with spikes is the last shows when the timestep ends, so one is held back.
        held = Signal(layout, reset_less=True)
        full = Signal()
        flush, flush_last = Signal(), Signal()
        some = Signal()
        ended = Signal(layout)
        m.d.comb += [
            some.eq(valid & row.spikes.any()),
            ended.eq(held), ended.tick.eq(flush), ended.last.eq(flush & flush_last),
            queue.w_en.eq(flush | (full & some)), queue.w_data.eq(ended),
        ]
        with m.If(~full):
            m.d.comb += ended.spikes.eq(0)
        m.d.sync += [
            flush.eq(valid & row.tick), flush_last.eq(row.last),
            full.eq(some | (full & ~flush)),
        ]
        with m.If(some):
            m.d.sync += held.eq(row)

        # Counted when the row that ends it can be read.
        complete = Signal(range(TIMESTEPS + 1))
        readable = flush
        for n in range(2):
            later = Signal(name=f"readable_{n}")
            m.d.sync += later.eq(readable)
            readable = later
        source = stream.Signature(layout).create(path=("rows",))
        leaves = source.valid & source.ready & source.payload.tick
        m.d.sync += complete.eq(complete + readable - leaves)
        m.d.comb += [
            source.valid.eq(queue.r_rdy & (complete != 0)), source.payload.eq(queue.r_data),
            queue.r_en.eq(source.ready & (complete != 0)),
        ]
        if self.lanes > PIECE:
            m.submodules.pieces = pieces = SpikeSplitter(
                self.lanes, PIECE, self.addresses, self.place)
            wiring.connect(m, source, pieces.i)
            source = pieces.o
        m.submodules.spikes = spikes = SpikeSplitter(
            min(self.lanes, PIECE), 1, self.addresses, self.place)
        wiring.connect(m, source, spikes.i)
        wiring.connect(m, spikes.o, wiring.flipped(self.o))
        return m


def _several(bits: Value) -> Value:
    """Whether more than one of ``bits`` is set; a tree is faster than the carry of a subtraction.
    """
    nodes: list[tuple[Value, Value]] = [(bit, C(0, 1)) for bit in bits]
    while len(nodes) > 1:
        nodes = [_merge(nodes[n : n + 4]) for n in range(0, len(nodes), 4)]
    return nodes[0][1]


def _merge(nodes: list[tuple[Value, Value]]) -> tuple[Value, Value]:
    """Any, and more than one, of what the nodes tell that of."""
    some = Cat(any_ for any_, _ in nodes)
    pairs = [a & b for a, b in combinations(some, 2)]
    return some.any(), Cat(pairs, (several for _, several in nodes)).any()


def queue_latency(lanes: int) -> int:
    """See :class:`SpikeQueue`."""
    return 5 + 2 * (lanes > PIECE)


class SpikeRouter(wiring.Component):
    """Queues rows of spikes and sends them, as beats of ``ways`` events, to the next layer.

    Unit u's spikes go through the queue of way ``u % ways``. A timestep's beats begin when the
    queues have all of it; it has as many as its fullest way has events, at least one, and the
    tick rides on the last.

    Throughput: one beat per cycle. Latency: that of :class:`SpikeQueue`.

    Parameters
    ----------
    rows : SpikeRows
    ways : int
        Events of a beat; divides the units.
    spatial : bool
        The receiver wants places in a map, not numbers.

    Members
    -------
    valid, spikes, end, last : In
        A row; it is the timestep's, the inference's last.
    begin : In
        A sweep begins.
    room : Out
        One may: fewer than :data:`TIMESTEPS` have begun and not been taken by the next layer.
    waiting : Out
        Whole timesteps that the next layer has not taken.
    o : Out(stream of EventLayout)
    """

    def __init__(self, rows: SpikeRows, ways: int, spatial: bool = False):
        self.rows = rows
        self.ways = ways
        self.places = NeuronPlaces(rows, ways, spatial)
        super().__init__({
            "valid": In(1), "spikes": In(rows.units), "end": In(1), "last": In(1),
            "begin": In(1), "room": Out(1), "waiting": Out(range(TIMESTEPS + 1)),
            "o": Out(event_stream(self.places.address, ways)),
        })

    def elaborate(self, platform):
        m = Module()
        rows, ways = self.rows, self.ways
        m.submodules.places = places = self.places
        m.d.comb += [places.advance.eq(self.valid), places.end.eq(self.end)]

        # Kept as an attribute so that simulations can look inside.
        self.under_way = under_way = Signal(range(TIMESTEPS + 1), name="under_way")
        taken = self.o.valid & self.o.ready & self.o.payload.tick
        m.d.sync += under_way.eq(under_way + self.begin - taken)
        m.d.sync += self.waiting.eq(self.waiting + (self.valid & self.end) - taken)
        m.d.comb += self.room.eq(under_way != TIMESTEPS)

        beats = []
        for way in range(ways):
            m.submodules[f"queue_{way}"] = queue = SpikeQueue(
                rows.units // ways, places.addresses, rows.rows, places.place)
            m.d.comb += [
                queue.valid.eq(self.valid),
                queue.row.spikes.eq(self.spikes[way::ways]),
                queue.row.base.eq(places.base),
                queue.row.tick.eq(self.end), queue.row.last.eq(self.last),
            ]
            if places.place is not None:
                m.d.comb += queue.row.place.eq(places.here)
            beats.append(queue.o)
        self._join(m, beats)
        return m

    def _join(self, m: Module, ways: list):
        """A beat has an event of every way that has one left."""
        done = Signal(len(ways))
        ticks = Cat(way.payload.tick for way in ways)
        m.d.comb += [
            self.o.valid.eq((done | Cat(way.valid for way in ways)).all()),
            self.o.payload.tick.eq((done | ticks).all()),
            self.o.payload.last.eq(Cat(way.payload.last & ~done[n]
                                       for n, way in enumerate(ways)).any()
                                   & self.o.payload.tick),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += done.eq(Mux(self.o.payload.tick, 0, done | ticks))
        for n, way in enumerate(ways):
            slot = self.o.payload.slots[n]
            m.d.comb += [
                slot.event.eq(way.payload.spikes[0] & ~done[n]),
                slot.address.eq(self.places.resolve(way.payload)),
                way.ready.eq(self.o.ready & self.o.valid & ~done[n]),
            ]
