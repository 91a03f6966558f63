"""Small networks that more than one test looks at."""

from dataclasses import replace

import numpy as np

from spikewright.gen import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
    Reset,
    SumPool2d,
)


def two_layers(inputs: int = 20, hidden: int = 12, classes: int = 5, timesteps: int = 8,
               seed: int = 0, input: Input | None = None, **neuron) -> NetworkSpec:
    """A net with INT4 weights that neither falls silent nor fires all the time."""
    rng = np.random.default_rng(seed)
    settings = {"decay": 230, "decay_fraction": 8, "threshold": 30, **neuron}

    def layer(name, fan_in, count):
        weight = rng.integers(-7, 8, (count, fan_in))
        return Layer(name=name, synapse=Linear(weight=weight, weight_bits=4, weight_shift=1),
                     neuron=Neuron(bias=rng.integers(-3, 8, count), **settings))

    return NetworkSpec(
        input_shape=(inputs,), timesteps=timesteps, input=input or Input(),
        layers=(layer("fc1", inputs, hidden), layer("fc2", hidden, classes)),
    )


def exiting(spec: NetworkSpec) -> NetworkSpec:
    """``spec``, decided by the first spike."""
    readout = Readout(kind=ReadoutKind.FIRST_SPIKE, population=spec.readout.population,
                      early_exit=True)
    return replace(spec, readout=readout)


def one_layer(inputs: int, neurons: int, timesteps: int = 4, threshold: int = 20) -> NetworkSpec:
    rng = np.random.default_rng(inputs * neurons)
    weight = rng.integers(-7, 8, (neurons, inputs))
    return NetworkSpec(
        input_shape=(inputs,), timesteps=timesteps,
        layers=(Layer(name="fc", synapse=Linear(weight=weight, weight_bits=4),
                      neuron=Neuron(decay=7, decay_fraction=3, threshold=threshold)),),
    )


def of_everything(timesteps: int = 4) -> NetworkSpec:
    """Maps of a held image: convolutions, both poolings, recurrence, currents, an integrator."""
    rng = np.random.default_rng(2)

    def weight(*shape):
        return {"weight": rng.integers(-5, 8, shape), "weight_bits": 4}

    def neuron(**settings):
        return Neuron(**{"decay": 13, "decay_fraction": 4, "threshold": 25, **settings})

    layers = (
        Layer(name="conv1", neuron=neuron(threshold=40),
              synapse=Conv2d(**weight(4, 1, 3, 3), input_shape=(1, 8, 8), padding=1)),
        Layer(name="conv2", neuron=neuron(reset=Reset.ZERO_DROP_INPUT),
              pool=MaxPool2d(input_shape=(4, 8, 8), kernel=2),
              synapse=Conv2d(**weight(6, 2, 2, 2), input_shape=(4, 4, 4), groups=2)),
        Layer(name="hidden", neuron=neuron(synapse_decay=3, synapse_decay_fraction=3),
              pool=SumPool2d(input_shape=(6, 3, 3), kernel=2, stride=1),
              synapse=Linear(**weight(10, 24)), recurrent=Linear(**weight(10, 10))),
        Layer(name="output", neuron=neuron(threshold=None, reset=Reset.NONE),
              synapse=Linear(**weight(6, 10))),
    )
    return NetworkSpec(
        input_shape=(1, 8, 8), layers=layers, timesteps=timesteps, name="everything",
        input=Input(kind=InputKind.CURRENT, bits=2),
        readout=Readout(kind=ReadoutKind.MEMBRANE, population=2),
    )


def rest_of_a_pooling() -> NetworkSpec:
    """A window of 2 × 2 in a map of 3 × 3, of which five pixels are left over."""
    layer = Layer(name="fc", pool=SumPool2d(input_shape=(1, 3, 3), kernel=2),
                  synapse=Linear(weight=np.array([[3], [-2], [7]]), weight_bits=4),
                  neuron=Neuron(decay=7, decay_fraction=3, threshold=20))
    return NetworkSpec(input_shape=(1, 3, 3), timesteps=1, layers=(layer,))
