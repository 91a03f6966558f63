"""What an snnTorch net computes, as numbers: the float view that quantisation starts from.

An accepted net is an ``nn.Sequential`` (nested ones too) of ``Linear → neuron`` pairs with Flatten,
Dropout and Identity between them. Each pair becomes a :class:`FloatLayer` with the equations of
:mod:`spikewright.gen.spec` in real numbers; what has no exact counterpart there is refused, with
the name of the module and the remedy.

Read from snnTorch 1.0.0's source: Leaky (``leaky.py``) clamps β to [0, 1]. Lapicque
(``lapicque.py``) computes ``(T/C)·I + (1 − T/RC)·m``, so ``T/C`` is folded into weights and bias.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import nn

from ..gen.errors import SpecError, UnsupportedModuleError
from ..gen.spec import Reset
from .surrogates import SpikeGrad

_Floats = npt.NDArray[np.float64]

#: Modules that leave spikes as they are once a net is trained.
_TRANSPARENT = (nn.Dropout, nn.Identity)

_STATE_FUNCTIONS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatLayer:
    """``u = decay·m − r·θ + bias + W·s'`` and so on, in real numbers.

    ``weight`` (neurons, fan-in); ``bias``, ``decay`` and ``threshold`` (neurons,). ``spike_grad``
    is the surrogate that the neuron was trained with.
    """

    name: str
    weight: _Floats
    bias: _Floats
    decay: _Floats
    threshold: _Floats
    reset: Reset
    reset_delay: bool
    spike_grad: SpikeGrad


def float_layers(net: nn.Module) -> list[FloatLayer]:
    """The layers of ``net``, in order.

    Raises
    ------
    UnsupportedModuleError
        If a module, or an option of one, has no exact counterpart in hardware.
    SpecError
        If a weight, decay or threshold is not finite, or a threshold is not above 0.
    """
    layers: list[FloatLayer] = []
    linear: tuple[str, nn.Linear] | None = None
    seen: set[int] = set()
    for path, module in _modules(net, ""):
        shown = f"module {path} ({type(module).__name__})"
        _check_unhooked(shown, module)
        if type(module) is nn.Flatten:
            if (module.start_dim, module.end_dim) != (1, -1):
                raise UnsupportedModuleError(f"{shown} flattens dimensions {module.start_dim} to "
                                             f"{module.end_dim}; use nn.Flatten()")
        elif type(module) in _TRANSPARENT:
            pass
        elif type(module) is nn.Linear:
            if linear:
                raise UnsupportedModuleError(
                    f"{shown} follows module {linear[0]} without a neuron between; put snn.Leaky "
                    f"or snn.Lapicque after {linear[0]}, or multiply the two weights into one"
                )
            linear = path, module
        elif type(module) in (snn.Leaky, snn.Lapicque):
            if not linear:
                raise UnsupportedModuleError(f"{shown} has no Linear in front of it; add one")
            if id(module) in seen:
                raise UnsupportedModuleError(f"{shown} is used twice and would share its membrane; "
                                             f"make one neuron module per layer")
            seen.add(id(module))
            layers.append(_float_layer(*linear, shown, module))
            linear = None
        else:
            raise UnsupportedModuleError(
                f"{shown} has no counterpart in hardware; build the net as nn.Sequential of "
                f"Flatten, Dropout, Identity, Linear, snn.Leaky and snn.Lapicque"
            )
    if linear:
        raise UnsupportedModuleError(
            f"module {linear[0]} (Linear) has no neuron behind it; end the net with snn.Leaky or "
            f"snn.Lapicque, whose spikes are the result"
        )
    if not layers:
        raise UnsupportedModuleError(
            "the net has no layers; give an nn.Sequential with at least Linear and snn.Leaky"
        )
    return layers


def _modules(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential:
        _check_unhooked(f"module {path or 'net'} (Sequential)", module)
        # Not named_children(), which leaves out a module that occurs a second time.
        for name, child in module._modules.items():
            if child is not None:
                yield from _modules(child, f"{path}.{name}" if path else name)
    else:
        yield path or "net", module


def _check_unhooked(shown: str, module: nn.Module) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        raise UnsupportedModuleError(
            f"{shown} has forward hooks, which may change what it computes; remove them "
            f"(torch.nn.utils.remove_weight_norm and the like) before compiling"
        )


def _float_layer(path: str, linear: nn.Linear, shown: str, neuron: Any) -> FloatLayer:
    _check_plain(shown, neuron)
    neurons = linear.out_features

    def numbers(what: str, value: torch.Tensor) -> _Floats:
        array = value.detach().cpu().to(torch.float64).numpy()
        if not np.isfinite(array).all():
            raise SpecError(f"{shown}: {what} has NaN or infinite values; every value must be "
                            f"finite, so train again with a lower learning rate")
        if array.size not in (1, neurons) or array.ndim > 1:
            raise SpecError(f"{shown}: {what} has shape {array.shape} for {neurons} neurons; give "
                            f"one value, or one per neuron")
        return np.broadcast_to(array.reshape(-1), (neurons,)).copy()

    with torch.no_grad():
        # In the neuron's own precision, so that no value differs from what snnTorch computes with.
        if isinstance(neuron, snn.Leaky):
            decay, gain = neuron.beta.clamp(0, 1), torch.ones(())
        else:
            R, C, T = neuron.R, neuron.C, neuron.time_step
            decay, gain = 1 - T / (R * C), R * (1 / (R * C)) * T
    threshold = numbers("threshold", neuron.threshold)
    if threshold.min() <= 0:
        raise SpecError(f"{shown}: threshold goes down to {threshold.min():g}; every threshold "
                        f"must be above 0, or silent neurons would fire for ever")
    gains = numbers("input gain", gain)
    weight = linear.weight.detach().cpu().to(torch.float64).numpy()
    bias = np.zeros(neurons)
    for what, value in (("weight", linear.weight), ("bias", linear.bias)):
        if value is not None and not torch.isfinite(value).all():
            raise SpecError(f"module {path} (Linear): {what} has NaN or infinite values; every "
                            f"value must be finite, so train again with a lower learning rate")
    if linear.bias is not None:
        bias = linear.bias.detach().cpu().to(torch.float64).numpy()
    name = path.replace(".", "_")
    return FloatLayer(
        name=name if name.isidentifier() else f"layer{name}",
        weight=weight * gains[:, None],
        bias=bias * gains,
        decay=numbers("decay", decay),
        threshold=threshold,
        reset=_reset(neuron),
        reset_delay=getattr(neuron, "reset_delay", True),
        spike_grad=neuron.spike_grad,
    )


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
