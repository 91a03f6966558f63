"""From an snnTorch net to a :class:`~spikewright.gen.spec.NetworkSpec`.

::

    from . import compile

    net = nn.Sequential(nn.Flatten(), nn.Linear(200, 64), snn.Leaky(beta=0.9, init_hidden=True),
                        nn.Linear(64, 10), snn.Leaky(beta=0.9, init_hidden=True))
    spec = compile(net, input_shape=(2, 10, 10), timesteps=12, bits=4)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..gen.errors import RecipeError, SpecError
from ..gen.spec import Input, NetworkSpec, Readout

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from .quantisation.rounding import Quantised


#: Fields of :class:`.quantisation.settings.Quantisation` that say how floats become integers.
OPTIONS = ("bits", "decay", "decay_fraction", "membrane_bits", "per", "percentile", "rounding",
           "scale", "weight_shift")


def compile(
    net: "nn.Module",
    input_shape: int | Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: "Sequence[float | npt.NDArray] | None" = None,
    input: Input | None = None,
    readout: Readout | None = None,
    **options: Any,
) -> NetworkSpec:
    """``net`` in integers.

    Parameters
    ----------
    net
        A trained ``nn.Sequential`` of Linear, Conv2d, AvgPool2d, MaxPool2d, Flatten, Dropout,
        Identity and snn.Leaky, Lapicque, Synaptic, RLeaky and RSynaptic, or a
        :class:`~spikewright.model.quantisation.net.QuantizedNet`, which is taken as it stands.
    input_shape
        Of one timestep of inputs, such as (polarity, y, x).
    timesteps
        Most timesteps of an inference.
    steps
        Real value of one weight step of each layer, or of each of its output channels; searched
        for if not given.
    input, readout
        How samples enter and what decides; spikes and their counts if not given. Under a membrane
        readout, a last neuron with ``reset_mechanism="none"`` only integrates.
    options
        Of :data:`OPTIONS`; :class:`.quantisation.settings.Quantisation` explains them.

    Raises
    ------
    UnsupportedModuleError, SpecError
        Naming the module or layer, and the remedy.
    RecipeError
        If an option is unknown or out of range.
    """
    from .quantisation.net import QuantizedNet

    if not isinstance(net, QuantizedNet):
        return quantise(net, input_shape, timesteps, name=name, steps=steps, input=input,
                        readout=readout, **options).spec
    fixed = {"steps": steps, "input": input, "readout": readout}
    given = [*options, *(key for key, value in fixed.items() if value is not None)]
    if given:
        raise RecipeError(f"a QuantizedNet is quantised already; drop {', '.join(given)}")
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
    steps: "Sequence[float | npt.NDArray] | None" = None,
    input: Input | None = None,
    readout: Readout | None = None,
    **options: Any,
) -> "Quantised":
    """As :func:`compile`, with all that :func:`spikewright.model.quantisation.report.report` and
    quantisation-aware training need beside the spec::

        module = quantise(net, (2, 10, 10), 12, bits=4).trainable()
        ...  # train it, like any module: spikes (timesteps, batch, inputs) in, spikes out
        spec = compile(module, (2, 10, 10), 12)
    """
    from .exchange.dynamics import float_layers
    from .fields import checked
    from .quantisation.rounding import post_training
    from .quantisation.settings import Quantisation

    for option in options:
        if option not in OPTIONS:
            raise RecipeError(f"compile has no option {option}; allowed are {', '.join(OPTIONS)}")
    return post_training(
        float_layers(net, _shape(input_shape)), checked(Quantisation, options, "compile"),
        input_shape=_shape(input_shape), timesteps=timesteps, name=name, steps=steps,
        input=input or Input(), readout=readout or Readout(),
    )


def _shape(given: int | Sequence[int]) -> tuple[int, ...]:
    return (given,) if isinstance(given, int) else tuple(given)
