"""A network as the design that compiled engines run: flat ports, and every layer's spikes."""

from dataclasses import dataclass
from functools import lru_cache

from amaranth import *
from amaranth.back import rtlil

from ..folding import Folding
from ..plan import LayerPlan
from ..rtl.flat import FlatNetwork
from ..rtl.network import Network
from ..rtl.weights import network_image
from ..spec import NetworkSpec
from ..verilog import ports
from .compiler import Design
from .memories import Memory, lifted

#: Of :class:`~..rtl.array.SpikesSignature`, what is always observed.
_OBSERVED = ("valid", "step", "end", "last", "spikes")


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
    """

    design: Design
    memories: tuple[Memory, ...]
    load: bytes
    plans: tuple[LayerPlan, ...]
    beat_ports: tuple[tuple[str, int], ...]
    counters: int


class _Observed(Elaboratable):
    def __init__(self, flat: FlatNetwork, observed: dict[str, tuple[int, str, Signal]]):
        self.flat = flat
        self.observed = observed

    def elaborate(self, platform):
        m = Module()
        m.submodules.flat = self.flat
        for n, name, port in self.observed.values():
            m.d.comb += port.eq(Value.cast(getattr(self.flat.network.layers[n].o, name)))
        return m


@lru_cache(maxsize=4)
def observed_network(spec: NetworkSpec, folding: Folding, membranes: bool) -> ObservedNetwork:
    """The design of ``spec`` with the ports of :func:`~..verilog.ports`, and for each layer n those
    of its :class:`~..rtl.array.SpikesSignature` as ``layer{n}_…``; ``membranes`` only if asked
    for."""
    network = Network(spec, folding)
    signals = {port.name: Signal(port.width, name=port.name) for port in ports(network)}
    observed = {}
    for n, layer in enumerate(network.layers):
        for name in (*_OBSERVED, *(("membranes",) if membranes else ())):
            # A sweep of one step has a number of no bits, but a port of none is no port.
            width = max(1, len(Value.cast(getattr(layer.o, name))))
            port = f"layer{n}_{name}"
            observed[port] = (n, name, Signal(width, name=port))
    listed = [*signals.values(), *(port for _, _, port in observed.values())]
    text, memories = lifted(rtlil.convert(
        _Observed(FlatNetwork(network, signals), observed), name="top", ports=listed,
        emit_src=False))
    return ObservedNetwork(
        design=Design(text, ports=tuple(signal.name for signal in listed if len(signal)),
                      memories=tuple(memory.name for memory in memories)),
        memories=memories,
        load=network_image(network.plans),
        plans=tuple(network.plans),
        beat_ports=tuple((name, len(signals[name])) for name in
                         ("in_event", "in_address", "in_value", "in_tick", "in_last")
                         if name in signals),
        counters=network.counter_count,
    )
