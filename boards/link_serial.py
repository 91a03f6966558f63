"""A board at a serial port."""

from typing import Any

from .link import Link
from .protocol import LinkError


class SerialLink(Link):
    """``port`` is a device, or what else pyserial's ``serial_for_url`` knows, at ``baud``.

    Raises
    ------
    LinkError
        If it cannot be opened, or pyserial is not installed.
    """

    def __init__(self, port: str, baud: int):
        try:
            import serial
        except ModuleNotFoundError:
            raise LinkError(
                f"to use {port}, pyserial is needed: pip install 'spikewright[serial]'"
            ) from None
        self._port_name = port
        self._errors: tuple[type[Exception], ...] = (serial.SerialException, OSError, ValueError)
        self._port: Any = None
        with _Named(port, "opened", self._errors):
            self._port = serial.serial_for_url(port, baudrate=baud, timeout=0, write_timeout=5)

    def send(self, data: bytes) -> None:
        with _Named(self._port_name, "written to", self._errors):
            self._port.write(data)

    def receive(self, seconds: float) -> bytes:
        with _Named(self._port_name, "read", self._errors):
            self._port.timeout = seconds
            first = self._port.read(1)
            self._port.timeout = 0
            return first + self._port.read(4096) if first else b""

    def close(self) -> None:
        if self._port is not None:
            self._port.close()


class _Named:
    """Gives what a port raises the name and the words that a user can act upon."""

    def __init__(self, port: str, what: str, errors: tuple[type[Exception], ...]):
        self._port, self._what, self._errors = port, what, errors

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, self._errors):
            raise LinkError(
                f"{self._port} cannot be {self._what} ({error}); check that the board is plugged "
                f"in, that you may use the port, and that no other program does"
            ) from error
