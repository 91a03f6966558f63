"""What is plugged in: USB devices, with the serial ports that they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Where Linux lists USB devices, serial ports or not.
DEVICES = Path("/sys/bus/usb/devices")


@dataclass(frozen=True, kw_only=True)
class UsbId:
    """What a board's device is known by. ``says``: a word in its own description that tells it from
    other devices with the same chip; empty if there is none."""

    vendor: int
    product: int
    says: str = ""

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


@dataclass(frozen=True, kw_only=True)
class UsbDevice:
    """``path``: of USB ports, like ``1-2.4``; ``port``: its (first) serial port; either empty, and
    ``bus`` and ``number`` 0, where the system does not tell."""

    vendor: int
    product: int
    description: str = ""
    serial: str = ""
    bus: int = 0
    number: int = 0
    path: str = ""
    port: str = ""

    def __str__(self) -> str:
        named = " ".join(part for part in (self.description, self.serial, self.port) if part)
        return f"{self.path or self.port} ({self.vendor:04x}:{self.product:04x} {named})"

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is its path, serial number or serial port."""
        return name in (self.path, self.serial, self.port) and bool(name)


def plugged_in() -> list[UsbDevice]:
    """All USB devices that the system tells of: on Linux every one, elsewhere those that are serial
    ports (if pyserial is installed)."""
    ports = {}
    for device in _serial_ports():
        # A chip of several ports: the first programs, and stands for the device.
        ports.setdefault((device.vendor, device.product, device.path or device.serial), device)
    found = []
    for device in _linux():
        port = ports.pop((device.vendor, device.product, device.path), None)
        found.append(UsbDevice(**{**vars(device), "port": port.port if port else ""}))
    return found + list(ports.values())


def _linux() -> Iterator[UsbDevice]:
    if not DEVICES.is_dir():
        return
    for folder in sorted(DEVICES.iterdir()):
        try:
            yield UsbDevice(
                vendor=int(_read(folder, "idVendor"), 16),
                product=int(_read(folder, "idProduct"), 16),
                description=" ".join(filter(None, (_read(folder, "manufacturer"),
                                                   _read(folder, "product")))),
                serial=_read(folder, "serial"), bus=int(_read(folder, "busnum")),
                number=int(_read(folder, "devnum")), path=folder.name)
        except ValueError:
            # An interface of a device, or one that was pulled out while we looked.
            continue


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _serial_ports() -> Iterator[UsbDevice]:
    try:
        from serial.tools.list_ports import comports
    except ModuleNotFoundError:
        return
    for port in sorted(comports()):
        if port.vid is not None and port.pid is not None:
            # The location of one of a device's interfaces is its path, and the interface's number.
            yield UsbDevice(
                vendor=port.vid, product=port.pid, description=port.description or "",
                serial=port.serial_number or "", path=(port.location or "").partition(":")[0],
                port=port.device)
