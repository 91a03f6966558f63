"""From an snnTorch net to a :class:`~spikewright.gen.spec.NetworkSpec`.

::

    from spikewright.model import compile

    net = nn.Sequential(nn.Flatten(), nn.Linear(200, 64), snn.Leaky(beta=0.9, init_hidden=True),
                        nn.Linear(64, 10), snn.Leaky(beta=0.9, init_hidden=True))
    spec = compile(net, input_shape=(2, 10, 10), timesteps=12, bits=4)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..gen.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

    from .quantisation import Quantised


def compile(
    net: "nn.Module",
    input_shape: Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: Sequence[float] | None = None,
    **options: Any,
) -> NetworkSpec:
    """``net`` in integers, quantised after training.

    Parameters
    ----------
    net
        An ``nn.Sequential`` of Flatten, Dropout, Identity, Linear, snn.Leaky and snn.Lapicque, or
        a :class:`~spikewright.model.quantised.QuantizedNet`, which is taken as it stands.
    input_shape
        Of one timestep of spikes, such as (polarity, y, x).
    timesteps
        Most timesteps of an inference.
    steps
        Float value of one weight step of each layer; searched for if not given.
    options
        Fields of :class:`spikewright.model.recipe.Quantisation`: ``bits``, ``weight_shift``,
        ``decay_fraction``, ``rounding``, ``membrane_bits``, ``scale``, ``percentile``.

    Raises
    ------
    UnsupportedModuleError, SpecError
        Naming the module or layer, and the remedy.
    RecipeError
        If an option is unknown or out of range.
    """
    from .quantised import QuantizedNet

    if isinstance(net, QuantizedNet):
        return net.spec()
    return quantise(net, input_shape, timesteps, name=name, steps=steps, **options).spec


def quantise(
    net: "nn.Module",
    input_shape: Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: Sequence[float] | None = None,
    **options: Any,
) -> "Quantised":
    """As :func:`compile`, with all that :func:`spikewright.model.quantisation.report` and
    quantisation-aware training need beside the spec."""
    from pydantic import ValidationError

    from ..gen.errors import RecipeError
    from .dynamics import float_layers
    from .quantisation import post_training
    from .recipe import Quantisation, one_line

    try:
        chosen = Quantisation(**{"method": "ptq", **options})
    except ValidationError as error:
        raise RecipeError(f"compile: {one_line(error)}") from error
    return post_training(
        float_layers(net), chosen, input_shape=tuple(input_shape), timesteps=timesteps, name=name,
        steps=steps,
    )
