"""Designs that between them have every component in every form, for telling faults that change
nothing which is ever built."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from amaranth.back import rtlil
from amaranth.hdl import Signal

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
from ..gen.examples import exiting, of_everything, one_layer, two_layers


def digest(file: str) -> str:
    """Of all the RTLIL that designs with ``file`` in them become."""
    text = hashlib.sha256()
    for design in _accelerators() if file.startswith("gen") else _links():
        text.update(design.encode())
    board, folding = find_board("icebreaker"), LayerFolding(lanes=4, storage=Storage.SPRAM)
    plan = board.make_platform().prepare(
        BoardTop(board, one_layer(20, 8), Folding(default=folding)), name="top", emit_src=False)
    text.update(str(plan.files["top.il"]).encode())
    return text.hexdigest()


def _links() -> Iterator[str]:
    for known, shape in (
        (identity(), None), (identity(inputs=300, ways=4, value_bits=3), None),
        (identity(inputs=12, score_bits=11, classes=1), (3, 2, 2)),
    ):
        yield rtlil.convert(HostLink(known, shape), emit_src=False)
    yield rtlil.convert(LinkedAccelerator(
        two_layers(), Folding(), SpiPeripheral(), window=32, buffer=32, observe=True),
        emit_src=False)


def _accelerators() -> Iterator[str]:
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
        (of_everything(), parts),
        *((two_layers(), Folding(default=LayerFolding(lanes=4, protect=protect)))
          for protect in (Protection.PARITY, Protection.ECC)),
    ):
        yield rtlil.convert(Network(spec, folding, watchdog=True), emit_src=False)
    for folding in (Folding(), Folding(default=loaded)):
        yield rtlil.convert(AxiNetwork(two_layers(), folding), emit_src=False)
    network = Network(two_layers(), Folding(default=loaded))
    signals = {port.name: Signal(port.width, name=port.name) for port in verilog.ports(network)}
    yield rtlil.convert(FlatNetwork(network, signals), ports=list(signals.values()),
                        emit_src=False)
