"""From real numbers to the integers of the contract.

Per layer, one weight step Δ is chosen, and the membrane step is ``Δ/2ᶠ`` (f = ``weight_shift``)::

    w → clamp(round(w/Δ))     θ → round(θ·2ᶠ/Δ)     b → round(b·2ᶠ/Δ)     decay → round(decay·2ⁿ)

With ``per="channel"``, every neuron, of a convolution every output channel, has a Δ of its own.
That takes no multiplication anywhere: a neuron's equations hold in any unit, so its weights,
threshold, bias and membrane are all counted in its own steps, and its spikes are the same. Only
membranes that a readout compares with one another need one step for all of them, which the last
layer of a membrane readout therefore keeps. Thresholds and biases then differ from neuron to
neuron, and stand in a small memory. A Δ is at least 1/16 of the layer's largest, so that neurons
with next to no weights do not widen the membrane words of all.

With ``decay="power-of-two"``, a decay becomes the nearest of ±2ᵏ and ±(1 − 2⁻ᵏ): shifts and at most
one subtraction in place of a multiplication.

A current's decay becomes an integer as a membrane's does; a weight from a neuron to itself is
rounded to membrane steps as a bias is. All-to-all recurrent weights have their own step, the
membrane step times that power of two which leaves the least squared error.

Δ is the one with the least squared weight error (``scale="mse"``), or the one that maps a
percentile of |w| to the largest integer (``scale="percentile"``). Quantisation-aware training
keeps Δ, θ and decay, and goes on training weights and biases through the integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...gen.errors import RecipeError, SpecError
from ...gen.spec import (
    Conv2d,
    Input,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
)
from ...gen.synapses import WEIGHT_SHIFTS
from ..exchange.float_layer import FloatLayer
from ..readouts import SPIKE_COUNT
from .layer import QuantizedLayer
from .net import QuantizedNet
from .settings import Quantisation, each_layer
from .steps import Steps, given_steps, integers, weight_steps

#: Inputs that are spikes.
EVENTS = Input()


@dataclass(frozen=True)
class Quantised:
    """A network in integers, beside the floats it came from.

    ``steps`` holds Δ of every layer: (1,), or one of each output channel.
    """

    spec: NetworkSpec
    floats: tuple[FloatLayer, ...]
    steps: tuple[Steps, ...]

    def trainable(self) -> QuantizedNet:
        """The network as a torch module whose weights are the floats, still unrounded."""
        net = QuantizedNet(self.spec, [layer.spike_grad for layer in self.floats], self.steps)
        with torch.no_grad():
            for layer, floats in zip(net.layers, self.floats, strict=True):
                assert isinstance(layer, QuantizedLayer)
                layer.weight.copy_(torch.from_numpy(floats.weight * layer.summed))
                layer.bias.copy_(torch.from_numpy(floats.bias[:: layer.sharing]))
                if layer.recurrent is not None and floats.recurrent is not None:
                    layer.recurrent.copy_(torch.from_numpy(floats.recurrent))
        return net


def post_training(
    floats: Sequence[FloatLayer],
    options: Quantisation,
    *,
    input_shape: tuple[int, ...],
    timesteps: int,
    name: str = "snn",
    steps: Sequence[float | Steps] | None = None,
    input: Input = EVENTS,
    readout: Readout = SPIKE_COUNT,
) -> Quantised:
    """Every layer of ``floats`` in integers. ``steps`` fixes Δ of each layer, or of each of its
    output channels, in place of a search.

    A last layer without reset under a membrane readout becomes an LI layer, whose threshold nothing
    asks for.

    Raises
    ------
    RecipeError
        If ``options`` do not have bits for each of these layers.
    SpecError
        Naming the layer, if the contract cannot represent it.
    """
    names = [layer.name for layer in floats]
    compared = readout.kind is ReadoutKind.MEMBRANE
    choices = []
    for n, (bits, width) in enumerate(zip(
        each_layer("bits", options.bits, names),
        each_layer("membrane_bits", options.membrane_bits, names), strict=True,
    )):
        if bits is None:
            raise RecipeError(f"bits has no number for layer {names[n]}; name every layer, or "
                              f"give one number for all")
        choices.append(_Options(options, bits, width))
    if steps is None:
        found = [
            weight_steps(layer.weight, chosen.bits, options, common=compared and n == len(floats))
            for n, (layer, chosen) in enumerate(zip(floats, choices, strict=True), 1)
        ]
    else:
        found = given_steps(steps, floats, compared=compared)
    layers = [_layer(layer, step, chosen)
              for layer, step, chosen in zip(floats, found, choices, strict=True)]
    last = layers[-1]
    if compared and last.neuron.reset is Reset.NONE:
        if last.recurrent is not None:
            raise SpecError(f"layer {last.name}: a neuron without reset that is read by its "
                            f"membrane never fires, so its recurrence carries nothing; use "
                            f"snn.Leaky or snn.Synaptic")
        layers[-1] = replace(last, neuron=replace(last.neuron, threshold=None))
    spec = NetworkSpec(
        input_shape=input_shape, timesteps=timesteps, name=name, layers=tuple(layers),
        input=input, readout=readout,
    )
    return Quantised(spec, tuple(floats), tuple(found))


def outline(
    floats: Sequence[FloatLayer],
    *,
    input_shape: tuple[int, ...],
    timesteps: int,
    input: Input = EVENTS,
    readout: Readout = SPIKE_COUNT,
) -> NetworkSpec:
    """What hardware for ``floats`` is like whatever they will be trained to: every weight and bias
    is 0. Its timing is that of the network that results."""
    empty = [
        replace(layer, weight=0 * layer.weight, bias=0 * layer.bias,
                recurrent=None if layer.recurrent is None else 0 * layer.recurrent)
        for layer in floats
    ]
    return post_training(empty, Quantisation(weight_shift=16), input_shape=input_shape,
                         timesteps=timesteps, input=input, readout=readout).spec


@dataclass(frozen=True)
class _Options:
    """The options of one layer."""

    shared: Quantisation
    bits: int
    membrane_bits: int | None


def _layer(layer: FloatLayer, step: Steps, options: _Options) -> Layer:
    shared = options.shared
    lsb = np.repeat(step, len(layer.threshold) // len(step)) / (1 << shared.weight_shift)
    threshold = np.rint(layer.threshold / lsb)
    if threshold.min() < 1:
        worst = int(np.argmin(threshold))
        raise SpecError(
            f"layer {layer.name}: threshold {layer.threshold[worst]:g} is less than half a "
            f"membrane step of {lsb[worst]:g}; raise weight_shift (now {shared.weight_shift}) or "
            f"bits (now {options.bits})"
        )
    try:
        return Layer(
            name=layer.name,
            synapse=_synapse(layer, step, options),
            neuron=Neuron(
                decay=_fixed_point(layer.decay, shared),
                decay_fraction=shared.decay_fraction,
                threshold=threshold,  # type: ignore[arg-type]
                bias=np.rint(layer.bias / lsb),  # type: ignore[arg-type]
                reset=layer.reset,
                reset_delay=layer.reset_delay,
                rounding=shared.rounding,
                membrane_bits=options.membrane_bits,
                **({} if layer.synapse_decay is None else {
                    "synapse_decay": _fixed_point(layer.synapse_decay, shared),
                    "synapse_decay_fraction": shared.decay_fraction,
                }),
            ),
            pool=layer.pool,
            recurrent=_recurrent(layer, lsb, options),
        )
    except SpecError as error:
        raise SpecError(f"layer {layer.name}: {error}") from error


def _fixed_point(decay: npt.NDArray[np.float64], options: Quantisation) -> Any:
    fraction = options.decay_fraction
    wanted = decay * (1 << fraction)
    if options.decay == "fixed-point":
        return np.rint(wanted)
    one = 1 << fraction
    shifts = [1 << k for k in range(fraction + 3)]
    magnitudes = np.unique([0, *shifts, *(one - shift for shift in shifts if shift < one)])
    allowed = np.concatenate([-magnitudes[:0:-1], magnitudes])
    return allowed[np.abs(wanted[:, np.newaxis] - allowed).argmin(1)]


def _synapse(layer: FloatLayer, step: Steps, options: _Options) -> Linear | Conv2d:
    each = step.reshape(-1, *[1] * (layer.weight.ndim - 1))
    common: Any = {
        "weight": integers(layer.weight, each, options.bits).astype(np.int64),
        "weight_bits": options.bits,
        "weight_shift": options.shared.weight_shift,
    }
    if layer.geometry is None:
        return Linear(**common)
    return Conv2d(**common, **vars(layer.geometry))


def _recurrent(layer: FloatLayer, lsb: Steps, options: _Options) -> Linear | OneToOne | None:
    if layer.recurrent is None:
        return None
    if layer.recurrent.ndim == 1:
        return OneToOne(weight=np.rint(layer.recurrent / lsb))  # type: ignore[arg-type]
    unit = lsb[:, np.newaxis]
    errors = [
        np.square(integers(layer.recurrent, unit * 2**shift, options.bits) * unit * 2**shift
                  - layer.recurrent).sum()
        for shift in WEIGHT_SHIFTS
    ]
    shift = WEIGHT_SHIFTS[int(np.argmin(errors))]
    return Linear(
        weight=integers(layer.recurrent, unit * 2**shift, options.bits).astype(np.int64),
        weight_bits=options.bits, weight_shift=shift,
    )
