"""Notices that a network has come to a standstill."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Watchdog(wiring.Component):
    """Counts cycles in which something ought to move and nothing does.

    Parameters
    ----------
    limit : int
        As many such cycles, one after the other, are legal;
        :func:`spikewright.gen.silence.longest_silence` knows how many.

    Members
    -------
    waiting : In
        Somebody waits for the network.
    progress : In
        Something moves.
    wedged : Out
        Since the cycle after the first too many, until something moves or nobody waits.
    """

    def __init__(self, limit: int):
        self.limit = limit
        super().__init__({"waiting": In(1), "progress": In(1), "wedged": Out(1)})

    def elaborate(self, platform):
        m = Module()
        silent = Signal(range(self.limit + 2))
        with m.If(~self.waiting | self.progress):
            m.d.sync += silent.eq(0)
        with m.Elif(~self.wedged):
            m.d.sync += silent.eq(silent + 1)
        m.d.comb += self.wedged.eq(silent == self.limit + 1)
        return m
