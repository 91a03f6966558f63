"""What the network answers: spikes of every class, and which class has most."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .streams import event_stream, result_stream


class SpikeCountReadout(wiring.Component):
    """Counts the spikes of each class over an inference, then sends one result beat per class.

    Throughput: one event per cycle; ``classes`` cycles for the result, in which no event is taken.
    Latency: the first result beat is offered in the cycle after the inference's last beat.

    Parameters
    ----------
    classes : int
    timesteps : int
        Most timesteps of an inference, hence most spikes of a class.

    Members
    -------
    i : In(stream of EventLayout)
    o : Out(stream of ResultLayout)
    """

    def __init__(self, classes: int, timesteps: int):
        self.classes = classes
        self.timesteps = timesteps
        super().__init__({
            "i": In(event_stream(classes)),
            "o": Out(result_stream(classes, timesteps)),
        })

    def elaborate(self, platform):
        m = Module()
        counts = Signal(data.ArrayLayout(range(self.timesteps + 1), self.classes))
        answering = Signal()
        index = Signal.like(self.o.payload.index)
        winner, most = Signal.like(index), Signal.like(self.o.payload.count)
        count, better, last = Signal.like(most), Signal(), Signal()
        m.d.comb += [
            count.eq(counts[index]),
            better.eq((index == 0) | (count > most)),
            last.eq(index == self.classes - 1),
            self.i.ready.eq(~answering),
            self.o.valid.eq(answering),
            self.o.payload.index.eq(index),
            self.o.payload.count.eq(count),
            self.o.payload.winner.eq(Mux(better, index, winner)),
            self.o.payload.last.eq(last),
        ]
        with m.If(self.i.valid & self.i.ready):
            with m.If(self.i.payload.event):
                m.d.sync += counts[self.i.payload.address].eq(counts[self.i.payload.address] + 1)
            m.d.sync += answering.eq(self.i.payload.tick & self.i.payload.last)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [
                winner.eq(self.o.payload.winner),
                most.eq(Mux(better, count, most)),
                index.eq(Mux(last, 0, index + 1)),
            ]
            with m.If(last):
                m.d.sync += [answering.eq(0), counts.eq(0)]
        return m
