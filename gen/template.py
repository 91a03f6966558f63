"""The network that stands for all its trainings."""

from dataclasses import replace

import numpy as np

from .layers import Layer
from .spec import NetworkSpec
from .synapses import Conv2d, Linear, OneToOne
from .validation import PerNeuron


def template(spec: NetworkSpec) -> NetworkSpec:
    """``spec`` without what training changes: all weights are 1, and so are thresholds, biases and
    one-to-one weights that all neurons share. Where neurons, or the channels of a convolution,
    differ, the first one has 1, the others 2. Decays, shapes and widths of weights stay.

    Whatever is computed of it, and of :func:`~.widths.spare_widths`, is the same for every
    training.
    """
    return replace(spec, layers=tuple(map(_layer, spec.layers)))


def _layer(layer: Layer) -> Layer:
    neuron, synapse, recurrent = layer.neuron, layer.synapse, layer.recurrent
    if isinstance(recurrent, Linear):
        recurrent = replace(recurrent, weight=np.ones_like(recurrent.weight))
    elif isinstance(recurrent, OneToOne):
        recurrent = OneToOne(_values(recurrent.weight, layer))
    return replace(
        layer, synapse=replace(synapse, weight=np.ones_like(synapse.weight)), recurrent=recurrent,
        neuron=replace(
            neuron, bias=_values(neuron.bias, layer),
            threshold=None if neuron.threshold is None else _values(neuron.threshold, layer)))


def _values(value: PerNeuron, layer: Layer) -> PerNeuron:
    if not isinstance(value, np.ndarray):
        return int(value != 0)
    like = np.full(layer.neurons, 2)
    channel = 1
    if isinstance(layer.synapse, Conv2d):
        size = layer.neurons // len(layer.synapse.weight)
        of_channels = value.reshape(-1, size)
        channel = size if (of_channels == of_channels[:, :1]).all() else 1
    like[:channel] = 1
    return like
