"""The accelerator as plain Verilog-2001, for people and tools that know nothing of Amaranth."""

import re
import warnings
from dataclasses import dataclass

from amaranth.back import verilog
from amaranth.hdl import Shape, Signal, unsigned

from .coding import InputKind
from .counters import NETWORK_COUNTERS
from .rtl.flat import FlatNetwork
from .rtl.network import Network
from .rtl.streams import address_bits

#: Verilator's style warnings about generated code, which would stop it.
QUIET = ("CASEINCOMPLETE", "DECLFILENAME", "LITENDIAN", "UNOPTFLAT", "UNSIGNED", "UNUSED", "WIDTH")


@dataclass(frozen=True)
class Port:
    """One port of the generated module: what a person needs to connect it."""

    name: str
    direction: str
    width: int
    meaning: str


def ports(network: Network) -> list[Port]:
    """The port list of the module that :func:`convert` writes of ``network``, in order."""
    spec, plan = network.spec, network.plans[0]
    layout = network.i.payload.shape()
    ways, slot = layout.ways, layout.slot
    address = Shape.cast(slot.members["address"]).width
    index, score = address_bits(spec.classes), network.readout.bits
    shape = "×".join(map(str, spec.input_shape))
    meaning = f"input that spiked: flat index of {shape}"
    if plan.source.shape is not None:
        x, y, channel = (address_bits(side) for side in reversed(plan.source.shape))
        meaning = (f"place of the input that spiked: {{channel, {channel} bits; y, {y} bits; "
                   f"x, {x} bits}}")
    elif ways > 1:
        meaning += f", divided by {ways}; way w takes the inputs that leave w"
    ends = f"at most {spec.timesteps} timesteps"
    if spec.input.kind is InputKind.CURRENT:
        ends = f"always: its one timestep is held for {spec.timesteps}"
    each = f"; {ways} ways, way 0 lowest" if ways > 1 else ""
    listed = [
        Port("clk", "input", 1, "clock; everything happens at its rising edge"),
        Port("rst", "input", 1, "synchronous reset, active high; give it only between inferences, "
                                "because membranes in block memory are not reset"),
        Port("in_valid", "input", 1, "the beat is meant; hold it until in_ready"),
        Port("in_ready", "output", 1, "the beat is taken at this clock edge"),
        Port("in_event", "input", ways, f"the beat carries a spike{each}"),
        Port("in_address", "input", ways * address, meaning),
        Port("in_tick", "input", 1, "the timestep ends after this beat"),
        Port("in_last", "input", 1, f"with in_tick: the inference ends too ({ends})"),
        Port("out_valid", "output", 1, "a class score is offered"),
        Port("out_ready", "input", 1, "take it at this clock edge"),
        Port("out_index", "output", index, "class, ascending"),
        Port("out_score", "output", score, f"its score, signed: {spec.readout.kind.value}"),
        Port("out_winner", "output", index, "class with the highest score so far; the prediction "
                                            "at out_last"),
        Port("out_last", "output", 1, f"last of the {spec.classes} classes"),
    ]
    if "value" in slot.members:
        bits = Shape.cast(slot.members["value"]).width
        listed.insert(6, Port("in_value", "input", ways * bits, f"of the spike{each}"))
    if any(plan.loads for plan in network.plans):
        listed += [
            Port("load_begin", "input", 1, "what can be loaded begins anew with the next byte"),
            Port("load_valid", "input", 1, "a byte of it is there; none is refused"),
            Port("load_byte", "input", 8, "the byte, as docs/rtl.md orders them"),
            Port("loaded", "output", 1, "all of it is in; begin no inference before"),
        ]
    if network.counters is not None:
        count = network.counter_count
        first = count - len(NETWORK_COUNTERS)
        names = ", ".join(counter.name for counter in NETWORK_COUNTERS)
        listed += [
            Port("counter_clear", "input", 1, "zero all counters"),
            Port("counter_address", "input", address_bits(count),
                 f"layer × {len(network.layer_counters)} + counter; {first} to {count - 1} are "
                 f"{names}"),
            Port("counter_read", "input", 1, "hold it and the address until counter_valid"),
            Port("counter_data", "output", 32, "the counter"),
            Port("counter_valid", "output", 1, f"it stands; at most {count + 1} cycles later"),
        ]
    return listed


def convert(network: Network) -> str:
    """Verilog of the accelerator: one file, top module named like the network's spec.

    Weights and initial membranes are in the file as initial memory contents, but for weights in
    :attr:`~.folding.Storage.SPRAM`. Nothing else is needed: no package, no vendor primitive.
    Verilator and Icarus Verilog accept it.
    """
    spec, listed = network.spec, ports(network)
    signals = {port.name: Signal(unsigned(port.width), name=port.name) for port in listed}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = verilog.convert(
            FlatNetwork(network, signals), name=spec.name, ports=list(signals.values()),
            strip_internal_attrs=True, emit_src=False,
        )
    return _header(network, listed) + plain_names(text)


def plain_names(text: str) -> str:
    """Verilog ``text`` without names such as x[0], x[1], …, which Amaranth gives the elements of an
    array: tools that look at no more than the text of a name take them for the bits of x."""
    return re.sub(r"\\\S+", lambda name: name[0].replace("[", ":").replace("]", ""), text)


def _header(network: Network, listed: list[Port]) -> str:
    spec = network.spec
    lines = [
        f"{spec.name}: spiking neural network accelerator, generated by spikewright",
        f"network digest {spec.digest}",
        "",
        *(f"{plan.layer.name}: {plan.layer.inputs} -> {plan.layer.neurons} neurons, "
          f"{plan.layer.synapse.weight_bits}-bit weights, {plan.accumulator_bits}-bit membranes, "
          f"{plan.synapses.lanes} lanes, {plan.units} units" for plan in network.plans),
        "",
        *(f"{port.direction:6} {port.name:16} {port.width:3}  {port.meaning}" for port in listed),
    ]
    lines += ["", *(f"verilator lint_off {name}" for name in QUIET)]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"
