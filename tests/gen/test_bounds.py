import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron, Reset, SpikewrightError, simulate
from spikewright.gen.arithmetic import Rounding

from .strategies import networks, spike_trains


@settings(deadline=None)
@given(st.data())
def test_no_membrane_leaves_its_bounds(data):
    spec = data.draw(networks())
    trace = simulate(spec, data.draw(spike_trains(spec, 8)), engine="golden", membranes=True)
    for bounds, membranes in zip(spec.bounds, trace.membranes, strict=True):
        assert bounds.membrane[0] <= membranes.min()
        assert membranes.max() <= bounds.membrane[1]


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_bounds_are_reached_by_some_input(reset, delay):
    """All 2⁹ inputs of three timesteps through a neuron whose membrane gets one step finer input
    each: the proven range is the exact one, not a wider guess."""
    layer = Layer(
        name="fc",
        synapse=Linear(weight=[[1, 2, -4]], weight_bits=4),
        neuron=Neuron(decay=3, decay_fraction=2, threshold=2, reset=reset, reset_delay=delay,
                      rounding=Rounding.NEAREST),
    )
    spec = NetworkSpec(input_shape=(3,), layers=(layer,), timesteps=3)
    inputs = np.array(list(itertools.product((0, 1), repeat=9)), bool).reshape(-1, 3, 3)
    membranes = simulate(spec, inputs, engine="golden", membranes=True).membranes[0]
    bounds = spec.bounds[0].membrane
    assert bounds[0] == membranes.min()
    # m without delay stays at or below θ, while the bound also covers u before the reset.
    if delay or reset is Reset.NONE:
        assert bounds[1] == membranes.max()
    else:
        assert bounds[1] >= membranes.max()


def test_a_membrane_that_explodes_is_refused_with_the_layer_and_the_remedy():
    layer = Layer(
        name="wild",
        synapse=Linear(weight=[[7]], weight_bits=4),
        neuron=Neuron(decay=4, decay_fraction=0, threshold=1, reset=Reset.NONE),
    )
    with pytest.raises(SpikewrightError, match=r"layer wild: .* set membrane_bits"):
        NetworkSpec(input_shape=(1,), layers=(layer,), timesteps=100)
