"""Random networks, foldings and spike trains for property tests."""

import itertools

import numpy as np
from hypothesis import strategies as st

from spikewright.gen import Folding, Layer, Linear, NetworkSpec, Neuron, Reset, Rounding
from spikewright.gen.folding import LayerFolding


@st.composite
def neurons(draw, count: int, width: int) -> Neuron:
    """A neuron model whose thresholds are of the order ``width`` of its inputs."""
    fraction = draw(st.integers(0, 8))
    unit = 1 << fraction

    def parameter(low: int, high: int):
        one = st.integers(low, high)
        return draw(one | st.lists(one, min_size=count, max_size=count).map(np.array))

    threshold = parameter(1, max(1, width))
    least = int(np.max(threshold)).bit_length() + 2
    return Neuron(
        decay=parameter(-3 * unit // 2, 3 * unit // 2),
        decay_fraction=fraction,
        threshold=threshold,
        bias=parameter(-width // 4, width // 4),
        reset=draw(st.sampled_from(Reset)),
        reset_delay=draw(st.booleans()),
        rounding=draw(st.sampled_from(Rounding)),
        membrane_bits=draw(st.none() | st.integers(least, least + 3)),
    )


@st.composite
def layers(draw, name: str, inputs: int, count: int) -> Layer:
    bits, shift = draw(st.integers(2, 8)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    weight = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (count, inputs))
    width = (1 << (bits + shift - 1)) * max(1, inputs // 4)
    return Layer(
        name=name,
        synapse=Linear(weight=weight, weight_bits=bits, weight_shift=shift),
        neuron=draw(neurons(count, width)),
    )


@st.composite
def networks(draw, max_layers: int = 3, max_size: int = 14) -> NetworkSpec:
    sizes = draw(st.lists(st.integers(1, max_size), min_size=2, max_size=max_layers + 1))
    return NetworkSpec(
        input_shape=(sizes[0],),
        timesteps=draw(st.integers(1, 6)),
        layers=tuple(
            draw(layers(f"fc{n}", fan_in, count))
            for n, (fan_in, count) in enumerate(itertools.pairwise(sizes), start=1)
        ),
    )


@st.composite
def foldings(draw, spec: NetworkSpec) -> Folding:
    return Folding(layers=tuple(
        (layer.name, LayerFolding(lanes=draw(st.none() | st.integers(1, layer.neurons)),
                                  queue=draw(st.sampled_from((2, 4, 16)))))
        for layer in spec.layers
    ))


@st.composite
def spike_trains(draw, spec: NetworkSpec, samples: int) -> np.ndarray:
    """bool (samples, spec.timesteps, inputs), from silent to full, each timestep on its own."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    density = rng.choice([0.0, 0.05, 0.3, 0.7, 1.0], (samples, spec.timesteps, 1))
    return rng.random((samples, spec.timesteps, spec.inputs)) < density
