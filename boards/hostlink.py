"""The board's side of :mod:`~spikewright.boards.protocol`: frames to beats, results to frames."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..gen.rtl.loading import LoadSignature
from .cobs import CobsDecoder, CobsEncoder
from .command_decoder import CommandDecoder
from .frames import CRC_BYTES, FrameReceiver, FrameSender
from .protocol import Fault, Identity
from .reply_encoder import ReplyEncoder


class HostLink(wiring.Component):
    """Two chains side by side: a stream of bytes each way, the network on the other side.

    Bytes in go through :class:`~.cobs.CobsDecoder`, :class:`~.frames.FrameReceiver` and
    :class:`~.command_decoder.CommandDecoder`; replies through
    :class:`~.reply_encoder.ReplyEncoder`, :class:`~.frames.FrameSender` and
    :class:`~.cobs.CobsEncoder`.

    Throughput: an event per 4 cycles in; out, that of :class:`~.cobs.CobsEncoder`. Latency: a frame
    is decoded when all of it has come, and a reply leaves block by block.

    Parameters
    ----------
    identity : Identity
        Its ``window`` and the bytes of a CRC together are a power of two.
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    i, o : In, Out(stream of 8 bits)
    events : Out(stream of EventLayout)
    results : In(stream of ResultLayout)
    clear : Out
    load, loaded : Out(LoadSignature), In
        All that can be loaded has come.
    digest_place, digest : Out, In
        As of :class:`~.carried.CarriedDigests`.
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
    pending, spilled : In
        As of :class:`~spikewright.boards.buffer.InferenceBuffer`.
    framing_error, overrun : In
        As of :class:`~spikewright.boards.carrier.Carrier`.
    wedged : In
        The network has come to a standstill.
    gather, release, run, passed, gathered, overflow : Out, Out, Out, In, In, In
        As of :class:`~spikewright.boards.buffer.InferenceBuffer`.
    choose, chosen, observing, seen : Out, Out, Out, In
        As of :class:`~.command_decoder.CommandDecoder` and :class:`~.reply_encoder.ReplyEncoder`.
    silent : Out
        Results are to be dropped before they come here.
    """

    def __init__(self, identity: Identity, shape: tuple[int, int, int] | None = None):
        self.identity = identity
        self._decoder, self._encoder = CommandDecoder(identity, shape), ReplyEncoder(identity)
        passed = {name: self._encoder.signature.members[name]
                  for name in ("results", "counter_address", "counter_read", "counter_data",
                               "counter_valid", "spilled", "observing", "seen",
                               "digest_place", "digest")}
        super().__init__({
            "i": In(stream.Signature(8)), "o": Out(stream.Signature(8)),
            "events": Out(self._decoder.o.signature),
            "load": Out(LoadSignature()), "loaded": In(1),
            "clear": Out(1),
            "pending": In(1),
            "framing_error": In(1),
            "overrun": In(1),
            "wedged": In(1),
            "choose": Out(1), "chosen": Out(24),
            "gather": Out(1), "release": Out(1), "run": Out(1), "silent": Out(1),
            "passed": In(1), "gathered": In(1), "overflow": In(1),
            **passed,
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self._decoder
        m.submodules.encoder = encoder = self._encoder
        m.submodules.unstuffer = unstuffer = CobsDecoder()
        m.submodules.receiver = receiver = FrameReceiver(self.identity.window + CRC_BYTES)
        m.submodules.sender = sender = FrameSender()
        m.submodules.stuffer = stuffer = CobsEncoder()
        connect(m, flipped(self.i), unstuffer.i)
        connect(m, unstuffer.o, receiver.i)
        # Cuts the long way from the memory through the decoder and back.
        with m.If(receiver.o.valid & receiver.o.ready):
            m.d.sync += [decoder.i.valid.eq(1), decoder.i.payload.eq(receiver.o.payload)]
        with m.Elif(decoder.i.ready | receiver.reset):
            m.d.sync += decoder.i.valid.eq(0)
        m.d.comb += receiver.o.ready.eq(~decoder.i.valid & ~receiver.reset)
        connect(m, decoder.o, flipped(self.events))
        connect(m, decoder.load, flipped(self.load))
        connect(m, decoder.request, encoder.request)
        connect(m, flipped(self.results), encoder.results)
        connect(m, encoder.o, sender.i)
        connect(m, sender.o, stuffer.i)
        connect(m, stuffer.o, flipped(self.o))
        line = (Mux(self.framing_error, Fault.FRAMING, 0) | Mux(self.overrun, Fault.OVERRUN, 0)
                | Mux(self.wedged, Fault.WEDGED, 0) | Mux(self.overflow, Fault.BATCH, 0))
        # A long way, and the decoder knows to wait for it.
        m.d.sync += decoder.pending.eq(self.pending)
        m.d.comb += [
            unstuffer.lost.eq(receiver.spoil),
            receiver.spoil.eq(self.framing_error | self.overrun),
            sender.taken.eq(receiver.taken),
            decoder.reset.eq(receiver.reset),
            self.gather.eq(decoder.gather), self.release.eq(decoder.release),
            self.run.eq(decoder.run), self.silent.eq(decoder.silent),
            decoder.loaded.eq(self.loaded),
            self.digest_place.eq(encoder.digest_place), encoder.digest.eq(self.digest),
            decoder.passed.eq(self.passed), decoder.gathered.eq(self.gathered),
            encoder.number.eq(receiver.number),
            self.clear.eq(decoder.clear),
            encoder.drop_results.eq(decoder.resetting),
            encoder.faults.eq(decoder.faults | receiver.faults | line),
            encoder.spilled.eq(self.spilled),
            self.choose.eq(decoder.choose), self.chosen.eq(decoder.chosen),
            self.observing.eq(encoder.observing), encoder.seen.eq(self.seen),
            self.counter_address.eq(encoder.counter_address),
            self.counter_read.eq(encoder.counter_read),
            encoder.counter_data.eq(self.counter_data),
            encoder.counter_valid.eq(self.counter_valid),
        ]
        return m
