"""The board's side of :mod:`~spikewright.boards.protocol`: bytes to beats, results to bytes."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..gen.rtl.weights import LoadSignature
from .command_decoder import CommandDecoder
from .protocol import Fault, Identity
from .reply_encoder import ReplyEncoder


class HostLink(wiring.Component):
    """Decoder and encoder side by side: a stream of bytes each way, the network on the other side.

    Throughput: one byte per 2 cycles in, one per cycle out. Latency: that of
    :class:`CommandDecoder` and 1 cycle, and that of :class:`ReplyEncoder`.

    Parameters
    ----------
    identity : Identity
    shape : (channels, height, width), optional
        If an address has these fields.

    Members
    -------
    i, o : In, Out(stream of 8 bits)
    events : Out(stream of EventLayout)
    results : In(stream of ResultLayout)
    clear : Out
    load : Out(LoadSignature)
    counter_address, counter_read, counter_data, counter_valid : Out, Out, In, In
    pending, spilled : In
        As of :class:`~spikewright.boards.buffer.InferenceBuffer`.
    framing_error, overrun : In
        As of :class:`~spikewright.boards.uart.UartReceiver`.
    wedged : In
        The network has come to a standstill.
    """

    def __init__(self, identity: Identity, shape: tuple[int, int, int] | None = None):
        self.identity = identity
        self._decoder, self._encoder = CommandDecoder(identity, shape), ReplyEncoder(identity)
        passed = {name: self._encoder.signature.members[name]
                  for name in ("o", "results", "counter_address", "counter_read", "counter_data",
                               "counter_valid", "spilled")}
        super().__init__({
            "i": In(stream.Signature(8)),
            "events": Out(self._decoder.o.signature),
            "load": Out(LoadSignature()),
            "clear": Out(1),
            "pending": In(1),
            "framing_error": In(1),
            "overrun": In(1),
            "wedged": In(1),
            **passed,
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self._decoder
        m.submodules.encoder = encoder = self._encoder
        # Cuts the long way from the memory in front through the decoder and back to its address.
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [decoder.i.valid.eq(1), decoder.i.payload.eq(self.i.payload)]
        with m.Elif(decoder.i.ready):
            m.d.sync += decoder.i.valid.eq(0)
        m.d.comb += self.i.ready.eq(~decoder.i.valid)
        connect(m, decoder.o, flipped(self.events))
        connect(m, decoder.load, flipped(self.load))
        connect(m, decoder.request, encoder.request)
        connect(m, flipped(self.results), encoder.results)
        connect(m, encoder.o, flipped(self.o))
        line = (Mux(self.framing_error, Fault.FRAMING, 0) | Mux(self.overrun, Fault.OVERRUN, 0)
                | Mux(self.wedged, Fault.WEDGED, 0))
        m.d.comb += [
            decoder.pending.eq(self.pending),
            self.clear.eq(decoder.clear),
            encoder.drop_results.eq(decoder.resetting),
            encoder.faults.eq(decoder.faults | line),
            encoder.spilled.eq(self.spilled),
            self.counter_address.eq(encoder.counter_address),
            self.counter_read.eq(encoder.counter_read),
            encoder.counter_data.eq(self.counter_data),
            encoder.counter_valid.eq(self.counter_valid),
        ]
        return m
