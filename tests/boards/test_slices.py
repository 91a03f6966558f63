"""Slices are built as often as they are asked for: synthesis must not find out that they agree."""

import pytest

from spikewright.boards.pins import Pins
from spikewright.gen import Folding
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.layer import SpikingLayer

from ..gen.examples import one_layer

#: Registers that every slice has: the events it received, and what they control behind.
COPIED = ("synapses{}._op", "synapses{}.event_0_2", "synapses{}.valid_3", "synapses{}.moves",
          "synapses{}.tick_1", "synapses{}.step", "synapses{}.sums__available", "array{}.elapsed",
          "array{}.neurons.stage_1")


@pytest.mark.parametrize("slices", [1, 3])
def test_every_slice_keeps_its_registers(synthesise, slices):
    plan, = layer_plans(one_layer(6, 6), Folding(default=LayerFolding(units=3, slices=slices)))
    module = synthesise(Pins(SpikingLayer(plan)))["modules"]["top"]
    registers = {cell["connections"]["Q"][0] for cell in module["cells"].values()
                 if cell["type"] == "TRELLIS_FF"}
    for name in COPIED:
        copies = [
            registers.intersection(module["netnames"][f"component.{name.format(suffix)}"]["bits"])
            for suffix in ["", "_1", "_2"][:slices]
        ]
        assert all(copies), name
        assert len(set.union(*copies)) == slices * len(copies[0]), name
