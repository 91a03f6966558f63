"""A board at an SPI controller, as Linux' spidev has them."""

import re
import time
from collections.abc import Callable

from .link import Link
from .protocol import LinkError
from .spi import IDLE, Unescaper

#: Bytes that are fetched at once when something is waited for, and seconds until it is tried again
#: after nothing came.
PIECE, PAUSE = 64, 0.0005

#: Most bytes of a transfer, spidev's own limit.
MOST = 4096

_DEVICE = re.compile(r"/dev/spidev(\d+)\.(\d+)")


class SpiLink(Link):
    """Bytes through full-duplex transfers: while bytes are sent, others come.

    Parameters
    ----------
    transfer : Callable[[bytes], bytes]
        Sends bytes with CS low and returns as many that came; OSError if that cannot be done.
    """

    def __init__(self, transfer: Callable[[bytes], bytes]):
        self._transfer = transfer
        self._heard = bytearray()
        self._unescaper = Unescaper()

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), MOST):
            self._exchange(data[at : at + MOST])

    def receive(self, seconds: float) -> bytes:
        end = self.now() + seconds
        while not self._heard:
            self._exchange(bytes([IDLE]) * PIECE)
            if not self._heard:
                if self.now() >= end:
                    break
                self.rest()
        heard = bytes(self._heard)
        self._heard.clear()
        return heard

    def rest(self) -> None:
        """Lets a little time pass."""
        time.sleep(PAUSE)

    def _exchange(self, data: bytes) -> None:
        try:
            came = self._transfer(data)
        except OSError as error:
            raise LinkError(f"the SPI controller cannot be used ({error}); check the wires, and "
                            f"that this user may use it") from error
        self._heard += self._unescaper.feed(came)

    def close(self) -> None:
        pass


class SpidevLink(SpiLink):
    """The controller at ``device``, ``/dev/spidevBUS.SELECT``, with SCK at ``hz``.

    Raises
    ------
    LinkError
        If there is no such device, it cannot be used, or the package spidev is missing.
    """

    def __init__(self, device: str, hz: int):
        found = _DEVICE.fullmatch(device)
        if found is None:
            raise LinkError(f"{device} is no SPI controller; they are called /dev/spidev0.0, "
                            f"bus and select in this order")
        try:
            import spidev  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise LinkError("SPI controllers need the package spidev; run: "
                            "pip install 'spikewright[spi]'") from error
        self._device = spidev.SpiDev()
        try:
            self._device.open(int(found[1]), int(found[2]))
            self._device.max_speed_hz, self._device.mode = hz, 0
        except OSError as error:
            raise LinkError(f"{device} cannot be opened ({error}); check that SPI is switched on "
                            f"and that this user may use it") from error
        super().__init__(lambda data: bytes(self._device.xfer2(list(data))))

    def close(self) -> None:
        self._device.close()
