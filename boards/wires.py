"""Pins that boards have for a host, beside those that Amaranth knows."""

from dataclasses import dataclass

from amaranth.build import Attrs, Pins, Resource, Subsignal

#: What carries bytes between host and board, by the name of its pins.
UART, SPI = "uart", "spikewright_spi"

#: Pins of a PMOD of Digilent's type 2A, in the order of :attr:`SpiWires.pins`.
PMOD = "1 4 2 3 7"


@dataclass(frozen=True, kw_only=True)
class Wires:
    """A serial line on pins that people connect an adapter of 3.3 V to: its own transmitter to
    ``rx``, its receiver to ``tx``. ``where``: what the board's print calls them."""

    rx: str
    tx: str
    connector: str
    where: str

    def resource(self, attributes: dict[str, str]) -> Resource:
        def pins(name: str, direction: str) -> Pins:
            module, number = self.connector.split(":")
            return Pins(name, dir=direction, conn=(module, int(number)))

        return Resource("uart", 0, Subsignal("rx", pins(self.rx, "i")),
                        Subsignal("tx", pins(self.tx, "o")), Attrs(**attributes))


@dataclass(frozen=True, kw_only=True)
class SpiWires:
    """Pins that people connect an SPI controller of 3.3 V to. ``pins``: of ``connector``, for CS,
    SCK, COPI, CIPO and ready. ``where``: what the board's print calls them, in this order."""

    connector: str
    pins: str
    where: str

    def resource(self, attributes: dict[str, str]) -> Resource:
        module, number = self.connector.split(":")
        lines = zip(("cs_n", "sck", "copi", "cipo", "ready"), self.pins.split(), strict=True)
        return Resource(SPI, 0, *(
            Subsignal(name, Pins(pin, dir="o" if name in ("cipo", "ready") else "i",
                                 conn=(module, int(number))))
            for name, pin in lines), Attrs(**attributes))
