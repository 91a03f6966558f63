"""Several trainings of one small network."""

import numpy as np

from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.widths import spare_widths


def training(seed: int, threshold: int = 10) -> NetworkSpec:
    """130 inputs → 8 → 3: weights in block memories, of which the first is not full; a threshold
    for every layer and a bias for every neuron."""
    rng = np.random.default_rng(seed)

    def layer(name: str, inputs: int, neurons: int) -> Layer:
        weights = rng.integers(-7, 8, (neurons, inputs))
        # All trainings need the same widths.
        weights[:, :2] = [7, -7]
        return Layer(
            name=name, synapse=Linear(weight=weights, weight_bits=4),
            neuron=Neuron(decay=7, decay_fraction=3, threshold=threshold + int(rng.integers(8)),
                          bias=rng.integers(-3, 4, neurons)))

    return NetworkSpec(input_shape=(130,), timesteps=3, name="training",
                       layers=(layer("fc1", 130, 8), layer("fc2", 8, 3)))


FOLDING = Folding.lanes(4, 1, spec=training(1)).with_widths(
    spare_widths(training(1)), spec=training(1))
