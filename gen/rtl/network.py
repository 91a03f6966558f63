"""The whole accelerator as one stream component."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..folding import Folding
from ..spec import NetworkSpec
from .counters import COUNTER_BITS, Counters
from .layer import SpikingLayer
from .readout import SpikeCountReadout
from .streams import event_stream, result_stream


class Network(wiring.Component):
    """Spikes in, class counts out; every layer works on its own timestep at the same time.

    Throughput is that of the busiest layer; see :class:`~.array.NeuronArray`. An inference of a
    network of one layer takes ``rows · events + 10 + classes`` cycles if every timestep has enough
    events to cover the sweep before (1 for at least 6 rows, 5 for a single row) and none of its
    neurons fires: 2 in the queue, 5 in the array, 3 in the router (4 with more than 16 lanes), and
    the result.

    An inference is a sequence of beats whose ``last`` tick ends it; the next one may follow at
    once. It must have at most ``spec.timesteps`` ticks. To abandon an inference, send its last
    tick and drop the result.

    Parameters
    ----------
    spec : NetworkSpec
    folding : Folding
    counters : bool
        Build the performance counters.

    Members
    -------
    i : In(stream of EventLayout)
        Input spikes and ticks.
    o : Out(stream of ResultLayout)
        One beat per class and inference.
    clear : In
        Zeroes all counters.
    counter_address, counter_data : In, Out
        See :class:`~.counters.Counters`; absent data reads as 0.

    Raises
    ------
    FoldingError
        If the folding does not belong to the network.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, *, counters: bool = True):
        self.spec = spec
        self.plans = folding.plans(spec)
        #: Kept as an attribute so that simulations can look inside.
        self.layers = [SpikingLayer(plan) for plan in self.plans]
        self._counters = Counters([layer.events.signature for layer in self.layers]) \
            if counters else None
        self.counter_count = self._counters.words if self._counters is not None else 1
        super().__init__({
            "i": In(event_stream(spec.inputs)),
            "o": Out(result_stream(spec.classes, spec.timesteps)),
            "clear": In(1),
            "counter_address": In(range(self.counter_count) if self.counter_count > 1 else 1),
            "counter_data": Out(COUNTER_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        beats = wiring.flipped(self.i)
        for layer in self.layers:
            m.submodules[f"layer_{layer.plan.layer.name}"] = layer
            wiring.connect(m, beats, layer.i)
            beats = layer.o
        m.submodules.readout = readout = SpikeCountReadout(self.spec.classes, self.spec.timesteps)
        wiring.connect(m, beats, readout.i)
        wiring.connect(m, readout.o, wiring.flipped(self.o))
        if self._counters is not None:
            self._count(m, self._counters)
        return m

    def _count(self, m: Module, counters: Counters):
        m.submodules.counters = counters
        for n, layer in enumerate(self.layers):
            wiring.connect(m, layer.events, getattr(counters, f"layer_{n}"))
        # An inference is under way from its first beat to its last result.
        beat = self.i.valid & self.i.ready
        begun = Signal()
        begins = beat & ~begun
        ends = self.o.valid & self.o.ready & self.o.payload.last
        most = sum(plan.queue + plan.spike_queue + 8 for plan in self.plans)
        under_way = Signal(range(most + 1))
        with m.If(beat):
            m.d.sync += begun.eq(~(self.i.payload.tick & self.i.payload.last))
        m.d.sync += under_way.eq(under_way + begins - ends)
        m.d.comb += [
            counters.active.eq(begins | (under_way != 0)),
            counters.clear.eq(self.clear),
            counters.address.eq(self.counter_address),
            self.counter_data.eq(counters.data),
        ]
