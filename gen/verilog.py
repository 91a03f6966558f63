"""The accelerator as plain Verilog-2001, for people and tools that know nothing of Amaranth."""

import warnings
from dataclasses import dataclass

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal, unsigned

from .counters import COUNTERS
from .folding import Folding
from .rtl.network import Network
from .spec import NetworkSpec


@dataclass(frozen=True)
class Port:
    """One port of the generated module: what a person needs to connect it."""

    name: str
    direction: str
    width: int
    meaning: str


def ports(spec: NetworkSpec, *, counters: bool = True) -> list[Port]:
    """The port list of the module that :func:`convert` writes, in order."""
    address = _index_bits(spec.inputs)
    index, count = _index_bits(spec.classes), spec.timesteps.bit_length()
    listed = [
        Port("clk", "input", 1, "clock; everything happens at its rising edge"),
        Port("rst", "input", 1, "synchronous reset, active high; give it only between inferences, "
                                "because membranes in block memory are not reset"),
        Port("in_valid", "input", 1, "the beat is meant; hold it until in_ready"),
        Port("in_ready", "output", 1, "the beat is taken at this clock edge"),
        Port("in_address", "input", address, "input that spiked: flat index of "
                                             f"{'×'.join(map(str, spec.input_shape))}"),
        Port("in_event", "input", 1, "the beat carries a spike"),
        Port("in_tick", "input", 1, "the timestep ends after this beat"),
        Port("in_last", "input", 1, "with in_tick: the inference ends too "
                                    f"(at most {spec.timesteps} timesteps)"),
        Port("out_valid", "output", 1, "a class count is offered"),
        Port("out_ready", "input", 1, "take it at this clock edge"),
        Port("out_index", "output", index, "class, ascending"),
        Port("out_count", "output", count, "spikes of that class in the inference"),
        Port("out_winner", "output", index, "class with most spikes so far; the prediction at "
                                            "out_last"),
        Port("out_last", "output", 1, f"last of the {spec.classes} classes"),
    ]
    if counters:
        words = len(COUNTERS) * len(spec.layers) + 1
        listed += [
            Port("counter_clear", "input", 1, "zero all counters"),
            Port("counter_address", "input", _index_bits(words),
                 f"layer × {len(COUNTERS)} + counter; {words - 1} is the cycles of inferences"),
            Port("counter_data", "output", 32, "the counter addressed one cycle ago"),
        ]
    return listed


def convert(spec: NetworkSpec, folding: Folding | None = None, *, counters: bool = True) -> str:
    """Verilog of the accelerator: one file, top module named like the network.

    Weights and initial membranes are in the file as initial memory contents. Nothing else is
    needed: no package, no vendor primitive. Verilator and Icarus Verilog accept it.

    Raises
    ------
    FoldingError
        If the folding does not belong to the network.
    """
    network = Network(spec, folding or Folding(), counters=counters)
    listed = ports(spec, counters=counters)
    top = _Top(network, {port.name: Signal(unsigned(port.width), name=port.name)
                         for port in listed})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = verilog.convert(
            top, name=spec.name, strip_internal_attrs=True, emit_src=False,
            ports=list(top.signals.values()),
        )
    return _header(spec, network, listed) + text


class _Top(Elaboratable):
    """The network with flat, plainly named ports."""

    def __init__(self, network: Network, signals: dict[str, Signal]):
        self.network = network
        self.signals = signals

    def elaborate(self, platform):
        m = Module()
        m.submodules.network = network = self.network
        s = self.signals
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(s["clk"]), sync.rst.eq(s["rst"])]
        m.d.comb += [
            network.i.valid.eq(s["in_valid"]), s["in_ready"].eq(network.i.ready),
            s["out_valid"].eq(network.o.valid), network.o.ready.eq(s["out_ready"]),
            *(network.i.payload[name].eq(s[f"in_{name}"])
              for name in ("address", "event", "tick", "last")),
            *(s[f"out_{name}"].eq(network.o.payload[name])
              for name in ("index", "count", "winner", "last")),
        ]
        if "counter_clear" in s:
            m.d.comb += [
                network.clear.eq(s["counter_clear"]),
                network.counter_address.eq(s["counter_address"]),
                s["counter_data"].eq(network.counter_data),
            ]
        return m


def _index_bits(count: int) -> int:
    return max(1, (count - 1).bit_length())


def _header(spec: NetworkSpec, network: Network, listed: list[Port]) -> str:
    lines = [
        f"{spec.name}: spiking neural network accelerator, generated by spikewright",
        f"network digest {spec.digest}",
        "",
        *(f"{plan.layer.name}: {plan.layer.fan_in} -> {plan.layer.neurons} neurons, "
          f"{plan.layer.synapse.weight_bits}-bit weights, {plan.accumulator_bits}-bit membranes, "
          f"{plan.lanes} lanes ({plan.rows} cycles per event)" for plan in network.plans),
        "",
        *(f"{port.direction:6} {port.name:16} {port.width:3}  {port.meaning}" for port in listed),
    ]
    # Verilator's style warnings about generated code would stop it.
    quiet = ("CASEINCOMPLETE", "DECLFILENAME", "LITENDIAN", "UNUSED", "WIDTH")
    lines += ["", *(f"verilator lint_off {name}" for name in quiet)]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"
