"""Small networks that more than one test looks at."""

import numpy as np

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron


def two_layers(inputs: int = 20, hidden: int = 12, classes: int = 5, timesteps: int = 8,
               seed: int = 0, **neuron) -> NetworkSpec:
    """A net with INT4 weights that neither falls silent nor fires all the time."""
    rng = np.random.default_rng(seed)
    settings = {"decay": 230, "decay_fraction": 8, "threshold": 30, **neuron}

    def layer(name, fan_in, count):
        weight = rng.integers(-7, 8, (count, fan_in))
        return Layer(name=name, synapse=Linear(weight=weight, weight_bits=4, weight_shift=1),
                     neuron=Neuron(bias=rng.integers(-3, 8, count), **settings))

    return NetworkSpec(
        input_shape=(inputs,), timesteps=timesteps,
        layers=(layer("fc1", inputs, hidden), layer("fc2", hidden, classes)),
    )


def one_layer(inputs: int, neurons: int, timesteps: int = 4, threshold: int = 20) -> NetworkSpec:
    rng = np.random.default_rng(inputs * neurons)
    weight = rng.integers(-7, 8, (neurons, inputs))
    return NetworkSpec(
        input_shape=(inputs,), timesteps=timesteps,
        layers=(Layer(name="fc", synapse=Linear(weight=weight, weight_bits=4),
                      neuron=Neuron(decay=7, decay_fraction=3, threshold=threshold)),),
    )
