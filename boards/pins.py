"""A component as the top of a design."""

from amaranth import *
from amaranth.lib import wiring


class Pins(Elaboratable):
    """Every port of ``component`` as a pin, each bit behind a register of its own, so that all
    paths but those of the pins begin and end at the clock."""

    def __init__(self, component: wiring.Component):
        self.component = component
        self.ports = []
        self._joined = []
        for path, member, value in component.signature.flatten(component):
            name = "__".join(map(str, path))
            pin = Signal(Shape.cast(member.shape).width, name=name)
            self.ports.append(pin)
            self._joined.append((pin, Value.cast(value), member.flow is wiring.In))

    def elaborate(self, platform):
        m = Module()
        # The stubs know of no component in general that it can be elaborated.
        m.submodules.component = self.component  # pyright: ignore[reportArgumentType]
        for pin, value, is_input in self._joined:
            held = Signal(len(pin), reset_less=True, name=f"{pin.name}__held")
            if is_input:
                m.d.sync += held.eq(pin)
                m.d.comb += value.eq(held)
            else:
                m.d.sync += held.eq(value)
                m.d.comb += pin.eq(held)
        return m
