"""What ``--lanes``, ``--ways`` and ``--slices`` mean for networks of several kinds of layers."""

import json

import pytest

from spikewright.gen.errors import FoldingError
from spikewright.gen.folding import Folding, LayerFolding, Protection, Storage
from spikewright.gen.folding_options import folded, folding_of, from_json, to_json

from .examples import of_everything, two_layers


def test_one_number_is_meant_for_every_layer(small_net):
    spec = of_everything()
    folding = folding_of("5", spec, "3").of(spec)
    assert [layer.lanes for layer in folding] == [4, 3, 5, 5]
    assert [layer.ways for layer in folding] == [1, 1, 3, 3]
    assert folded(spec, folding_of(None, spec))["adders"] == {
        "conv1": 4 * 9, "conv2": 3 * 4, "hidden": 10, "output": 6}
    folding = folding_of("3,2", small_net, "4,1", "2,1").of(small_net)
    assert [(layer.lanes, layer.ways, layer.slices) for layer in folding] == [(3, 4, 2), (2, 1, 1)]


def test_one_number_of_slices_is_cut_down_to_what_the_lanes_allow():
    spec = of_everything()
    assert [layer.slices for layer in folding_of(None, spec, None, "4").of(spec)] == [4, 3, 4, 4]
    folding = folding_of("2,3,3,6", spec, None, "4")
    assert folded(spec, folding)["slices"] == {"conv1": 2, "conv2": 3, "hidden": 3, "output": 4}


@pytest.mark.parametrize(("lanes", "ways", "slices", "message"), [
    ("x", None, None, "lanes 'x' is not understood"),
    (None, "1;2", None, "ways '1;2' is not understood"),
    ("1,2", None, None, "2 lane counts for 4 layers; give one per layer, or one for all"),
    ("0", None, None, "lanes 0 has 0; every number must be at least 1"),
    ("4,3,11,6", None, None, "layer hidden: 11 lanes for 10 neurons"),
    (None, "2,1,1,1", None, "layer conv1: 2 ways; a convolution takes one event at a time"),
    (None, None, "3,1,1,1", "layer conv1: 3 slices; a divisor of its 4 lanes and 4 units"),
])
def test_refused(lanes, ways, slices, message):
    with pytest.raises(FoldingError, match=message):
        folding_of(lanes, of_everything(), ways, slices)


def test_a_folding_survives_json():
    spec = two_layers()
    folding = Folding.each(
        LayerFolding(lanes=4, ways=2, units=1, protect=Protection.ECC),
        LayerFolding(banks=(1, 2), storage=Storage.LOADABLE, overlap=True), spec=spec)
    assert from_json(spec, json.loads(json.dumps(to_json(spec, folding)))) == folding


@pytest.mark.parametrize("wrong", [[], [{"storage": "fixed"}] * 2, [{"storage": "paper"}] * 2])
def test_json_of_another_folding_is_refused(wrong):
    with pytest.raises(FoldingError):
        from_json(two_layers(), wrong)
