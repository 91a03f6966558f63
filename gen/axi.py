"""The accelerator with AXI ports as plain Verilog: its ports, and samples as its packets."""

import re
import warnings

import numpy as np
import numpy.typing as npt
from amaranth.back import verilog as amaranth_verilog
from amaranth.hdl import ClockDomain, Elaboratable, Module, Shape, Signal, Value

from .beats import beats
from .rtl.axi import CHANNELS, AxiNetwork
from .rtl.axi_events import slot_bytes
from .rtl.network import Network
from .verilog import QUIET, Port, plain_names

_CHANNEL_NAMES = {
    "aw": "address of a write", "w": "data of a write", "b": "response to a write",
    "ar": "address of a read", "r": "data of a read",
}


def packet(network: Network, sample: npt.NDArray) -> npt.NDArray[np.unsignedinteger]:
    """``sample``, (timesteps, inputs), as the packet that s_axis takes: (transfers, ways) words, as
    :class:`~.rtl.axi_events.AxiEvents` reads them, little endian, way 0 lowest."""
    layout = network.i.payload.shape()
    address = layout.slot.members["address"]
    size = slot_bytes(layout)
    bits = Shape.cast(address).width
    words = []
    for beat in beats(network.plans[0], sample):
        row = []
        for slot in beat["slots"]:
            place = slot.get("address", 0)
            if isinstance(place, dict):
                place = address.const(place).as_bits()
            row.append(place | slot.get("value", 0) << bits | slot["event"] << (8 * size - 1))
        row[0] |= beat["tick"] << (8 * size - 2)
        words.append(row)
    return np.array(words, f"<u{size}")


class FlatAxi(Elaboratable):
    """``inner`` behind ports with the names that AXI gives them; ``aresetn`` low resets it."""

    def __init__(self, inner: AxiNetwork, signals: dict[str, Signal]):
        self.inner, self.signals = inner, signals

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = self.inner
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.signals["aclk"]), sync.rst.eq(~self.signals["aresetn"])]
        for name, (value, driven) in _wires(self.inner).items():
            signal = self.signals[name]
            m.d.comb += value.eq(signal) if driven else signal.eq(value)
        return m


def _wires(inner: AxiNetwork) -> dict[str, tuple[Value, bool]]:
    """Port name → the value behind it, and whether the port is an input."""
    channels = {"s_axis_t": inner.s_axis, "m_axis_t": inner.m_axis,
                **{f"s_axil_{name}": getattr(inner, name) for name in CHANNELS}}
    wires = {}
    for prefix, channel in channels.items():
        into = prefix in ("s_axis_t", "s_axil_aw", "s_axil_w", "s_axil_ar")
        for name in channel.payload.shape().members:
            wires[prefix + name] = (Value.cast(getattr(channel.payload, name)), into)
        wires[prefix + "valid"] = (channel.valid, into)
        wires[prefix + "ready"] = (channel.ready, not into)
    return wires


def ports(inner: AxiNetwork) -> list[Port]:
    """The port list of the module that :func:`convert` writes, in order."""
    size, ways, answer = inner.events.slot_bytes, inner.events.layout.ways, inner.results.word_bytes
    meanings = {
        "s_axis_tdata": f"{ways} × {size}-byte words {{EVENT, TICK, 0, value, address}}",
        "s_axis_tkeep": "a word without all of its bytes is 0; tie it high if you have none",
        "s_axis_tlast": "the inference ends after this transfer",
        "m_axis_tdata": f"{answer}-byte word: the scores of {inner.spec.classes} classes, signed, "
                        f"then the prediction",
        "m_axis_tlast": "with the prediction",
    }
    listed = [Port("aclk", "input", 1, "clock; everything happens at its rising edge"),
              Port("aresetn", "input", 1, "synchronous reset, active low, at any time")]
    for name, (value, driven) in _wires(inner).items():
        channel = re.match(r"s_axil_(aw|ar|w|b|r)", name)
        meaning = meanings.get(name) or (
            f"AXI4-Lite: {_CHANNEL_NAMES[channel[1]]}" if channel else "AXI4-Stream")
        listed.append(Port(name, "input" if driven else "output", len(value), meaning))
    return listed


def convert(inner: AxiNetwork) -> str:
    """Verilog of the accelerator with AXI ports: one file that needs nothing else, top module
    ``NAME_axi``.
    """
    spec = inner.spec
    listed = ports(inner)
    associated = "XIL_INTERFACENAME aclk, ASSOCIATED_BUSIF s_axis:m_axis:s_axil, " \
                 "ASSOCIATED_RESET aresetn"
    attributes = {
        "aclk": {"X_INTERFACE_INFO": "xilinx.com:signal:clock:1.0 aclk CLK",
                 "X_INTERFACE_PARAMETER": associated},
        "aresetn": {"X_INTERFACE_INFO": "xilinx.com:signal:reset:1.0 aresetn RST",
                    "X_INTERFACE_PARAMETER": "XIL_INTERFACENAME aresetn, POLARITY ACTIVE_LOW"},
    }
    signals = {port.name: Signal(port.width, name=port.name, attrs=attributes.get(port.name, {}))
               for port in listed}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = amaranth_verilog.convert(
            FlatAxi(inner, signals), name=f"{spec.name}_axi", ports=list(signals.values()),
            strip_internal_attrs=True, emit_src=False,
        )
    lines = [
        f"{spec.name}_axi: {spec.name} behind AXI4-Stream and AXI4-Lite, generated by spikewright",
        f"network digest {spec.digest}", "",
        *(f"{port.direction:6} {port.name:16} {port.width:3}  {port.meaning}" for port in listed),
        "", *(f"verilator lint_off {name}" for name in QUIET),
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n" + plain_names(text)
