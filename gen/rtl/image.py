"""What a network loads: the bytes of :class:`~.loading.LoadSignature`."""

from collections.abc import Sequence

from ..convolution import Conv2dPlan
from ..folding import Storage
from ..linear import LinearPlan
from ..plan import LayerPlan
from .parameters import parameter_image
from .weights import load_image


def network_image(plans: Sequence[LayerPlan], trained: Sequence[LayerPlan] | None = None) -> bytes:
    """What fills the memories of a network of ``plans`` so that it computes ``trained``, another
    training of the same shape (:mod:`~spikewright.gen.training`); by default what they hold as
    built.

    Layer by layer what of it can be loaded: weights, slice by slice and way by way, then the
    neurons' parameters, slice by slice.
    """
    parts = []
    for built, other in zip(plans, plans if trained is None else trained, strict=True):
        slices = list(zip(built.slices, other.slices, strict=True))
        if built.synapses.storage is not Storage.FIXED:
            parts += [_weights(part.synapses, own.synapses) for part, own in slices]
        if built.loads_parameters:
            parts += [parameter_image(part, own) for part, own in slices]
    return b"".join(parts)


def _weights(built: LinearPlan | Conv2dPlan, trained: LinearPlan | Conv2dPlan) -> bytes:
    if isinstance(trained, Conv2dPlan):
        return load_image(list(trained.weights()), built.weight_bits)
    return b"".join(load_image(trained.weight_words(way), built.weight_bits)
                    for way in range(trained.ways))
