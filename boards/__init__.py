"""Boards: tops that request pins, bitstreams, and the host side of the wire."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .link import Connection, Link

#: Bits a second of the boards' serial lines.
BAUD = 1_000_000


def connect(port: "str | Link", *, baud: int = BAUD, timeout: float | None = None) -> "Connection":
    """A conversation with the board at ``port``: a serial port, an SPI controller
    (``/dev/spidevBUS.SELECT``), or any :class:`~.link.Link`.

    Parameters
    ----------
    baud : int
        Of a serial port; of an SPI controller, Hz of SCK, at most a sixth of the board's clock.
    timeout : float, optional
        Seconds that the board may be silent while an answer is due;
        :data:`~.link.TIMEOUT` by default.

    Raises
    ------
    LinkError
        If the port cannot be used, nobody answers, or not in this protocol.
    """
    from .link import TIMEOUT, Connection

    if isinstance(port, str) and port.startswith("/dev/spidev"):
        from .link_spi import SpidevLink

        port = SpidevLink(port, baud)
    elif isinstance(port, str):
        from .link_serial import SerialLink

        port = SerialLink(port, baud)
    return Connection(port, timeout=TIMEOUT if timeout is None else timeout)
