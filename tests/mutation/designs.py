"""Designs that between them have every component in every form, for telling faults that change
nothing which is ever built."""

import hashlib
from collections.abc import Callable, Iterator

from amaranth.back import rtlil
from amaranth.hdl import Signal

from spikewright.boards.registry import find_board
from spikewright.boards.top import BoardTop
from spikewright.gen import Folding, Input, InputKind, verilog
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.rtl.flat import FlatNetwork
from spikewright.gen.rtl.network import Network

from ..gen.examples import exiting, of_everything, two_layers


def _networks() -> Iterator[Callable[[], Network]]:
    plain = two_layers()
    counts = two_layers(input=Input(kind=InputKind.COUNTS, bits=3))
    clamped = two_layers(reset_delay=False, membrane_bits=7)
    everything = of_everything()
    loaded = LayerFolding(lanes=4, ways=2, units=2, storage=Storage.LOADABLE)
    parts = Folding(layers=(("conv1", LayerFolding(slices=2, overlap=True)),
                            ("hidden", LayerFolding(lanes=10, ways=3, units=2, slices=2))))
    yield lambda: Network(plain, Folding())
    yield lambda: Network(clamped, Folding(default=loaded))
    yield lambda: Network(exiting(counts), Folding(default=LayerFolding(lanes=4, units=4)))
    yield lambda: Network(everything, Folding())
    yield lambda: Network(everything, parts, counters=False)


def digest() -> str:
    """Of all the RTLIL and Verilog that these designs become."""
    text = hashlib.sha256()
    for make in _networks():
        text.update(rtlil.convert(make(), emit_src=False).encode())
    flat = Network(two_layers(), Folding(default=LayerFolding(storage=Storage.LOADABLE)))
    signals = {port.name: Signal(port.width, name=port.name) for port in verilog.ports(flat)}
    text.update(rtlil.convert(FlatNetwork(flat, signals), ports=list(signals.values()),
                              emit_src=False).encode())
    spram = Folding(default=LayerFolding(lanes=4, storage=Storage.SPRAM))
    for name, folding in (("icebreaker", spram), ("ulx3s-85f", Folding())):
        plan = find_board(name).make_platform().prepare(
            BoardTop(find_board(name), two_layers(), folding), name="top", emit_src=False)
        text.update(str(plan.files["top.il"]).encode())
    return text.hexdigest()
