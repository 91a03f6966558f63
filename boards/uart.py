"""Bytes over two wires: asynchronous serial, 8 data bits, no parity, 1 stop bit."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect, flipped

from ..gen.errors import SpikewrightError
from .carrier import Carrier

#: Fewest clock cycles a bit may last, so that it can still be sampled near its middle.
MIN_DIVISOR = 4

#: Most by which the baud rate may miss the one asked for: half of what the receiver of a frame of
#: 10 bits stands, because the other side may miss it too.
MAX_BAUD_ERROR = 0.02


class BaudError(SpikewrightError, ValueError):
    """A baud rate that cannot be divided from the clock."""


def baud_divisor(clock_hz: float, baud: float) -> int:
    """Clock cycles per bit, rounded to the nearest.

    Raises
    ------
    BaudError
        If a bit would be shorter than :data:`MIN_DIVISOR` cycles, or the rate more than
        :data:`MAX_BAUD_ERROR` off.
    """
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR:
        raise BaudError(
            f"{baud:g} baud from a clock of {clock_hz:g} Hz; at most "
            f"{clock_hz / MIN_DIVISOR:g} baud is possible, choose a lower rate"
        )
    error = abs(clock_hz / divisor / baud - 1)
    if error > MAX_BAUD_ERROR:
        raise BaudError(
            f"{baud:g} baud from a clock of {clock_hz:g} Hz would be {error:.1%} off, at most "
            f"{MAX_BAUD_ERROR:.0%} is allowed; choose {clock_hz / divisor:g} baud"
        )
    return divisor


def _checked(divisor: int) -> int:
    if not isinstance(divisor, int) or divisor < MIN_DIVISOR:
        raise BaudError(f"divisor is {divisor!r}; an integer of at least {MIN_DIVISOR} is needed")
    return divisor


class UartReceiver(wiring.Component):
    """Serial line to stream of bytes.

    The line passes two flip-flops, every bit is sampled once in its middle, and a start bit that is
    over by its middle is taken for a glitch. A byte whose stop bit is low is dropped, and the line
    must be idle before the next is looked for.

    Throughput: one byte per ``10 · divisor`` cycles. Latency: 3 cycles from the middle of the stop
    bit. The line cannot be held up: a byte that finds the one before it still waiting is dropped,
    and ``overrun`` says so.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least :data:`MIN_DIVISOR`.

    Members
    -------
    rx : In
        The line, asynchronous to the clock.
    o : Out(stream of 8 bits)
    framing_error, overrun : Out
        High for one cycle when a byte is dropped.

    Raises
    ------
    BaudError
        If the divisor is too small.
    """

    def __init__(self, divisor: int):
        self.divisor = _checked(divisor)
        super().__init__({
            "rx": In(1, init=1),  # pyright: ignore[reportCallIssue]
            "o": Out(stream.Signature(8)),
            "framing_error": Out(1),
            "overrun": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, rx, init=1)

        wait = Signal(range(self.divisor))
        bits = Signal(8)
        left = Signal(range(8))
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("IDLE"), m.If(~rx):
                m.d.sync += wait.eq((self.divisor - 1) // 2 - 1)
                m.next = "START"
            with m.State("START"), m.If(wait == 0):
                m.d.sync += [wait.eq(self.divisor - 1), left.eq(7)]
                m.next = "IDLE"
                with m.If(~rx):
                    m.next = "DATA"
            with m.State("DATA"), m.If(wait == 0):
                m.d.sync += [
                    wait.eq(self.divisor - 1), bits.eq(Cat(bits[1:], rx)), left.eq(left - 1),
                ]
                with m.If(left == 0):
                    m.next = "STOP"
            with m.State("STOP"), m.If(wait == 0):
                m.next = "IDLE"
                with m.If(~rx):
                    m.d.comb += self.framing_error.eq(1)
                    m.next = "BREAK"
                with m.Elif(self.o.valid & ~self.o.ready):
                    m.d.comb += self.overrun.eq(1)
                with m.Else():
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(bits)]
            with m.State("BREAK"), m.If(rx):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Stream of bytes to serial line.

    Throughput: one byte per ``10 · divisor`` cycles, without a gap between bytes. Latency: the
    start bit begins in the cycle after the transfer.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least :data:`MIN_DIVISOR`.

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out
        The line; high when idle.

    Raises
    ------
    BaudError
        If the divisor is too small.
    """

    def __init__(self, divisor: int):
        self.divisor = _checked(divisor)
        super().__init__({
            "i": In(stream.Signature(8)),
            "tx": Out(1, init=1),  # pyright: ignore[reportCallIssue]
        })

    def elaborate(self, platform):
        m = Module()
        wait = Signal(range(self.divisor))
        bits = Signal(9, init=0x1FF)
        left = Signal(range(11))
        m.d.comb += [
            self.tx.eq(bits[0]),
            self.i.ready.eq((left == 0) | ((left == 1) & (wait == 0))),
        ]
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(left != 0):
            m.d.sync += [wait.eq(self.divisor - 1), bits.eq(Cat(bits[1:], 1)), left.eq(left - 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [wait.eq(self.divisor - 1), bits.eq(Cat(0, self.i.payload)), left.eq(10)]
        return m


class SerialLine(Carrier):
    """:class:`UartReceiver` and :class:`UartTransmitter` side by side.

    Parameters
    ----------
    divisor : int

    Members
    -------
    rx, tx : In, Out

    Raises
    ------
    BaudError
        If the divisor is too small.
    """

    def __init__(self, divisor: int):
        self._receiver, self._transmitter = UartReceiver(divisor), UartTransmitter(divisor)
        super().__init__({
            "rx": In(1, init=1),  # pyright: ignore[reportCallIssue]
            "tx": Out(1, init=1),  # pyright: ignore[reportCallIssue]
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        connect(m, receiver.o, flipped(self.o))
        connect(m, flipped(self.i), transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx),
            self.framing_error.eq(receiver.framing_error), self.overrun.eq(receiver.overrun),
        ]
        return m
