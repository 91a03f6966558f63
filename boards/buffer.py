"""Whole inferences at full speed, however slow the wire that brings them."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.streams import EventLayout
from .protocol import LinkError


class InferenceBuffer(wiring.Component):
    """Holds the beats of an inference back until all of it is there, then plays it.

    The accelerator behind it then runs exactly as it does in simulation, where beats come as fast
    as they are taken: each inference on its own, so that its counters mean the same. An inference
    longer than the buffer begins when the buffer is full; its result is the same, its cycles depend
    on the wire, and ``spilled`` says so.

    From ``gather`` to ``release`` it plays nothing by itself, and inferences stay: while ``run`` is
    high they are played one behind the other, without waiting for results, and again from the first
    when the last has been. Once ``run`` is low, the inference that is played is the last.

    Throughput: one beat per cycle, from the last inference to the first as well. Latency: 3 cycles
    from the last beat in to the first beat out, if the inference before is done; 1 from ``run``.

    Parameters
    ----------
    shape : EventLayout
    depth : int
        Beats it holds; a power of two.
    flying : int
        Most inferences of which a beat has left and that are not done.

    Members
    -------
    i, o : In, Out(stream of EventLayout)
    done : In
        The result of an inference that is played has left; with an early exit, that may be before
        its last beat has.
    pending : Out
        An inference is complete here and will be played, or was played and is not done.
    spilled : Out
        An inference since ``clear`` was longer than the buffer.
    clear : In
    gather, release : In
        For one cycle, when nothing is pending and no beat of an inference is here alone. What
        was gathered before is forgotten.
    run : In
        Only if something ``gathered``.
    passed : Out
        The last beat of all is on its way: with ``run`` in the next cycle, the first follows.
    gathered : Out
        Beats were gathered, and all of them are here.
    overflow : Out
        For one cycle: a beat that was to be gathered is dropped, as the buffer is full. So are
        those behind it.

    Raises
    ------
    LinkError
        If the depth is no power of two.
    """

    def __init__(self, shape: EventLayout, depth: int, flying: int = 1):
        if depth < 1 or depth & (depth - 1):
            raise LinkError(f"a buffer of {depth} beats; its depth must be a power of two")
        self.depth = depth
        self.flying = flying
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "done": In(1),
            "pending": Out(1),
            "spilled": Out(1),
            "clear": In(1),
            "gather": In(1),
            "release": In(1),
            "run": In(1),
            "passed": Out(1),
            "gathered": Out(1),
            "overflow": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        shape = self.i.payload.shape()
        m.submodules.memory = held = memory.Memory(shape=shape.size, depth=self.depth, init=[])
        write, read = held.write_port(), held.read_port()
        # One bit more than an address tells a full memory from an empty one.
        written, left = (Signal(range(2 * self.depth), name=name) for name in ("written", "left"))
        gathering, lost, playing, fetched, begun = (
            Signal(name=name) for name in ("gathering", "lost", "playing", "fetched", "begun"))
        complete = Signal(range(self.depth + 2))
        owed = Signal(range(self.flying + 1))

        # While it gathers, the first beat stays at address 0.
        full = Mux(gathering, written[-1], (written ^ left) == self.depth)
        kept = self.i.valid & ~full & ~lost
        m.d.comb += [
            self.i.ready.eq(gathering | ~full),
            write.addr.eq(written), write.data.eq(self.i.payload), write.en.eq(kept),
            self.gathered.eq(gathering & ~lost & (written != 0)),
            self.overflow.eq(gathering & self.i.valid & full & ~lost),
        ]
        with m.If(kept):
            m.d.sync += written.eq(written + 1)
        with m.If(self.overflow):
            m.d.sync += lost.eq(1)

        ends = self.o.payload.tick & self.o.payload.last
        moves = self.o.valid & self.o.ready
        leaves = moves & ends
        # What has begun is played to its end.
        more = Mux(gathering, self.run | (fetched & ~ends), left != written)
        fetch = more & (~fetched | moves)
        following = Signal.like(left)
        m.d.comb += [
            following.eq(left + 1),
            read.addr.eq(left), read.en.eq(fetch),
            self.o.payload.eq(read.data), self.o.valid.eq(fetched & (playing | gathering)),
            self.passed.eq(fetch & gathering & (following == written)),
            self.pending.eq((complete != 0) | ((owed != 0) & ~begun) | (gathering & fetched)),
        ]
        with m.If(fetch):
            m.d.sync += [fetched.eq(1), left.eq(Mux(self.passed, 0, following))]
        with m.Elif(moves):
            m.d.sync += fetched.eq(0)

        enters = self.i.valid & ~gathering & ~full & self.i.payload.tick & self.i.payload.last
        m.d.sync += complete.eq(complete + enters - (leaves & ~gathering))
        with m.If(moves):
            m.d.sync += begun.eq(~ends)
        m.d.sync += owed.eq(owed + (moves & ~begun) - self.done)
        with m.If(self.clear):
            m.d.sync += self.spilled.eq(0)
        with m.If(leaves):
            m.d.sync += playing.eq(0)
        with m.Elif(~playing & (owed == 0)):
            with m.If(complete != 0):
                m.d.sync += playing.eq(1)
            with m.Elif(full & ~gathering):
                m.d.sync += [playing.eq(1), self.spilled.eq(1)]
        with m.If(self.gather | self.release):
            m.d.sync += [gathering.eq(self.gather), lost.eq(0), written.eq(0), left.eq(0)]
        return m
