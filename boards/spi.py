"""Bytes over four wires whose clock the host gives: an SPI peripheral, mode 0."""

from amaranth import *
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .carrier import Carrier

#: Fewest cycles of the board's clock in a period of SCK, half of them high and half low.
MIN_RATIO = 6

#: Byte that means nothing, and the one that begins :data:`ESCAPED` bytes to the host.
IDLE, ESCAPE = 0x00, 0x01

#: Byte to the host → what follows :data:`ESCAPE` instead of it.
ESCAPED = {0x00: 0x01, 0x01: 0x02}


class Unescaper:
    """The bytes that a board sent, without what its carrier put between and around them."""

    def __init__(self) -> None:
        self._escaped = False

    def feed(self, received: bytes) -> bytes:
        """What ``received`` adds to what came before."""
        out, back = bytearray(), {code: byte for byte, code in ESCAPED.items()}
        for byte in received:
            if byte == IDLE:
                continue
            if self._escaped:
                # No board sends another code; what comes of it fails its CRC.
                out.append(back.get(byte, byte))
                self._escaped = False
            elif byte == ESCAPE:
                self._escaped = True
            else:
                out.append(byte)
        return bytes(out)


class SpiPeripheral(Carrier):
    """SPI mode 0, highest bit first; the lines are sampled by the board's clock.

    The host's bytes are taken as they are: 0x00 is idle between its frames. To the host, 0x00 is
    idle anywhere, because nobody can hold a controller up in the midst of a frame: bytes 0x00 and
    0x01 are sent as :data:`ESCAPE` and what :data:`ESCAPED` says. CIPO changes 2 or 3 cycles after
    a rising edge of SCK, with which the controller has sampled it, and not with the falling edge:
    so it has a whole period to settle, which is what makes :data:`MIN_RATIO` possible. If CS rises
    within a byte, that byte is lost both ways, and ``framing_error`` says so.

    Throughput: one byte per ``8 · MIN_RATIO`` cycles each way, less what is escaped. Latency: 3
    cycles from the rising edge of a byte's last bit.

    Members
    -------
    cs_n, sck, copi : In
        Asynchronous to the clock. CS has to be low for one period of SCK before the first edge and
        high for one behind the last.
    cipo : Out
    ready : Out
        There is something for the host to fetch.
    """

    def __init__(self):
        super().__init__({
            "cs_n": In(1, init=1),  # pyright: ignore[reportCallIssue]
            "sck": In(1), "copi": In(1), "cipo": Out(1), "ready": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        idle, sck, copi = Signal(init=1), Signal(), Signal()
        for line, inside, init in ((self.cs_n, idle, 1), (self.sck, sck, 0),
                                   (self.copi, copi, 0)):
            m.submodules += FFSynchronizer(line, inside, init=init)
        before, left = Signal(), Signal(3)
        rises, whole = Signal(), Signal()
        m.d.sync += before.eq(sck)
        m.d.comb += [rises.eq(sck & ~before & ~idle), whole.eq(rises & left.all())]
        with m.If(idle):
            m.d.sync += left.eq(0)
            m.d.comb += self.framing_error.eq(left != 0)
        with m.Elif(rises):
            m.d.sync += left.eq(left + 1)
        self._receive(m, copi, rises, whole)
        self._send(m, idle, rises, whole)
        return m

    def _receive(self, m: Module, copi: Value, rises: Value, whole: Value):
        bits = Signal(7)
        byte = Cat(copi, bits)
        with m.If(rises):
            m.d.sync += bits.eq(byte)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(whole):
            with m.If(self.o.valid & ~self.o.ready):
                m.d.comb += self.overrun.eq(1)
            with m.Else():
                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(byte)]

    def _send(self, m: Module, idle: Value, rises: Value, whole: Value):
        bits, carries, escaped = Signal(8), Signal(), Signal()
        byte = self.i.payload
        escape = byte[1:] == 0
        # Before the first bit, and behind the last. Without CS, what is idle may still be changed.
        loads = whole | (idle & ~carries)
        m.d.comb += [
            self.cipo.eq(bits[-1]), self.ready.eq(carries | self.i.valid),
            self.i.ready.eq(loads & (~escape | escaped)),
        ]
        with m.If(loads):
            m.d.sync += [bits.eq(IDLE), carries.eq(self.i.valid)]
            with m.If(self.i.valid):
                # 0x01 or 0x02 behind 0x01.
                m.d.sync += [bits.eq(Mux(escape, Mux(escaped, byte + 1, ESCAPE), byte)),
                             escaped.eq(escape & ~escaped)]
        with m.Elif(rises):
            m.d.sync += bits.eq(bits << 1)
        with m.Elif(self.framing_error):
            m.d.sync += [bits.eq(IDLE), carries.eq(0)]
