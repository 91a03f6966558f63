"""How much memory a network takes, whatever hardware it is folded onto."""

import numpy as np

from ...gen.arithmetic import signed_bits
from ...gen.bounds import MembraneBounds
from ...gen.layers import Layer
from ...gen.rtl.neurons import needs_flag
from ...gen.spec import Linear, NetworkSpec


def stored_bits(spec: NetworkSpec) -> tuple[int, ...]:
    """Bits that each layer must keep: its weights; of every neuron the state from one timestep to
    the next; and parameters that differ from neuron to neuron. Sums of the timestep under way and
    queues, which depend on the folding, come on top."""
    return tuple(layer_bits(layer, bounds)
                 for layer, bounds in zip(spec.layers, spec.bounds, strict=True))


def layer_bits(layer: Layer, bounds: MembraneBounds) -> int:
    """As :func:`stored_bits`, of one layer."""
    return _weights(layer) + layer.neurons * (_state(layer, bounds) + _parameters(layer))


def _weights(layer: Layer) -> int:
    own = 0
    if isinstance(layer.recurrent, Linear):
        own = layer.recurrent.weight.size * layer.recurrent.weight_bits
    return layer.synapse.weight.size * layer.synapse.weight_bits + own


def _state(layer: Layer, bounds: MembraneBounds) -> int:
    return bounds.accumulator_bits + bounds.current_bits + needs_flag(layer.neuron)


def _parameters(layer: Layer) -> int:
    values = [getattr(layer.neuron, name) for name in layer.neuron.PER_NEURON]
    if layer.recurrent is not None and not isinstance(layer.recurrent, Linear):
        values.append(layer.recurrent.weight)
    return sum(signed_bits(int(value.min()), int(value.max()))
               for value in values if isinstance(value, np.ndarray))
