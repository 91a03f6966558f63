import numpy as np
import pytest

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron, Reset, SpikewrightError

from .examples import two_layers


def linear(**changes):
    return Linear(**{"weight": [[1, -2]], "weight_bits": 4, **changes})


def neuron(**changes):
    return Neuron(**{"decay": 3, "decay_fraction": 2, "threshold": 5, **changes})


def layer(name="fc", **changes):
    return Layer(name=name, synapse=linear(), neuron=neuron(**changes))


def network(*layers, **changes):
    return NetworkSpec(**{"input_shape": (2,), "layers": layers or (layer(),), "timesteps": 4,
                          **changes})


@pytest.mark.parametrize(("build", "message"), [
    (lambda: linear(weight=[[float("nan"), 1]]), "NaN or infinite"),
    (lambda: linear(weight=[[0.5, 1]]), "fractions; quantise"),
    (lambda: linear(weight=[["a", "b"]]), "an integer is needed"),
    (lambda: linear(weight=[1, 2]), r"shape \(2,\); \(neurons, inputs\)"),
    (lambda: linear(weight=[[]]), "each at least 1"),
    (lambda: linear(weight=[[9, 0]]), "span 0 to 9; 4 bits hold -8 to 7; raise weight_bits"),
    (lambda: linear(weight_bits=9), "weight_bits is 9; allowed are 2 to 8"),
    (lambda: linear(weight_bits=True), "weight_bits is True"),
    (lambda: linear(weight_shift=-1), "weight_shift is -1; allowed are 0 to 16"),
    (lambda: neuron(threshold=0), "threshold goes down to 0; every threshold must be at least 1"),
    (lambda: neuron(threshold=[3, -1]), "threshold goes down to -1"),
    (lambda: neuron(decay=100), r"beyond ±4 a timestep"),
    (lambda: neuron(decay_fraction=17), "decay_fraction is 17; allowed are 0 to 16"),
    (lambda: neuron(bias=1 << 40), "bias does not fit 32 signed bits"),
    (lambda: neuron(bias=[[1]]), "one per neuron in one dimension"),
    (lambda: neuron(bias=[]), "bias is empty"),
    (lambda: neuron(reset="subtract"), "reset is 'subtract'; allowed are Reset.SUBTRACT"),
    (lambda: neuron(reset_delay=1), "reset_delay is 1; True or False"),
    (lambda: neuron(membrane_bits=3), "would never fire; raise membrane_bits"),
    (lambda: layer(bias=[1, 2]), "layer fc: bias has 2 values for 1 neurons"),
    (lambda: layer(name="1st"), "layer name '1st' is not an identifier"),
    (lambda: network(name="a b"), "network name 'a b'"),
    (lambda: network(input_shape=(0, 2)), "every side must be at least 1"),
    (lambda: network(input_shape=(3,)), "layer fc has 2 inputs, but 3 signals reach it"),
    (lambda: network(layer("a"), layer("a")), "two layers are named a"),
    (lambda: network(layers=()), "no layers"),
    (lambda: network(timesteps=0), "timesteps is 0"),
])
def test_what_cannot_be_built_is_refused(build, message):
    with pytest.raises(SpikewrightError, match=message):
        build()


def test_is_frozen_to_the_last_weight():
    spec = two_layers()
    with pytest.raises(AttributeError):
        spec.timesteps = 3
    with pytest.raises(ValueError, match="read-only"):
        spec.layers[0].synapse.weight[0, 0] = 1


def test_changing_the_caller_s_array_does_not_change_the_spec():
    weight = np.array([[1, 2]])
    synapse = linear(weight=weight)
    weight[0, 0] = 5
    assert synapse.weight[0, 0] == 1


def test_equality_and_digest_follow_every_number():
    assert two_layers() == two_layers()
    assert hash(two_layers()) == hash(two_layers())
    variants = [
        two_layers(), two_layers(seed=1), two_layers(threshold=31), two_layers(timesteps=9),
        two_layers(reset=Reset.NONE), two_layers(reset_delay=False), two_layers(membrane_bits=20),
        two_layers(decay=[230] * 4 + [231] * 8, hidden=12, classes=12),
    ]
    assert len({spec.digest for spec in variants}) == len(variants)


def test_equal_values_per_neuron_are_one_value():
    assert neuron(threshold=[5, 5]).threshold == 5
