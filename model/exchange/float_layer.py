"""A synapse and its neuron, as numbers: the equations of :mod:`spikewright.gen.spec`, not rounded.

Read from snnTorch 1.0.0's source: Leaky (``leaky.py``) clamps β to [0, 1], Synaptic
(``synaptic.py``) α too. Lapicque (``lapicque.py``) computes ``(T/C)·I + (1 − T/RC)·m``, so ``T/C``
is folded into weights and bias. A reset to zero makes the membrane 0 in all of them but Leaky,
which keeps the input. RLeaky and RSynaptic (``rleaky.py``, ``rsynaptic.py``) add
``recurrent(spk)`` to the input: a Linear, whose bias is folded into the layer's, or one weight V
for each neuron. Average pooling is a sum, its ``1/(kh·kw)`` folded into the weights behind it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import nn

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import MaxPool2d, Reset, SumPool2d
from ..surrogates import SpikeGrad
from .geometry import Geometry

_Floats = npt.NDArray[np.float64]

_STATE_FUNCTIONS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatLayer:
    """``u = decay·m − r·θ + bias + W·s'`` and so on, in real numbers.

    ``weight`` (neurons, inputs), or (C_out, C/groups, Kh, Kw) where there is a ``geometry``;
    ``bias``, ``decay``, ``threshold`` and ``synapse_decay`` (neurons,); ``recurrent`` (neurons,
    neurons) all to all, or (neurons,) one to one. ``spike_grad`` is the surrogate that the neuron
    was trained with.
    """

    name: str
    weight: _Floats
    bias: _Floats
    decay: _Floats
    threshold: _Floats
    reset: Reset
    reset_delay: bool
    spike_grad: SpikeGrad
    geometry: Geometry | None = None
    pool: SumPool2d | MaxPool2d | None = None
    synapse_decay: _Floats | None = None
    recurrent: _Floats | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Synapse:
    """``W·s + bias`` in real numbers, before its neuron is known.

    ``shown`` is what messages call it, ``weight`` and ``bias`` (output channels or neurons,) as
    those of :class:`FloatLayer`.
    """

    path: str
    shown: str
    weight: _Floats
    bias: _Floats
    geometry: Geometry | None = None

    @classmethod
    def of(cls, path: str, module: Any, geometry: Geometry | None) -> Self:
        """That of a Linear or Conv2d."""
        shown = f"module {path} ({type(module).__name__})"
        weight, bias = (_parameter(shown, module, what) for what in ("weight", "bias"))
        return cls(path=path, shown=shown, weight=weight, bias=bias, geometry=geometry)

    def scaled(self, factor: _Floats | float, shift: _Floats | float = 0.0) -> Self:
        """``factor·(W·s + bias) + shift``, both one number or one per output channel or neuron."""
        outputs = len(self.weight)
        rows = np.broadcast_to(factor, outputs).reshape(-1, *[1] * (self.weight.ndim - 1))
        return replace(self, weight=self.weight * rows, bias=self.bias * factor + shift)

    def pooled(self, pool: SumPool2d | MaxPool2d, divisor: int) -> Self:
        """A convolution and the sum pooling of its sums, divided by ``divisor``, as one: with
        stride s, the kernel of a window is the sum of kernels shifted by multiples of s."""
        geometry = self.geometry
        assert geometry is not None
        (sy, sx), (ph, pw), (kh, kw) = geometry.stride, pool.kernel, self.weight.shape[2:]
        weight = np.zeros((*self.weight.shape[:2], kh + (ph - 1) * sy, kw + (pw - 1) * sx))
        for y in range(ph):
            for x in range(pw):
                weight[:, :, y * sy : y * sy + kh, x * sx : x * sx + kw] += self.weight
        return replace(
            self, weight=weight / divisor, bias=self.bias * (ph * pw / divisor),
            geometry=replace(geometry, stride=(sy * pool.stride[0], sx * pool.stride[1])),
        )

    def per_neuron(self, neurons: int) -> _Floats:
        """The bias of each of so many neurons."""
        return np.repeat(self.bias, neurons // len(self.bias))

    @property
    def name(self) -> str:
        """The layer's name."""
        name = re.sub(r"\W", "_", self.path)
        return name if name.isidentifier() else f"layer{name}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrence:
    """What a layer's own spikes of the timestep before add: ``weight`` as the ``recurrent`` of
    :class:`FloatLayer`, and the ``bias`` (neurons,) that comes with it."""

    weight: _Floats
    bias: _Floats

    @classmethod
    def of(cls, shown: str, module: Any, shape: tuple[int, ...]) -> Self:
        """That of an nn.Linear among neurons of ``shape``."""
        neurons = int(np.prod(shape))
        if type(module) is not nn.Linear:
            raise UnsupportedModuleError(
                f"{shown} has a recurrent {type(module).__name__}, which has no counterpart "
                f"in hardware; use linear_features, or all_to_all=False"
            )
        if module.out_features != neurons or module.in_features != neurons or len(shape) > 1:
            raise SpecError(f"{shown} has linear_features={module.out_features} for neurons "
                            f"of shape {shape}; give linear_features={neurons} behind a Linear, or "
                            f"all_to_all=False behind a Conv2d")
        weight, bias = (_parameter(f"{shown}.recurrent", module, what)
                        for what in ("weight", "bias"))
        return cls(weight=weight, bias=bias)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dynamics:
    """Neurons, before their synapses are known; all arrays (neurons,).

    The synapses' sum is multiplied by ``gain``, then ``bias`` is added; the others are as those of
    :class:`FloatLayer`. ``shown`` is what messages call them.
    """

    shown: str
    decay: _Floats
    threshold: _Floats
    reset: Reset
    reset_delay: bool
    spike_grad: SpikeGrad
    gain: _Floats
    bias: _Floats
    synapse_decay: _Floats | None = None
    recurrence: Recurrence | None = None

    def __post_init__(self) -> None:
        for what in ("decay", "threshold", "gain", "bias", "synapse_decay"):
            if (value := getattr(self, what)) is not None:
                _check_finite(self.shown, what.replace("_", " "), value)
        if self.threshold.min() <= 0:
            raise SpecError(
                f"{self.shown}: threshold goes down to {self.threshold.min():g}; every threshold "
                f"must be above 0, or silent neurons would fire for ever"
            )


