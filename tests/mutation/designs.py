"""Designs that between them have every component in every form, for telling faults that change
nothing which is ever built."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Signal

from spikewright.boards.hostlink import HostLink
from spikewright.boards.registry import find_board
from spikewright.boards.spi import SpiPeripheral
from spikewright.boards.top import BoardTop, LinkedAccelerator
from spikewright.gen import Folding, Input, InputKind, OneToOne, Readout, ReadoutKind, verilog
from spikewright.gen.folding import LayerFolding, Protection, Storage
from spikewright.gen.rtl.axi import AxiNetwork
from spikewright.gen.rtl.flat import FlatNetwork
from spikewright.gen.rtl.network import Network

from ..boards.identities import identity
from ..gen.examples import exiting, of_everything, one_layer, rest_of_a_pooling, two_layers


def digest(file: str) -> str:
    """Of all the RTLIL that designs with ``file`` in them become."""
    text = hashlib.sha256()
    for design, ports in accelerators() if file.startswith("gen") else links():
        text.update(rtlil.convert(design, ports=ports, emit_src=False).encode())
    board, folding = find_board("icebreaker"), LayerFolding(lanes=4, storage=Storage.SPRAM)
    for on, watchdog in ((board, False), (board.over("spi"), True)):
        top = BoardTop(on, one_layer(20, 8), Folding(default=folding), watchdog=watchdog)
        plan = on.make_platform().prepare(top, name="top", emit_src=False)
        text.update(str(plan.files["top.il"]).encode())
    return text.hexdigest()


#: With the ports that it has; None if it is a component, which knows.
Design = tuple[Elaboratable, list[Signal] | None]


def links() -> Iterator[Design]:
    """What speaks to the host."""
    for known, shape in (
        (identity(), None), (identity(inputs=300, ways=4, value_bits=3), None),
        (identity(inputs=12, score_bits=11, classes=1), (3, 2, 2)),
    ):
        yield HostLink(known, shape), None
    yield LinkedAccelerator(two_layers(), Folding(), SpiPeripheral(), window=32, buffer=32,
                            observe=True), None


def accelerators() -> Iterator[Design]:
    """Networks, bare and in what they can be wrapped in."""
    loaded = LayerFolding(lanes=5, ways=2, units=2, slices=2, storage=Storage.LOADABLE)
    parts = Folding(layers=(("conv1", LayerFolding(slices=2, overlap=True)),
                            ("hidden", LayerFolding(lanes=10, ways=3, units=2, slices=2))))
    counts = two_layers(input=Input(kind=InputKind.COUNTS, bits=3))
    clamped = two_layers(classes=6, reset_delay=False, membrane_bits=7)
    own = replace(clamped.layers[0], recurrent=OneToOne(weight=-3))
    firsts = replace(clamped, layers=(own, clamped.layers[1]),
                     readout=Readout(kind=ReadoutKind.FIRST_SPIKE, population=2))
    for spec, folding in (
        (two_layers(), Folding()), (firsts, Folding(default=loaded)),
        (exiting(counts), Folding(default=LayerFolding(lanes=4, units=4))),
        (of_everything(), parts), (rest_of_a_pooling(), Folding()),
        (two_layers(hidden=17), Folding(layers=(("fc1", LayerFolding(lanes=17, units=17)),))),
        *((two_layers(), Folding(default=LayerFolding(lanes=4, protect=protect)))
          for protect in (Protection.PARITY, Protection.ECC)),
    ):
        yield Network(spec, folding, watchdog=True), None
    for folding in (Folding(), Folding(default=loaded)):
        yield AxiNetwork(two_layers(), folding), None
    network = Network(two_layers(), Folding(default=loaded))
    signals = {port.name: Signal(port.width, name=port.name) for port in verilog.ports(network)}
    yield FlatNetwork(network, signals), list(signals.values())
