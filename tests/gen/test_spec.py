from dataclasses import replace

import numpy as np
import pytest

from spikewright.gen import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    SpikewrightError,
    SumPool2d,
)

from .examples import two_layers


def linear(**changes):
    return Linear(**{"weight": [[1, -2]], "weight_bits": 4, **changes})


def neuron(**changes):
    return Neuron(**{"decay": 3, "decay_fraction": 2, "threshold": 5, **changes})


def layer(name="fc", **changes):
    return Layer(name=name, synapse=linear(), neuron=neuron(**changes))


def conv(**changes):
    return Conv2d(**{"weight": np.ones((4, 1, 3, 2)), "weight_bits": 4, "groups": 2,
                     "input_shape": (2, 6, 5), **changes})


def pool(kind=SumPool2d, **changes):
    return kind(**{"input_shape": (2, 7, 4), "kernel": 2, **changes})


def integrator(**changes):
    return neuron(**{"threshold": None, "reset": Reset.NONE, **changes})


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
    (lambda: neuron(synapse_decay_fraction=3), "is 3 without a synapse_decay; give both"),
    (lambda: neuron(synapse_decay=[1, 9], synapse_decay_fraction=3),
     "synapse_decay spans 1 to 9; with 3 fraction bits 0 to 8 keep"),
    (lambda: neuron(synapse_decay=-1, synapse_decay_fraction=3), "spans -1 to -1"),
    (lambda: neuron(threshold=None), "'subtract' would never happen; give reset=Reset.NONE"),
    (lambda: conv(weight=[[1]]), r"\(output channels, input channels / groups, height, width\)"),
    (lambda: conv(input_shape=(2, 6)), r"input_shape of the convolution is \(2, 6\); \(channels,"),
    (lambda: conv(input_shape=(2, 6, 0)), "each at least 1"),
    (lambda: conv(padding=(0, 2)), "horizontal padding is 2; allowed are 0 to 1"),
    (lambda: conv(padding=0.5), "padding is 0.5; an integer, or two of them"),
    (lambda: conv(stride=(0, 1)), "vertical stride is 0; allowed are 1 to 6"),
    (lambda: conv(stride=(1, 2, 3)), "stride is .*; an integer, or two"),
    (lambda: conv(groups=3), "groups is 3; allowed are 1 to 2"),
    (lambda: conv(input_shape=(3, 6, 5)), "groups is 2; it must divide 3 input and 4 output chan"),
    (lambda: conv(groups=1), "1 input channels for each of 1 groups, which is not the 2 channels"),
    (lambda: conv(input_shape=(2, 2, 2)), "kernel 3×2 is larger than the input 2×2 with padding 0"),
    (lambda: pool(kernel=(8, 2)), "vertical kernel of the pooling is 8; allowed are 1 to 7"),
    (lambda: pool(stride=5), "horizontal stride of the pooling is 5; allowed are 1 to 4"),
    (lambda: pool(input_shape=9), "input_shape of the pooling is 9"),
    (lambda: OneToOne(weight=0.5), "one-to-one weight has fractions"),
    (lambda: Layer(name="a", synapse=3, neuron=neuron()), "synapse is a int; allowed are Linear"),
    (lambda: Layer(name="a", synapse=linear(), neuron=neuron(), recurrent=conv()),
     "layer a: recurrent is a Conv2d; allowed are Linear, OneToOne, None"),
    (lambda: Layer(name="a", synapse=linear(), neuron=neuron(), recurrent=linear()),
     r"recurrent weight has shape \(1, 2\); \(1, 1\) is needed"),
    (lambda: Layer(name="a", synapse=linear(), neuron=neuron(),
                   recurrent=OneToOne(weight=[1, 2])), "one-to-one weight has 2 values for 1 neu"),
    (lambda: Layer(name="a", synapse=linear(), neuron=integrator(), recurrent=OneToOne(weight=1)),
     "never fire, so the recurrence carries nothing"),
    (lambda: Layer(name="a", synapse=linear(), neuron=neuron(), pool=pool()),
     r"layer a: its synapse has 2 inputs, but its pooling gives 12 \(\(2, 3, 2\)\)"),
    (lambda: Layer(name="a", synapse=conv(), neuron=neuron(), pool=pool()),
     r"takes signals of shape \(2, 6, 5\), but its pooling gives \(2, 3, 2\)"),
    (lambda: network(Layer(name="a", synapse=conv(), neuron=neuron()), input_shape=(6, 5, 2)),
     r"takes signals of shape \(2, 6, 5\), but \(6, 5, 2\) .* reach it"),
    (lambda: network(Layer(name="a", synapse=linear(weight=np.ones((3, 12))), neuron=neuron(),
                           pool=pool(MaxPool2d)), input_shape=(2, 7, 4)),
     "layer a: a max pooling of the network's inputs .* use SumPool2d"),
    (lambda: network(Layer(name="a", synapse=linear(), neuron=integrator()),
                     Layer(name="b", synapse=linear(weight=[[1]]), neuron=neuron())),
     "layer a has no threshold, so no spike would reach the layers behind it"),
    (lambda: network(Layer(name="a", synapse=linear(), neuron=integrator())),
     r"never spikes, but the readout is spike-count; give Readout\(kind=ReadoutKind.MEMBRANE\)"),
    (lambda: network(Layer(name="a", synapse=linear(weight=np.ones((20, 2))), neuron=neuron()),
                     readout=Readout(population=6)), "20 neurons .* groups of 6; .* is 5"),
    (lambda: network(input="events"), "input is 'events'; an instance of Input is needed"),
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
        two_layers(synapse_decay=3, synapse_decay_fraction=2),
        replace(two_layers(), input=Input(kind=InputKind.COUNTS)),
        replace(two_layers(), readout=Readout(kind=ReadoutKind.FIRST_SPIKE)),
        replace(two_layers(), readout=Readout(population=5)),
    ]
    assert len({spec.digest for spec in variants}) == len(variants)


def test_equal_values_per_neuron_are_one_value():
    assert neuron(threshold=[5, 5]).threshold == 5


def test_shapes_between_layers():
    layers = (
        Layer(name="conv", synapse=conv(padding=1, stride=(2, 1)), neuron=neuron()),
        Layer(name="fc", synapse=linear(weight=np.ones((6, 8))), neuron=integrator(),
              pool=pool(input_shape=(4, 3, 6), kernel=(2, 3), stride=(3, 2))),
    )
    # (6 + 2·1 − 3) // 2 + 1 = 3 rows and (5 + 2·1 − 2) // 1 + 1 = 6 columns of 4 channels.
    spec = network(*layers, input_shape=(2, 6, 5),
                   readout=Readout(kind=ReadoutKind.MEMBRANE, population=2))
    assert layers[1].pool.output_shape == (4, 1, 2)
    assert [layer.inputs for layer in layers] == [60, 72]
    assert spec.signal_shapes == ((2, 6, 5), (4, 3, 6), (6,))
    assert (spec.classes, spec.weights) == (3, 4 * 3 * 2 + 6 * 8)


def test_a_max_pooling_has_no_matrix():
    layer = Layer(name="a", synapse=linear(weight=np.ones((3, 12))), neuron=neuron(),
                  pool=pool(MaxPool2d))
    with pytest.raises(SpikewrightError, match="layer a: a max pooling has no matrix"):
        layer.dense()