def dynamics(shown: str, neuron: Any, shape: tuple[int, ...]) -> Dynamics:
    """Those of snnTorch's module ``neuron`` for neurons of ``shape``."""
    check_neuron(shown, neuron)
    neurons = int(np.prod(shape))

    def numbers(what: str, value: torch.Tensor) -> _Floats:
        array = value.detach().cpu().to(torch.float64).numpy()
        try:
            return np.broadcast_to(array, shape).reshape(-1).copy()
        except ValueError:
            raise SpecError(f"{shown}: {what} has shape {array.shape} for neurons of shape "
                            f"{shape}; give one value, one per channel (channels, 1, 1), or one "
                            f"per neuron") from None

    with torch.no_grad():
        # In the neuron's own precision, so that no value differs from what snnTorch computes with.
        if isinstance(neuron, snn.Lapicque):
            electric: Any = neuron
            R, C, T = electric.R, electric.C, electric.time_step
            decay, gain = 1 - T / (R * C), R * (1 / (R * C)) * T
        else:
            decay, gain = neuron.beta.clamp(0, 1), torch.ones(())
    recurrence = None
    if isinstance(neuron, (snn.RLeaky, snn.RSynaptic)):
        recurrence = (
            Recurrence.of(shown, neuron.recurrent, shape) if neuron.all_to_all else
            Recurrence(weight=numbers("V", neuron.V), bias=np.zeros(neurons))
        )
    return Dynamics(
        shown=shown,
        decay=numbers("decay", decay),
        threshold=numbers("threshold", neuron.threshold),
        reset=_reset(neuron),
        reset_delay=getattr(neuron, "reset_delay", True),
        # Integers spike hard, even where floats were trained with smooth spikes.
        spike_grad=getattr(neuron.spike_grad, "hard", neuron.spike_grad),
        gain=numbers("input gain", gain),
        bias=np.zeros(neurons),
        synapse_decay=(numbers("synaptic decay", neuron.alpha.clamp(0, 1))
                       if isinstance(neuron, (snn.Synaptic, snn.RSynaptic)) else None),
        recurrence=recurrence,
    )


