"""The network behind plain, flat ports, for designs that know no streams."""

from collections.abc import Mapping

from amaranth import *

from .network import Network


class FlatNetwork(Elaboratable):
    """Joins ``network`` to ``signals``, by the port names of :func:`spikewright.gen.verilog.ports`.

    ``clk`` and ``rst`` become the clock and synchronous reset of everything inside.
    """

    def __init__(self, network: Network, signals: Mapping[str, Signal]):
        self.network = network
        self.signals = signals

    def elaborate(self, platform):
        m = Module()
        m.submodules.network = self.network
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.signals["clk"]), sync.rst.eq(self.signals["rst"])]
        join(m, self.network, self.signals)
        return m


def join(m: Module, network: Network, signals: Mapping[str, Signal]):
    """In ``m``, drives ``network`` by those of ``signals`` that are inputs, and the others by it;
    clock and reset aside."""
    s, payload = signals, network.i.payload
    m.d.comb += [
        network.i.valid.eq(s["in_valid"]), s["in_ready"].eq(network.i.ready),
        s["out_valid"].eq(network.o.valid), network.o.ready.eq(s["out_ready"]),
        *(payload[name].eq(s[f"in_{name}"]) for name in ("tick", "last")),
        *(s[f"out_{name}"].eq(network.o.payload[name])
          for name in ("index", "score", "winner", "last")),
    ]
    for way, slot in enumerate(payload.slots):
        for name in slot.shape().members:
            m.d.comb += Value.cast(slot[name]).eq(
                s[f"in_{name}"].word_select(way, Value.cast(slot[name]).shape().width))
    if "load_valid" in s:
        m.d.comb += [getattr(network.load, name).eq(s[f"load_{name}"])
                     for name in ("begin", "valid", "byte")]
        m.d.comb += s["loaded"].eq(network.loaded)
    if "counter_clear" in s:
        m.d.comb += [
            network.clear.eq(s["counter_clear"]),
            network.counter_address.eq(s["counter_address"]),
            network.counter_read.eq(s["counter_read"]),
            s["counter_data"].eq(network.counter_data),
            s["counter_valid"].eq(network.counter_valid),
        ]
