"""From an snnTorch net to a :class:`~spikewright.gen.spec.NetworkSpec`.

::

    from spikewright.model import compile

    net = nn.Sequential(nn.Flatten(), nn.Linear(200, 64), snn.Leaky(beta=0.9, init_hidden=True),
                        nn.Linear(64, 10), snn.Leaky(beta=0.9, init_hidden=True))
    spec = compile(net, input_shape=(2, 10, 10), timesteps=12, bits=4)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..gen.errors import RecipeError, SpecError
from ..gen.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

    from .quantisation import Quantised


#: Fields of :class:`spikewright.model.recipe.Quantisation` that say how floats become integers.
OPTIONS = ("bits", "decay_fraction", "membrane_bits", "percentile", "rounding", "scale",
           "weight_shift")


def compile(
    net: "nn.Module",
    input_shape: int | Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: Sequence[float] | None = None,
    **options: Any,
) -> NetworkSpec:
    """``net`` in integers.

    Parameters
    ----------
    net
        A trained ``nn.Sequential`` of Flatten, Dropout, Identity, Linear, snn.Leaky and
        snn.Lapicque, or a :class:`~spikewright.model.quantised.QuantizedNet`, which is taken as it
        stands.
    input_shape
        Of one timestep of spikes, such as (polarity, y, x).
    timesteps
        Most timesteps of an inference.
    steps
        Real value of one weight step of each layer; searched for if not given.
    options
        Of :data:`OPTIONS`; :class:`spikewright.model.recipe.Quantisation` explains them.

    Raises
    ------
    UnsupportedModuleError, SpecError
        Naming the module or layer, and the remedy.
    RecipeError
        If an option is unknown or out of range.
    """
    from .quantised import QuantizedNet

    if not isinstance(net, QuantizedNet):
        return quantise(net, input_shape, timesteps, name=name, steps=steps, **options).spec
    if options or steps:
        raise RecipeError(f"a QuantizedNet is quantised already; drop "
                          f"{', '.join([*options, *(['steps'] if steps else [])])}")
    spec = net.spec()
    if (spec.input_shape, spec.timesteps) != (_shape(input_shape), timesteps):
        raise SpecError(
            f"the QuantizedNet has inputs {spec.input_shape} and {spec.timesteps} timesteps; "
            f"asked for were {_shape(input_shape)} and {timesteps}"
        )
    return spec


def quantise(
    net: "nn.Module",
    input_shape: int | Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: Sequence[float] | None = None,
    **options: Any,
) -> "Quantised":
    """As :func:`compile`, with all that :func:`spikewright.model.quantisation.report` and
    quantisation-aware training need beside the spec::

        module = quantise(net, (2, 10, 10), 12, bits=4).trainable()
        ...  # train it, like any module: spikes (timesteps, batch, inputs) in, spikes out
        spec = compile(module, (2, 10, 10), 12)
    """
    from .dynamics import float_layers
    from .quantisation import post_training
    from .recipe import Quantisation, checked

    for option in options:
        if option not in OPTIONS:
            raise RecipeError(f"compile has no option {option}; allowed are {', '.join(OPTIONS)}")
    return post_training(
        float_layers(net), checked(Quantisation, options, "compile"),
        input_shape=_shape(input_shape), timesteps=timesteps, name=name, steps=steps,
    )


def _shape(given: int | Sequence[int]) -> tuple[int, ...]:
    return (given,) if isinstance(given, int) else tuple(given)
