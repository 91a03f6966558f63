"""The accelerator on a board: the host's lines on one side, the network on the other."""

from typing import Any

from amaranth import *
from amaranth.lib import fifo, io, wiring
from amaranth.lib.wiring import In, Out, connect

from ..gen.folding import Folding
from ..gen.rtl.network import Network
from ..gen.spec import NetworkSpec
from ..gen.training import shape_digest
from .buffer import InferenceBuffer
from .carried import CarriedDigests
from .carrier import Carrier
from .clock import Clock
from .frames import CRC_BYTES
from .hostlink import HostLink
from .loads import filled, image_bytes
from .observer import Observer, observed_rows, observed_units
from .protocol import Identity
from .recovery import Recovery
from .registry import Board
from .spi import SpiPeripheral
from .stage import StreamRegister
from .uart import SerialLine
from .wires import SPI


class LinkedAccelerator(wiring.Component):
    """A network that speaks :mod:`~spikewright.boards.protocol` over the lines of a carrier.

    Throughput: a spike is little more than a byte; inferences then run at the network's own speed,
    one at a time, or back to back if they were gathered. Latency: that of the carrier plus that of
    the network.

    Parameters
    ----------
    spec : NetworkSpec
    folding : Folding
    carrier : Carrier
    window : int
        Bytes of frames held while the network is busy; a power of two.
    buffer : int
        Beats of an inference held before it begins.
    clock_hz : int
        What the board says of its clock; 0 if nobody knows.
    watchdog : bool
        Watch the network: if it comes to a standstill, the board reports
        :attr:`~.protocol.Fault.WEDGED` and makes it work again, see :class:`~.recovery.Recovery`.
    observe : bool
        Let the host read spikes and membranes, see :class:`~.observer.Observer`.

    Members
    -------
    Those of :attr:`.Carrier.lines`.
    active : Out
        An inference is under way, or bytes pass.

    Raises
    ------
    FoldingError, LinkError
        If the parameters do not belong to the network, or are out of range.
    """

    def __init__(
        self, spec: NetworkSpec, folding: Folding, carrier: Carrier, *, window: int, buffer: int,
        clock_hz: int = 0, watchdog: bool = False, observe: bool = False,
    ):
        self.carrier = carrier
        self.watchdog = watchdog
        self.network = Network(spec, folding, watchdog=watchdog)
        plans = self.network.plans
        self.observer = Observer(plans) if observe else None
        #: What the board answers to IDENTIFY.
        self.identity = Identity.of(
            spec, ways=self.network.i.payload.shape().ways, score_bits=self.network.readout.bits,
            counter_words=self.network.counter_count, window=window - CRC_BYTES, buffer=buffer,
            shape=shape_digest(spec, folding), load_bytes=image_bytes(plans), clock_hz=clock_hz,
            rows=observed_rows(plans) if observe else 0,
            units=observed_units(plans) if observe else 0,
        )
        super().__init__({**carrier.lines, "active": Out(1)})

    def elaborate(self, platform):
        m = Module()
        identity = self.identity
        # Each kind of carrier can be elaborated, the abstract one cannot.
        m.submodules.carrier = carrier = self.carrier  # pyright: ignore[reportArgumentType]
        for name, line in carrier.lines.items():
            inside, outside = getattr(carrier, name), getattr(self, name)
            m.d.comb += inside.eq(outside) if line.flow is In else outside.eq(inside)
        m.submodules.link = link = HostLink(
            identity, self.network.plans[0].source.shape
        )
        layout = self.network.i.payload.shape()
        network = self.network
        buffer = InferenceBuffer(layout, identity.buffer, network.most_flying)
        beats, answers, recovering = network.i, network.o, C(0)
        if self.watchdog:
            m.submodules.recovery = recovery = Recovery(
                layout, identity.classes, identity.score_bits)
            m.submodules.buffer = ResetInserter(recovery.active)(buffer)
            m.submodules.network = ResetInserter(recovery.reset)(network)
            connect(m, recovery.o, network.i)
            connect(m, network.o, recovery.results)
            beats, answers, recovering = recovery.i, recovery.answers, recovery.active
            m.d.comb += recovery.wedged.eq(network.wedged)
        else:
            m.submodules.buffer, m.submodules.network = buffer, network
        # Takes a whole result at once, so that the network's cycles do not depend on the wire.
        m.submodules.results = results = fifo.SyncFIFOBuffered(
            width=network.o.payload.shape().size, depth=identity.classes + 1
        )

        m.submodules.carried = carried = CarriedDigests(
            identity, filled=filled(network.plans))
        m.d.comb += [
            *(getattr(each.load, name).eq(getattr(link.load, name))
              for each in (network, carried) for name in ("begin", "valid", "byte")),
            carried.network_full.eq(network.full), link.loaded.eq(carried.full),
            carried.place.eq(link.digest_place), link.digest.eq(carried.byte),
        ]

        # Events take their time on the wire, but checking them is a long path.
        m.submodules.checked = checked = StreamRegister(self.network.i.payload.shape())
        connect(m, link.events, checked.i)
        # Beats wait until the network has what was loaded, and works again.
        waits = recovering | network.settling
        m.d.comb += [
            buffer.i.valid.eq(checked.o.valid & ~waits),
            buffer.i.payload.eq(checked.o.payload),
            checked.o.ready.eq(buffer.i.ready & ~waits),
        ]
        if self.watchdog:
            m.d.comb += [
                recovery.waiting.eq(results.r_rdy),
                link.wedged.eq(recovery.reset),
            ]
        connect(m, buffer.o, beats)
        connect(m, carrier.o, link.i)
        connect(m, link.o, carrier.i)
        m.d.comb += [
            results.w_en.eq(answers.valid & ~link.silent), results.w_data.eq(answers.payload),
            answers.ready.eq(results.w_rdy | link.silent),
            link.results.valid.eq(results.r_rdy), link.results.payload.eq(results.r_data),
            results.r_en.eq(link.results.ready),

            link.framing_error.eq(carrier.framing_error),
            link.overrun.eq(carrier.overrun),
            link.pending.eq(buffer.pending | checked.o.valid | recovering),
            link.spilled.eq(buffer.spilled),
            buffer.done.eq(Mux(
                link.silent, answers.valid & answers.payload.last,
                link.results.valid & link.results.ready & link.results.payload.last)),
            buffer.clear.eq(link.clear),
            buffer.gather.eq(link.gather), buffer.release.eq(link.release),
            buffer.run.eq(link.run), link.passed.eq(buffer.passed),
            link.gathered.eq(buffer.gathered), link.overflow.eq(buffer.overflow),
            network.clear.eq(link.clear),
            network.counter_address.eq(link.counter_address),
            network.counter_read.eq(link.counter_read),
            link.counter_data.eq(network.counter_data),
            link.counter_valid.eq(network.counter_valid),
            self.active.eq(carrier.o.valid | link.o.valid | buffer.pending),
        ]
        if self.observer is not None:
            self._observe(m, link, self.observer)
        return m

    def _observe(self, m: Module, link: HostLink, observer: Observer):
        m.submodules.observer = observer
        for n, layer in enumerate(self.network.layers):
            did = getattr(observer, f"layer_{n}")
            m.d.comb += [Value.cast(getattr(did, name)).eq(Value.cast(getattr(layer.o, name)))
                         for name in did.signature.members]
        m.d.comb += [
            observer.choose.eq(link.choose), Cat(observer.layer, observer.timestep).eq(link.chosen),
            observer.address.eq(link.counter_address),
            observer.read.eq(link.counter_read & link.observing),
            link.seen.eq(observer.seen),
        ]
        with m.If(link.observing):
            m.d.comb += [
                self.network.counter_read.eq(0), link.counter_data.eq(observer.data),
                link.counter_valid.eq(observer.valid),
            ]


