from dataclasses import replace

import numpy as np
import pytest

from spikewright.gen.folding import Folding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.structure import structure

from ..boards.test_contents import design
from ..boards.trainings import FOLDING, training


def of(spec, folding=FOLDING):
    return structure(spec, layer_plans(spec, folding))


def changed(spec, *, neuron=(), weight=None):
    first, *rest = spec.layers
    synapse = first.synapse if weight is None else replace(first.synapse, weight=weight)
    return replace(spec, layers=(
        replace(first, synapse=synapse, neuron=replace(first.neuron, **dict(neuron))), *rest))


def test_trainings_share_it_with_the_design_that_is_placed():
    """``separate`` takes the elaborated design apart, and knows nothing of this digest."""
    same, wider = training(2, threshold=20), training(3)
    assert same != training(1)
    assert of(same) == of(training(1))
    assert design(2, threshold=20).structure == design(1).structure
    assert of(wider) != of(training(1))
    assert design(3).structure != design(1).structure


@pytest.mark.parametrize("neuron", [
    {"threshold": 300}, {"bias": 0}, {"decay": 6}, {"reset_delay": False}, {"membrane_bits": 9},
    {"bias": np.arange(8) * 20}, {"threshold": np.arange(10, 18)},
])
def test_what_hardware_is_made_of_is_in_it(neuron):
    spec = training(1)
    assert of(changed(spec, neuron=neuron.items())) != of(spec)


def test_widths_and_foldings_are_in_it():
    spec = training(1)
    wide = changed(spec, weight=np.full((8, 130), 7))
    assert of(wide) != of(spec)
    assert of(replace(spec, timesteps=4)) != of(spec)
    slower = Folding.lanes(2, 1, spec=spec)
    # Which lanes a layer has is the folding's to tell.
    assert of(spec, slower) == of(spec)
