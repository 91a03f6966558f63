"""From a net of torch to a :class:`~spikewright.gen.spec.NetworkSpec`.

::

    from spikewright.model import compile

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

    from .exchange.float_layer import FloatLayer
    from .exchange.tracing import Runner
    from .quantisation.rounding import Quantised


#: Fields of :class:`.quantisation.settings.Quantisation` that say how floats become integers.
OPTIONS = ("bits", "decay", "decay_fraction", "membrane_bits", "per", "percentile", "rounding",
           "scale", "weight_shift")


def compile(
    net: "nn.Module | Sequence[FloatLayer]",
    input_shape: int | Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: "Sequence[float | npt.NDArray] | None" = None,
    input: Input | None = None,
    readout: Readout | None = None,
    run: "Runner | None" = None,
    **options: Any,
) -> NetworkSpec:
    """``net`` in integers.

    Parameters
    ----------
    net
        A trained module of Linear, Conv2d, BatchNorm, AvgPool2d, MaxPool2d, Flatten, Dropout and
        snn.Leaky, Lapicque, Synaptic, RLeaky and RSynaptic: an ``nn.Sequential``, or any other,
        whose forward pass is traced (:mod:`.exchange.tracing`). Or a
        :class:`~spikewright.model.quantisation.net.QuantizedNet`, which is taken as it stands; or
        layers in real numbers, such as those of a NIR file (:mod:`.exchange.nir_import`).
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
    run
        ``run(net, x)`` runs a net whose input is laid out in its own way on x (timesteps, batch,
        *input_shape), to be traced.
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
                        readout=readout, run=run, **options).spec
    fixed = {"steps": steps, "input": input, "readout": readout, "run": run}
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
    net: "nn.Module | Sequence[FloatLayer]",
    input_shape: int | Sequence[int],
    timesteps: int,
    *,
    name: str = "snn",
    steps: "Sequence[float | npt.NDArray] | None" = None,
    input: Input | None = None,
    readout: Readout | None = None,
    run: "Runner | None" = None,
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
    layers = (
        net if isinstance(net, Sequence) else
        float_layers(net, _shape(input_shape), timesteps=timesteps, run=run)
    )
    return post_training(
        layers, checked(Quantisation, options, "compile"), input_shape=_shape(input_shape),
        timesteps=timesteps, name=name, steps=steps,
        input=input or Input(), readout=readout or Readout(),
    )


def _shape(given: int | Sequence[int]) -> tuple[int, ...]:
    return (given,) if isinstance(given, int) else tuple(given)