class SerialAccelerator(LinkedAccelerator):
    """:class:`LinkedAccelerator` at a serial line.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit.

    Members
    -------
    rx, tx : In, Out

    Raises
    ------
    BaudError
        If the divisor is too small.
    """

    def __init__(self, spec: NetworkSpec, folding: Folding, *, divisor: int, **settings: Any):
        super().__init__(spec, folding, SerialLine(divisor), **settings)


def carrier(board: Board) -> Carrier:
    """What carries bytes between ``board`` and its host."""
    return SpiPeripheral() if board.link == SPI else SerialLine(board.divisor)


class BoardTop(Elaboratable):
    """:class:`LinkedAccelerator` on the pins of ``board``, at its clock.

    The board's first light blinks about once a second while the design runs; the second shines
    after a sixteenth of that time in which bytes or inferences passed.
    """

    def __init__(self, board: Board, spec: NetworkSpec, folding: Folding, *,
                 watchdog: bool = False, observe: bool = False):
        self.board = board
        self.accelerator = LinkedAccelerator(
            spec, folding, carrier(board), window=board.window, buffer=board.buffer,
            clock_hz=round(board.clock_hz), watchdog=watchdog, observe=observe,
        )

    def elaborate(self, platform):
        m = Module()
        if self.board.setting is not None:
            m.submodules.clock = clock = Clock(self.board)
            m.domains.sync = clock.domain
        m.submodules.accelerator = accelerator = self.accelerator
        lines = accelerator.carrier.lines
        pins = platform.request(self.board.link, 0, dir="-")
        for name, line in lines.items():
            into = line.flow is In
            m.submodules[name] = pin = io.Buffer(
                io.Direction.Input if into else io.Direction.Output, getattr(pins, name))
            inside = getattr(accelerator, name)
            m.d.comb += inside.eq(pin.i) if into else pin.o.eq(inside)

        beat = Signal(range(round(self.board.clock_hz)))
        before, seen, shown = Signal(), Signal(), Signal()
        m.d.sync += [beat.eq(beat + 1), before.eq(beat[-4]), seen.eq(seen | accelerator.active)]
        with m.If(beat[-4] != before):
            m.d.sync += [shown.eq(seen), seen.eq(accelerator.active)]
        requested = {}
        for light, lit in zip(self.board.lights, (beat[-1], shown), strict=False):
            resource, number, *part = light.split(":")
            if (resource, number) not in requested:
                # A light of several colours is requested whole.
                requested[resource, number] = platform.request(
                    resource, int(number), dir=dict.fromkeys("rgb", "-") if part else "-")
            port = requested[resource, number]
            pin = io.Buffer(io.Direction.Output, getattr(port, part[0]) if part else port)
            m.submodules[light.replace(":", "_")] = pin
            m.d.comb += pin.o.eq(lit)
        return m
