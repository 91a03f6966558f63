"""Other trainings of any network."""

from dataclasses import replace

import numpy as np

from spikewright.gen import Conv2d, Folding, Layer, Linear, NetworkSpec, OneToOne
from spikewright.gen.errors import ShapeError, SpecError
from spikewright.gen.folding import Loadable
from spikewright.gen.training import training_image


def loadable(folding: Folding, spec: NetworkSpec, what: Loadable = Loadable.ALL) -> Folding:
    """``folding`` with all layers loadable."""
    return Folding.each(*(what.of(each) for each in folding.of(spec)), spec=spec)


def retrained(spec: NetworkSpec, seed: int) -> NetworkSpec:
    """Another training of ``spec``: what each neuron has is dealt out anew, and its parameters are
    other ones."""
    rng = np.random.default_rng(seed)
    return replace(spec, name="retrained",
                   layers=tuple(_retrained(layer, rng) for layer in spec.layers))


def _retrained(layer: Layer, rng: np.random.Generator) -> Layer:
    def dealt(synapse: Linear | Conv2d) -> Linear | Conv2d:
        rows = synapse.weight.reshape(len(synapse.weight), -1)
        other = rng.permuted(rows, axis=1) * (rng.random(rows.shape) < 0.9)
        return replace(synapse, weight=other.reshape(synapse.weight.shape))

    def toward_zero(value, least=None):
        if value is None:
            return None
        size = np.size(value) if np.ndim(value) else 1
        moved = np.trunc(np.asarray(value) * rng.uniform(0.7, 1, size)).astype(int)
        moved = moved if least is None else np.maximum(moved, least)
        return moved if np.ndim(value) else int(moved[0])

    neuron, own = layer.neuron, layer.recurrent
    if isinstance(own, Linear):
        own = dealt(own)
    elif isinstance(own, OneToOne):
        own = OneToOne(weight=toward_zero(own.weight))
    return replace(layer, synapse=dealt(layer.synapse), recurrent=own, neuron=replace(
        neuron, decay=toward_zero(neuron.decay), bias=toward_zero(neuron.bias),
        threshold=toward_zero(neuron.threshold, 1),
        synapse_decay=toward_zero(neuron.synapse_decay)))


def another(spec: NetworkSpec, folding: Folding, seed: int = 0, tries: int = 20) -> NetworkSpec:
    """A training that fits into the hardware of ``spec``.

    Raises
    ------
    ShapeError
        If none of so many does.
    """
    for number in range(tries):
        try:
            other = retrained(spec, seed + 100 * number)
            training_image(spec, folding, other)
            return other
        except (ShapeError, SpecError) as error:
            refused = error
    raise ShapeError(f"none of {tries} trainings fits: {refused}")
