"""Whole inferences at full speed, however slow the wire that brings them."""

from amaranth import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.streams import EventLayout


class InferenceBuffer(wiring.Component):
    """Holds the beats of an inference back until all of it is there, then plays it.

    The accelerator behind it then runs exactly as it does in simulation, where beats come as fast
    as they are taken: each inference on its own, so that its counters mean the same. An inference
    longer than the buffer begins when the buffer is full; its result is the same, its cycles depend
    on the wire, and ``spilled`` says so.

    Throughput: one beat per cycle. Latency: 3 cycles from the last beat in to the first beat out,
    if the inference before is done.

    Parameters
    ----------
    shape : EventLayout
    depth : int
        Beats it holds; a power of two fills its block memory.

    Members
    -------
    i, o : In, Out(stream of EventLayout)
    done : In
        The result of the inference that is played has left; with an early exit, that may be before
        its last beat has.
    pending : Out
        An inference is complete here, or was played and is not done.
    spilled : Out
        An inference since ``clear`` was longer than the buffer.
    clear : In
    """

    def __init__(self, shape: EventLayout, depth: int):
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "done": In(1),
            "pending": Out(1),
            "spilled": Out(1),
            "clear": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        # One word is the output register of the queue.
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(
            width=self.i.payload.shape().size, depth=self.depth + 1
        )
        playing = Signal()
        waiting_for_result = Signal()
        answered = Signal()
        complete = Signal(range(self.depth + 2))
        m.d.comb += [
            queue.w_en.eq(self.i.valid), queue.w_data.eq(self.i.payload),
            self.i.ready.eq(queue.w_rdy),
            self.o.valid.eq(queue.r_rdy & playing), self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready & playing),
            self.pending.eq((complete != 0) | waiting_for_result),
        ]

        enters = self.i.valid & self.i.ready & self.i.payload.tick & self.i.payload.last
        leaves = self.o.valid & self.o.ready & self.o.payload.tick & self.o.payload.last
        m.d.sync += complete.eq(complete + enters - leaves)
        with m.If(self.clear):
            m.d.sync += self.spilled.eq(0)
        with m.If(leaves):
            m.d.sync += [
                playing.eq(0), waiting_for_result.eq(~answered & ~self.done), answered.eq(0),
            ]
        with m.Elif(self.done):
            m.d.sync += [waiting_for_result.eq(0), answered.eq(playing)]
        with m.If(~playing & ~waiting_for_result):
            with m.If(complete != 0):
                m.d.sync += playing.eq(1)
            with m.Elif(~queue.w_rdy):
                m.d.sync += [playing.eq(1), self.spilled.eq(1)]
        return m
