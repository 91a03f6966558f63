"""Whose training a board carries: the digest behind what was loaded."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..gen.rtl.loading import LoadSignature
from ..gen.rtl.tables import Tables
from .protocol import DIGEST_BYTES, Identity


class CarriedDigests(wiring.Component):
    """The digests of an IDENTITY: of what the network's memories hold, and of its shape.

    As built the first is that of the network that the bitstream fills them with, or nobody's
    (zeros) if it does not fill them. From the begin of a load on it is nobody's, until all memories
    and the digest behind them have come.

    Parameters
    ----------
    identity : Identity
        Of the network that was built.
    filled : bool
        As built, all memories are.

    Members
    -------
    load : In(LoadSignature)
        What goes to the network, too.
    network_full : In
        Its memories have all their bytes.
    full : Out
        The digest has, too: bytes that come now are too many.
    place : In
    byte : Out, 8
        Byte ``place`` of the two; no latency.
    """

    def __init__(self, identity: Identity, *, filled: bool):
        self.identity, self.filled = identity, filled
        super().__init__({
            "load": In(LoadSignature()), "network_full": In(1), "full": Out(1),
            "place": In(range(Identity.DIGESTS_BYTES)), "byte": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        # They are of the weights, too, so they are exchanged with them in a finished bitstream.
        m.submodules.built = built = Tables([*identity.digest, *identity.shape], 8)
        m.d.comb += built.address.eq(self.place)
        if not identity.load_bytes:
            m.d.comb += [self.byte.eq(built.data), self.full.eq(1)]
            return m
        as_built, whole = Signal(init=self.filled), Signal()
        left, carried = Signal(range(DIGEST_BYTES)), Signal(8 * DIGEST_BYTES, reset_less=True)
        with m.If(self.load.begin):
            m.d.sync += [as_built.eq(0), whole.eq(0), left.eq(DIGEST_BYTES - 1)]
        with m.Elif(self.load.valid & self.network_full & ~self.full):
            m.d.sync += [carried.eq(Cat(carried, self.load.byte)[8:]), left.eq(left - 1),
                         whole.eq(left == 0)]
        m.d.comb += self.full.eq(as_built | whole)
        with m.If(as_built | (self.place >= DIGEST_BYTES)):
            m.d.comb += self.byte.eq(built.data)
        with m.Elif(whole):
            m.d.comb += self.byte.eq(carried.word_select(self.place[:3], 8))
        return m
