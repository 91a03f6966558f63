"""What carries bytes between a host and a board, whatever its wires are."""

from collections.abc import Mapping

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out


class Carrier(wiring.Component):
    """Bytes from and to the lines of a board; :class:`~.uart.SerialLine` and
    :class:`~.spi.SpiPeripheral` are.

    Parameters
    ----------
    lines : Mapping[str, Member]
        What goes to the board's pins.

    Members
    -------
    o : Out(stream of 8 bits)
        From the host, which cannot be held up.
    i : In(stream of 8 bits)
        To the host.
    framing_error, overrun : Out
        High for one cycle when a byte from the host is dropped: because it was cut, or because the
        one before it still waited.
    """

    def __init__(self, lines: Mapping[str, Member]):
        self.lines = dict(lines)
        super().__init__({
            "o": Out(stream.Signature(8)), "i": In(stream.Signature(8)),
            "framing_error": Out(1), "overrun": Out(1),
            **self.lines,
        })
