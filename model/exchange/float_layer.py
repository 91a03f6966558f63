"""A synapse and its neuron, as numbers: the equations of :mod:`spikewright.gen.spec`, not rounded.

Read from snnTorch 1.0.0's source: Leaky (``leaky.py``) clamps β to [0, 1], Synaptic
(``synaptic.py``) α too. Lapicque (``lapicque.py``) computes ``(T/C)·I + (1 − T/RC)·m``, so ``T/C``
is folded into weights and bias. A reset to zero makes the membrane 0 in all of them but Leaky,
which keeps the input. RLeaky and RSynaptic (``rleaky.py``, ``rsynaptic.py``) add
``recurrent(spk)`` to the input: a Linear, whose bias is folded into the layer's, or one weight V
for each neuron. Average pooling is a sum, its ``1/(kh·kw)`` folded into the weights behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import nn

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import MaxPool2d, Reset, SumPool2d
from ..surrogates import SpikeGrad

_Floats = npt.NDArray[np.float64]

_STATE_FUNCTIONS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """How a convolution's kernel moves over maps of ``input_shape`` (C, H, W)."""

    input_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int


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


def float_layer(
    path: str, synapse: Any, geometry: Geometry | None, pool: SumPool2d | MaxPool2d | None,
    shown: str, neuron: Any, shape: tuple[int, ...],
) -> FloatLayer:
    """``synapse``, a module at ``path``, and the ``neuron`` behind it that messages call ``shown``.

    ``geometry`` is that of a convolution, ``pool`` stands in front of the synapse, ``shape`` is
    that of the neurons. Raises what :func:`spikewright.model.exchange.dynamics.float_layers` says.
    """
    _check_plain(shown, neuron)
    neurons = int(np.prod(shape))
    here = f"module {path} ({type(synapse).__name__})"

    def numbers(what: str, value: torch.Tensor) -> _Floats:
        array = value.detach().cpu().to(torch.float64).numpy()
        _check_finite(shown, what, array)
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
    threshold = numbers("threshold", neuron.threshold)
    if threshold.min() <= 0:
        raise SpecError(f"{shown}: threshold goes down to {threshold.min():g}; every threshold "
                        f"must be above 0, or silent neurons would fire for ever")
    gains = numbers("input gain", gain)
    weight, bias = (_parameter(here, synapse, what) for what in ("weight", "bias"))
    recurrent, recurrent_bias = None, np.zeros(neurons)
    if isinstance(neuron, (snn.RLeaky, snn.RSynaptic)):
        recurrent, recurrent_bias = _recurrence(shown, neuron, shape, numbers)
    if geometry is None:
        weight *= gains[:, None]
    else:
        if (gains != gains[0]).any():
            raise UnsupportedModuleError(f"{shown} has R, C or time_step of its own for each "
                                         f"neuron, which shared kernels cannot take in; give one")
        weight *= gains[0]
        bias = np.repeat(bias, neurons // len(bias))
    if isinstance(pool, SumPool2d):
        weight /= pool.most
    name = path.replace(".", "_")
    return FloatLayer(
        name=name if name.isidentifier() else f"layer{name}",
        weight=weight,
        bias=bias * gains + recurrent_bias,
        decay=numbers("decay", decay),
        threshold=threshold,
        reset=_reset(neuron),
        reset_delay=getattr(neuron, "reset_delay", True),
        # Integers spike hard, even where floats were trained with smooth spikes.
        spike_grad=getattr(neuron.spike_grad, "hard", neuron.spike_grad),
        geometry=geometry,
        pool=pool,
        synapse_decay=(numbers("synaptic decay", neuron.alpha.clamp(0, 1))
                       if isinstance(neuron, (snn.Synaptic, snn.RSynaptic)) else None),
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


def _recurrence(
    shown: str, neuron: Any, shape: tuple[int, ...], numbers: Callable[..., _Floats]
) -> tuple[_Floats, _Floats]:
    """Recurrent weights, and the bias that comes with them."""
    neurons = int(np.prod(shape))
    if not neuron.all_to_all:
        return numbers("V", neuron.V), np.zeros(neurons)
    if type(neuron.recurrent) is not nn.Linear:
        raise UnsupportedModuleError(
            f"{shown} has a recurrent {type(neuron.recurrent).__name__}, which has no counterpart "
            f"in hardware; use linear_features, or all_to_all=False"
        )
    if neuron.recurrent.out_features != neurons or len(shape) > 1:
        raise SpecError(f"{shown} has linear_features={neuron.recurrent.out_features} for neurons "
                        f"of shape {shape}; give linear_features={neurons} behind a Linear, or "
                        f"all_to_all=False behind a Conv2d")
    weight, bias = (_parameter(f"{shown}.recurrent", neuron.recurrent, what)
                    for what in ("weight", "bias"))
    return weight, bias


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


def _check_plain(shown: str, neuron: Any) -> None:
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