def float_layer(
    synapse: Synapse, pool: SumPool2d | MaxPool2d | None, divisor: int, neuron: Dynamics
) -> FloatLayer:
    """``synapse`` behind ``pool``, whose windows are divided by ``divisor``, and its ``neuron``.

    Raises
    ------
    UnsupportedModuleError
        If a convolution's neurons have gains of their own.
    """
    gain, neurons = neuron.gain, len(neuron.decay)
    if synapse.geometry is not None:
        gain = gain.reshape(len(synapse.weight), -1)
        if (gain != gain[:, :1]).any():
            raise UnsupportedModuleError(
                f"{neuron.shown} has an input gain (R, C, time_step, τ or r) of its own for each "
                f"neuron, which shared kernels cannot take in; give one per channel"
            )
        gain = gain[:, 0]
    synapse = synapse.scaled(gain)
    bias, recurrent = synapse.per_neuron(neurons) + neuron.bias, None
    if (recurrence := neuron.recurrence) is not None:
        gains = neuron.gain.reshape(-1, *[1] * (recurrence.weight.ndim - 1))
        recurrent = recurrence.weight * gains
        bias = bias + recurrence.bias * neuron.gain
    return FloatLayer(
        name=synapse.name,
        weight=synapse.weight / divisor,
        bias=bias,
        decay=neuron.decay,
        threshold=neuron.threshold,
        reset=neuron.reset,
        reset_delay=neuron.reset_delay,
        spike_grad=neuron.spike_grad,
        geometry=synapse.geometry,
        pool=pool,
        synapse_decay=neuron.synapse_decay,
        recurrent=recurrent,
    )


def _parameter(shown: str, synapse: Any, what: str) -> _Floats:
    """Weight or bias of a Linear or Conv2d; zeros for a bias that it does not have."""
    value = getattr(synapse, what)
    if value is None:
        return np.zeros(len(synapse.weight))
    array = value.detach().cpu().to(torch.float64).numpy().copy()
    _check_finite(shown, what, array)
    return array


def _check_finite(shown: str, what: str, array: _Floats) -> None:
    if not np.isfinite(array).all():
        raise SpecError(f"{shown}: {what} has NaN or infinite values; every value must be finite, "
                        f"so train again with a lower learning rate")


def _reset(neuron: Any) -> Reset:
    match neuron.reset_mechanism:
        case "subtract":
            return Reset.SUBTRACT
        case "zero":
            return (Reset.ZERO_KEEP_INPUT if isinstance(neuron, snn.Leaky)
                    else Reset.ZERO_DROP_INPUT)
        case _:
            return Reset.NONE


def check_neuron(shown: str, neuron: Any) -> None:
    """Refuses the options of a neuron that the contract has no place for."""
    unsupported: dict[str, tuple[Callable[[], bool], str]] = {
        "inhibition=True": (lambda: bool(neuron.inhibition), "train without it"),
        "state_quant": (
            lambda: bool(neuron.state_quant),
            "train without it and let compile quantise the membrane, which it does exactly",
        ),
        "graded spikes": (
            lambda: bool((neuron.graded_spikes_factor != 1).any()),
            "leave graded_spikes_factor at 1, or multiply it into the next Linear's weights",
        ),
        "a reset mechanism that was changed after it was made": (
            lambda: neuron.state_function.__name__ != _STATE_FUNCTIONS[neuron.reset_mechanism],
            "make the neuron with the reset_mechanism it shall have",
        ),
    }
    for option, (used, remedy) in unsupported.items():
        if used():
            raise UnsupportedModuleError(f"{shown} has {option}, which has no counterpart in "
                                         f"hardware; {remedy}")
