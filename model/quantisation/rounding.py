"""From real numbers to the integers of the contract.

Per layer, one weight step Δ is chosen, and the membrane step is ``Δ/2ᶠ`` (f = ``weight_shift``)::

    w → clamp(round(w/Δ))     θ → round(θ·2ᶠ/Δ)     b → round(b·2ᶠ/Δ)     decay → round(decay·2ⁿ)

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

from ...gen.errors import SpecError
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
from .settings import Quantisation

#: Inputs that are spikes.
EVENTS = Input()

#: Shares of the largest weight that are tried as the largest integer.
_CLIPS = np.linspace(0.2, 1.0, 81)


@dataclass(frozen=True)
class Quantised:
    """A network in integers, beside the floats it came from.

    ``steps`` holds Δ of every layer.
    """

    spec: NetworkSpec
    floats: tuple[FloatLayer, ...]
    steps: tuple[float, ...]

    def trainable(self) -> QuantizedNet:
        """The network as a torch module whose weights are the floats, still unrounded."""
        net = QuantizedNet(self.spec, [layer.spike_grad for layer in self.floats], self.steps)
        with torch.no_grad():
            for layer, floats, step in zip(net.layers, self.floats, self.steps, strict=True):
                assert isinstance(layer, QuantizedLayer)
                layer.weight.copy_(torch.from_numpy(floats.weight * (layer.parameter_step / step)))
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
    steps: Sequence[float] | None = None,
    input: Input = EVENTS,
    readout: Readout = SPIKE_COUNT,
) -> Quantised:
    """Every layer of ``floats`` in integers. ``steps`` fixes Δ of each layer in place of a search.

    A last layer without reset under a membrane readout becomes an LI layer, whose threshold nothing
    asks for.

    Raises
    ------
    SpecError
        Naming the layer, if the contract cannot represent it.
    """
    if steps is None:
        steps = [weight_step(layer.weight, options) for layer in floats]
    if len(steps) != len(floats) or not all(np.isfinite(s) and s > 0 for s in steps):
        raise SpecError(f"steps are {list(steps)}; one number above 0 for each of the "
                        f"{len(floats)} layers is needed")
    layers = [_layer(layer, step, options) for layer, step in zip(floats, steps, strict=True)]
    last = layers[-1]
    if readout.kind is ReadoutKind.MEMBRANE and last.neuron.reset is Reset.NONE:
        if last.recurrent is not None:
            raise SpecError(f"layer {last.name}: a neuron without reset that is read by its "
                            f"membrane never fires, so its recurrence carries nothing; use "
                            f"snn.Leaky or snn.Synaptic")
        layers[-1] = replace(last, neuron=replace(last.neuron, threshold=None))
    spec = NetworkSpec(
        input_shape=input_shape, timesteps=timesteps, name=name, layers=tuple(layers),
        input=input, readout=readout,
    )
    return Quantised(spec, tuple(floats), tuple(steps))


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


def weight_step(weight: npt.NDArray[np.float64], options: Quantisation) -> float:
    """Δ for ``weight``; 1 if every weight is 0."""
    magnitude = np.abs(weight)
    largest = float(magnitude.max())
    if largest == 0:
        return 1.0
    top = (1 << (options.bits - 1)) - 1
    if options.scale == "percentile":
        return (float(np.percentile(magnitude, options.percentile)) or largest) / top
    candidates = largest * _CLIPS / top
    errors = [np.square(_integers(weight, step, options.bits) * step - weight).sum()
              for step in candidates]
    return float(candidates[int(np.argmin(errors))])


def _integers(values: npt.NDArray[np.float64], step: float, bits: int) -> npt.NDArray[np.float64]:
    limit = 1 << (bits - 1)
    return np.clip(np.rint(values / step), -limit, limit - 1)


def _layer(layer: FloatLayer, step: float, options: Quantisation) -> Layer:
    lsb = step / (1 << options.weight_shift)
    threshold = np.rint(layer.threshold / lsb)
    if threshold.min() < 1:
        raise SpecError(
            f"layer {layer.name}: threshold {layer.threshold.min():g} is less than half a membrane "
            f"step of {lsb:g}; raise weight_shift (now {options.weight_shift}) or bits (now "
            f"{options.bits})"
        )
    try:
        return Layer(
            name=layer.name,
            synapse=_synapse(layer, step, options),
            neuron=Neuron(
                decay=_fixed_point(layer.decay, options),
                decay_fraction=options.decay_fraction,
                threshold=threshold,  # type: ignore[arg-type]
                bias=np.rint(layer.bias / lsb),  # type: ignore[arg-type]
                reset=layer.reset,
                reset_delay=layer.reset_delay,
                rounding=options.rounding,
                membrane_bits=options.membrane_bits,
                **({} if layer.synapse_decay is None else {
                    "synapse_decay": _fixed_point(layer.synapse_decay, options),
                    "synapse_decay_fraction": options.decay_fraction,
                }),
            ),
            pool=layer.pool,
            recurrent=_recurrent(layer, lsb, options),
        )
    except SpecError as error:
        raise SpecError(f"layer {layer.name}: {error}") from error


def _fixed_point(decay: npt.NDArray[np.float64], options: Quantisation) -> Any:
    return np.rint(decay * (1 << options.decay_fraction))


def _synapse(layer: FloatLayer, step: float, options: Quantisation) -> Linear | Conv2d:
    common: Any = {
        "weight": _integers(layer.weight, step, options.bits).astype(np.int64),
        "weight_bits": options.bits,
        "weight_shift": options.weight_shift,
    }
    if layer.geometry is None:
        return Linear(**common)
    return Conv2d(**common, **vars(layer.geometry))


def _recurrent(layer: FloatLayer, lsb: float, options: Quantisation) -> Linear | OneToOne | None:
    if layer.recurrent is None:
        return None
    if layer.recurrent.ndim == 1:
        return OneToOne(weight=np.rint(layer.recurrent / lsb))  # type: ignore[arg-type]
    errors = [
        np.square(_integers(layer.recurrent, lsb * 2**shift, options.bits) * lsb * 2**shift
                  - layer.recurrent).sum()
        for shift in WEIGHT_SHIFTS
    ]
    shift = WEIGHT_SHIFTS[int(np.argmin(errors))]
    return Linear(
        weight=_integers(layer.recurrent, lsb * 2**shift, options.bits).astype(np.int64),
        weight_bits=options.bits, weight_shift=shift,
    )


def report(quantised: Quantised, spec: NetworkSpec) -> dict[str, Any]:
    """What quantisation did, JSON-ready: per layer, and ``warnings`` in words.

    ``spec`` is the network that resulted: ``quantised.spec``, or what training made of it.
    ``weight_error`` is the root mean square of integer × Δ − float over that of float.
    """
    layers, warnings = [], []
    for layer, floats, step, bounds in zip(
        spec.layers, quantised.floats, quantised.steps, spec.bounds, strict=True
    ):
        synapse, neuron = layer.synapse, layer.neuron
        lsb = step / (1 << synapse.weight_shift)
        limit = 1 << (synapse.weight_bits - 1)
        size = float(np.sqrt(np.square(floats.weight).mean()))
        error = float(np.sqrt(np.square(synapse.weight * step - floats.weight).mean()))
        decay = np.asarray(neuron.decay) / (1 << neuron.decay_fraction)
        layers.append({
            "layer": layer.name,
            "neurons": layer.neurons,
            "fan_in": synapse.weight[0].size,
            "weight_step": step,
            "membrane_step": lsb,
            "weight_bits": synapse.weight_bits,
            "sparsity": float((synapse.weight == 0).mean()),
            "clipped": float((np.abs(floats.weight / step) > limit - 0.5).mean()),
            "weight_error": error / size if size else 0.0,
            "threshold": None if neuron.threshold is None else _ends(neuron.threshold),
            "decay": _ends(decay),
            "decay_wanted": _ends(floats.decay),
            "bias": _ends(neuron.bias),
            "reset": neuron.reset.value,
            "reset_delay": neuron.reset_delay,
            "membrane_bits": bounds.membrane_bits,
            "accumulator_bits": bounds.accumulator_bits,
        })
        if neuron.threshold is not None and bounds.membrane[1] <= np.min(neuron.threshold):
            warnings.append(
                f"layer {layer.name} can never fire: its membranes reach {bounds.membrane[1]} at "
                f"most, its lowest threshold is {np.min(neuron.threshold)}; train it with larger "
                f"weights or a lower threshold"
            )
        if not synapse.weight.any():
            warnings.append(f"layer {layer.name}: every weight became 0; raise bits")
        if (np.asarray(neuron.decay) == 0).any() and (floats.decay != 0).any():
            warnings.append(f"layer {layer.name}: a decay became 0; raise decay_fraction")
    return {"layers": layers, "warnings": warnings}


def _ends(value: npt.ArrayLike) -> Any:
    """One number where all are the same, else the least and the largest."""
    low, high = np.min(value).item(), np.max(value).item()
    return low if low == high else [low, high]
