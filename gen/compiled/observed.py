"""A network as the design that compiled engines run: flat ports, and every layer's spikes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal, Value

from ..folding import Folding
from ..plan import LayerPlan
from ..rtl.flat import join
from ..rtl.image import network_image
from ..rtl.network import Network
from ..spec import NetworkSpec
from ..verilog import ports
from ..waveforms import Layout, layer_signals
from .compiler import Design
from .memories import Memory, lifted


@dataclass(frozen=True)
class ObservedNetwork:
    """A network, ready to be compiled and run.

    Attributes
    ----------
    design
        Depends on the structure alone: nets of one shape and folding share it.
    memories
        What its memories hold before the first cycle.
    load
        Bytes that the network loads through its port; empty if it loads none.
    plans
        Of the layers.
    beat_ports
        (name, width) of the ports that a beat is made of, in the order in which a job has them.
    counters
        Words behind the counter port.
    layout
        The ports that a waveform shows.
    """

    design: Design
    memories: tuple[Memory, ...]
    load: bytes
    plans: tuple[LayerPlan, ...]
    beat_ports: tuple[tuple[str, int], ...]
    counters: int
    layout: Layout


class _Driven(Elaboratable):
    """``network`` behind registers for what a program gives it, so that no logic hangs on a port: a
    simulator has nothing to do when one changes, and outputs stand before the inputs of their
    cycle do. It is never reset.

    Parameters
    ----------
    network
        To be driven.
    inner
        Its flat ports.
    host
        Those of them that the program drives, by the same names, one cycle earlier, and
        ``in_ready``: the register takes the beat.
    observed
        What else is led to ports, (port, value) each.
    """

    def __init__(self, network: Network, inner: Mapping[str, Signal], host: Mapping[str, Signal],
                 observed: Sequence[tuple[Signal, Value]]):
        self.network, self.inner, self.host, self.observed = network, inner, host, observed

    def elaborate(self, platform):
        m = Module()
        m.submodules.network = self.network
        inner, host = self.inner, self.host
        m.domains.sync = sync = ClockDomain()
        join(m, self.network, inner)
        m.d.comb += [sync.clk.eq(inner["clk"]),
                     host["in_ready"].eq(~inner["in_valid"] | inner["in_ready"]),
                     *(port.eq(value) for port, value in self.observed)]
        held = [name for name in host if name.startswith("in_") and name != "in_ready"]
        m.d.sync += [inner[name].eq(host[name]) for name in host if not name.startswith("in_")]
        with m.If(host["in_ready"]):
            m.d.sync += [inner[name].eq(host[name]) for name in held]
        return m


@lru_cache(maxsize=4)
def observed_network(spec: NetworkSpec, folding: Folding, *, membranes: bool = False,
                     shown: bool = False) -> ObservedNetwork:
    """The design of ``spec`` with the ports of :func:`~..verilog.ports`, inputs as ``host_…`` and
    one cycle earlier, ``host_in_ready`` with them, and for each layer n those of its
    :class:`~..rtl.array.SpikesSignature` as ``layer{n}_…``; ``membranes`` only if asked for. With
    ``shown`` it has ports for all that :mod:`~..waveforms` shows."""
    network = Network(spec, folding)
    listed = ports(network)
    signals = {port.name: Signal(port.width, name=port.name) for port in listed}
    driven = {port.name for port in listed if port.direction == "input"} - {"clk", "rst"}
    host = {port.name: Signal(port.width, name=f"host_{port.name}") for port in listed
            if port.name in driven | {"in_ready"}}
    observed: dict[str, tuple[Signal, Value]] = {}
    layout = {"network": {
        group: [_traced(port) for name, port in signals.items() if name.startswith(start)]
        for group, start in (("input", "in_"), ("result", "out_"))
    }}

    def observe(port: str, value: Value) -> Signal:
        # A sweep of one step has a number of no bits, but a port of none is no port.
        made = observed.setdefault(
            port, (Signal(max(1, len(value)), name=port), value))
        return made[0]

    for n, (name, groups) in enumerate(layer_signals(network).items()):
        layout[name] = {}
        for group, values in groups.items():
            layout[name][group] = [
                _traced(observe(f"layer{n}_{what}", value)) for what, value in values.items()
                if shown or (group == "neurons" and (membranes or what != "membranes"))]
    seen = [signals[port.name] for port in listed if port.name != "rst" and (
        port.name not in host or (shown and port.name.startswith(("in_", "out_"))))]
    every = [*host.values(), *seen, *(port for port, _ in observed.values())]
    text, memories = lifted(rtlil.convert(
        _Driven(network, signals, host, [*observed.values()]), name="top", ports=every,
        emit_src=False))
    return ObservedNetwork(
        design=Design(text, ports=tuple(signal.name for signal in every if len(signal)),
                      memories=tuple(memory.name for memory in memories)),
        memories=memories,
        load=network_image(network.plans),
        plans=tuple(network.plans),
        beat_ports=tuple((name, len(signals[name])) for name in
                         ("in_event", "in_address", "in_value", "in_tick", "in_last")
                         if name in signals),
        counters=network.counter_count,
        layout=layout,
    )


def _traced(port: Signal) -> str:
    """``port`` as viewers know it."""
    return port.name if len(port) == 1 else f"{port.name}[{len(port) - 1}:0]"
