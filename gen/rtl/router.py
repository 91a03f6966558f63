"""From rows of spikes to address events: the spikes are found by skipping what is silent."""

from amaranth import *
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..folding import LayerPlan
from .array import SpikeRowLayout
from .streams import event_stream

#: Widest row searched in one cycle; wider ones are first cut into pieces of this many lanes.
PIECE = 16


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
        Neurons of the layer.

    Members
    -------
    i : In(stream of SpikeRowLayout(lanes))
    o : Out(stream of SpikeRowLayout(width))
        The last piece of a row carries its ``tick`` and ``last``.
    """

    def __init__(self, lanes: int, width: int, addresses: int):
        if width & (width - 1) or not 1 <= width <= lanes:
            raise ValueError(f"width is {width}; a power of two up to {lanes} lanes is needed")
        self.lanes = lanes
        self.width = width
        super().__init__({
            "i": In(stream.Signature(SpikeRowLayout(lanes, addresses))),
            "o": Out(stream.Signature(SpikeRowLayout(width, addresses))),
        })

    def elaborate(self, platform):
        m = Module()
        pieces = -(-self.lanes // self.width)
        row = Signal(data.ArrayLayout(self.width, pieces))
        base, tick, last = (
            Signal.like(self.i.payload[name], name=name) for name in ("base", "tick", "last")
        )
        valid = Signal()
        pending = Signal(pieces)
        first = Signal(range(pieces) if pieces > 1 else 1)
        only = Signal()
        for piece in reversed(range(pieces)):
            with m.If(pending[piece]):
                m.d.comb += first.eq(piece)
        m.d.comb += [
            only.eq((pending & (pending - 1)[:pieces]) == 0),
            self.o.valid.eq(valid),
            self.o.payload.spikes.eq(row[first] if pieces > 1 else row[0]),
            self.o.payload.base.eq(base + first * self.width),
            self.o.payload.tick.eq(tick & only),
            self.o.payload.last.eq(last & only),
            self.i.ready.eq(~valid | (self.o.ready & only)),
        ]
        with m.If(valid & self.o.ready):
            m.d.sync += [pending.eq(pending & (pending - 1)[:pieces]), valid.eq(~only)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                valid.eq(1), row.eq(self.i.payload.spikes), base.eq(self.i.payload.base),
                tick.eq(self.i.payload.tick), last.eq(self.i.payload.last),
            ]
            for piece in range(pieces):
                lanes = self.i.payload.spikes[piece * self.width : (piece + 1) * self.width]
                m.d.sync += pending[piece].eq(lanes.any())
        return m


class SpikeRouter(wiring.Component):
    """Queues rows of spikes and sends their address events, in order, to the next layer.

    Throughput: one event per cycle without a bubble, whatever the spikes' positions; the cost is
    the number of spikes, not of neurons. A timestep's tick rides on its last event if that spike
    lies in the layer's last row, and is a beat of its own otherwise.

    Latency: 4 cycles from ``row_valid`` to the first event through an idle router, 3 if rows have
    at most :data:`PIECE` lanes.

    No row is ever dropped: ``room`` is granted against free places of the queue, counting rows
    that were promised (``promise``) and are still in the neurons' pipeline.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    row_valid, row : In
        Rows of spikes as they leave the neurons.
    promise, withdraw : In
        A row was promised; a promised row was silent and does not come.
    room : Out
        One more row may be promised in this cycle.
    o : Out(stream of EventLayout)
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        super().__init__({
            "row_valid": In(1),
            "row": In(SpikeRowLayout(plan.lanes, plan.layer.neurons)),
            "promise": In(1), "withdraw": In(1), "room": Out(1),
            "o": Out(event_stream(plan.layer.neurons)),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, neurons, depth = self.plan.lanes, self.plan.layer.neurons, self.plan.spike_queue
        layout = self.row.shape()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=layout.size, depth=depth)
        m.d.comb += [queue.w_en.eq(self.row_valid), queue.w_data.eq(self.row)]

        free = Signal(range(depth + 1), init=depth)
        taken = queue.r_en & queue.r_rdy
        m.d.sync += free.eq(free - self.promise + self.withdraw + taken)
        m.d.comb += self.room.eq(free != 0)

        source = stream.Signature(layout).create(path=("rows",))
        m.d.comb += [
            source.valid.eq(queue.r_rdy), source.payload.eq(queue.r_data),
            queue.r_en.eq(source.ready),
        ]
        if lanes > PIECE:
            m.submodules.pieces = pieces = SpikeSplitter(lanes, PIECE, neurons)
            wiring.connect(m, source, pieces.i)
            source = pieces.o
        m.submodules.spikes = spikes = SpikeSplitter(min(lanes, PIECE), 1, neurons)
        wiring.connect(m, source, spikes.i)
        m.d.comb += [
            self.o.valid.eq(spikes.o.valid),
            self.o.payload.address.eq(spikes.o.payload.base),
            self.o.payload.event.eq(spikes.o.payload.spikes[0]),
            self.o.payload.tick.eq(spikes.o.payload.tick),
            self.o.payload.last.eq(spikes.o.payload.last),
            spikes.o.ready.eq(self.o.ready),
        ]
        return m
