"""One layer: input queue, neuron array, spike router."""

from amaranth import *
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from ..folding import LayerPlan
from .array import NeuronArray
from .counters import LayerEvents
from .router import SpikeRouter
from .streams import event_stream


class SpikingLayer(wiring.Component):
    """Address events in, address events out.

    Throughput and latency are those of :class:`~.array.NeuronArray` and
    :class:`~.router.SpikeRouter`; the queue adds 2 cycles.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i : In(stream of EventLayout)
    o : Out(stream of EventLayout)
    events : Out(LayerEvents)
        What to count.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        #: Kept as an attribute so that simulations can look at its taps.
        self.array = NeuronArray(plan)
        super().__init__({
            "i": In(event_stream(plan.layer.inputs)),
            "o": Out(event_stream(plan.layer.neurons)),
            "events": Out(LayerEvents(synops=plan.lanes, saturations=plan.lanes,
                                      queue_peak=plan.queue)),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(
            width=self.i.payload.shape().size, depth=plan.queue
        )
        m.submodules.array = array = self.array
        m.submodules.router = router = SpikeRouter(plan)
        m.d.comb += [
            queue.w_en.eq(self.i.valid), queue.w_data.eq(self.i.payload),
            self.i.ready.eq(queue.w_rdy),
            array.i.valid.eq(queue.r_rdy), array.i.payload.eq(queue.r_data),
            queue.r_en.eq(array.i.ready),
            router.row_valid.eq(array.o_valid), router.row.eq(array.o_row),
            router.promise.eq(array.issued_tick_row), router.withdraw.eq(array.silent_row),
            array.room.eq(router.room),
        ]
        wiring.connect(m, wiring.flipped(self.o), router.o)

        partial = plan.lanes - plan.padding
        m.d.comb += [
            self.events.events_in.eq(self.i.valid & self.i.ready & self.i.payload.event),
            self.events.events_out.eq(self.o.valid & self.o.ready & self.o.payload.event),
            self.events.synops.eq(Mux(array.busy, Mux(array.last_row, partial, plan.lanes), 0)),
            self.events.saturations.eq(array.saturated),
            self.events.busy.eq(array.busy),
            self.events.sweeping.eq(array.sweeping),
            self.events.stalled.eq(array.stalled),
            self.events.starved.eq(array.starved),
            self.events.queue_peak.eq(queue.level),
        ]
        return m
