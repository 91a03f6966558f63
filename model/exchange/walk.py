"""From modules, in the order in which signals pass them, to layers in real numbers.

Each pair of a synapse and a neuron becomes a :class:`.float_layer.FloatLayer` with the equations of
:mod:`spikewright.gen.spec` in real numbers. Behind a Linear or Conv2d a BatchNorm is folded into
its weights, and so is an AvgPool2d behind a Conv2d: a sum of shifted kernels is a larger kernel.
What has no exact counterpart is refused, with the name of the module and the remedy.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import snntorch as snn
import torch
from snntorch._neurons.neurons import SpikingNeuron
from torch import nn

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import MaxPool2d, SumPool2d
from .float_layer import (
    Dynamics,
    FloatLayer,
    Recurrence,
    Synapse,
    dynamics,
    float_layer,
)
from .geometry import geometry_of

#: What may stand behind a synapse.
NEURONS = (snn.Leaky, snn.Lapicque, snn.Synaptic, snn.RLeaky, snn.RSynaptic)

#: Modules that leave spikes as they are once a net is trained.
TRANSPARENT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.Identity)

_SYNAPSES = (nn.Linear, nn.Conv2d)
_POOLS = (nn.AvgPool2d, nn.MaxPool2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

#: Modules that a :class:`Walk` looks at as a whole.
KNOWN = (*NEURONS, *TRANSPARENT, *_SYNAPSES, *_POOLS, *_NORMS, nn.Flatten, nn.Unflatten)

#: The same for people.
ALLOWED = ("Linear, Conv2d, BatchNorm, AvgPool2d, MaxPool2d, Flatten, Unflatten, Dropout, Identity "
           "and " + ", ".join(f"snn.{kind.__name__}" for kind in NEURONS))


class Pooling(NamedTuple):
    """A pooling in front of a synapse, whose windows are divided by ``divisor``."""

    path: str
    pool: SumPool2d | MaxPool2d
    divisor: int


class Walk:
    """Takes a net's modules in order and knows the shape of the signals between them.

    ``input_shape`` is that of one timestep. Every method raises what
    :func:`.dynamics.float_layers` says.
    """

    def __init__(self, input_shape: tuple[int, ...]):
        self.layers: list[FloatLayer] = []
        self.shape = tuple(input_shape)
        self.pool: Pooling | None = None
        self.synapse: Synapse | None = None
        self.recurrence: Recurrence | None = None
        self.seen: set[int] = set()

    def take(self, path: str, module: nn.Module) -> None:
        """The next module."""
        shown = f"module {path} ({type(module).__name__})"
        check_unhooked(shown, module)
        if type(module) is nn.Flatten:
            if (module.start_dim, module.end_dim) != (1, -1):
                raise UnsupportedModuleError(f"{shown} flattens dimensions {module.start_dim} to "
                                             f"{module.end_dim}; use nn.Flatten()")
            self.shape = (int(np.prod(self.shape)),)
        elif type(module) is nn.Unflatten:
            self._take_unflatten(shown, module)
        elif type(module) in TRANSPARENT:
            pass
        elif type(module) in _POOLS:
            self._take_pool(path, shown, module)
        elif type(module) in _NORMS:
            self._take_norm(shown, module)
        elif type(module) in _SYNAPSES:
            self._take_synapse(path, shown, module)
        elif type(module) in NEURONS:
            self._take_neuron(shown, module)
        else:
            raise UnsupportedModuleError(
                f"{shown} has no counterpart in hardware; build the net as nn.Sequential of "
                f"{ALLOWED}"
            )

    def skip(self, path: str, module: nn.Module) -> None:
        """After ``module`` was refused: as if it had been taken, so that others can be judged."""
        if type(module) in NEURONS:
            self.synapse = self.pool = self.recurrence = None
            return
        try:
            with torch.no_grad():
                self.shape = tuple(module(torch.zeros(2, *self.shape)).shape[1:])
        except Exception:  # it does not fit what is here, so neither may what follows
            return
        if not self.synapse:
            neurons = int(np.prod(self.shape))
            self.synapse = Synapse(path=path, shown=f"module {path}", bias=np.zeros(neurons),
                                   weight=np.zeros((neurons, 1)))

    def finish(self) -> list[FloatLayer]:
        """All layers, once the last module was taken."""
        if self.synapse:
            raise UnsupportedModuleError(
                f"{self.synapse.shown} has no neuron behind it; end the net with snn.Leaky or "
                f"another neuron, whose activity is the result"
            )
        if self.pool:
            raise UnsupportedModuleError(
                f"module {self.pool.path} pools the net's output, which has no counterpart in "
                f"hardware; drop it, or put Linear and snn.Leaky behind it"
            )
        if not self.layers:
            raise UnsupportedModuleError(
                "the net has no layers; give an nn.Sequential with at least Linear and snn.Leaky"
            )
        return self.layers

    def _take_unflatten(self, shown: str, module: nn.Unflatten) -> None:
        sides = tuple(module.unflattened_size)
        known = self.layers or self.pool or self.synapse
        if module.dim != 1 or int(np.prod(sides)) != int(np.prod(self.shape)) or (
            known and len(self.shape) > 1
        ):
            raise UnsupportedModuleError(
                f"{shown} makes {sides} of dimension {module.dim}, where signals of shape "
                f"{self.shape} arrive; use nn.Unflatten(1, (channels, y, x)) of as many signals"
            )
        self.shape = sides

    def _maps(self, shown: str) -> tuple[int, int, int]:
        if len(self.shape) != 3:
            raise UnsupportedModuleError(
                f"{shown} needs maps (channels, y, x), but signals of shape {self.shape} reach it; "
                f"give compile such an input_shape, and put Flatten and Linear behind the last map"
            )
        return self.shape  # type: ignore[return-value]

    def _take_pool(self, path: str, shown: str, module: Any) -> None:
        plain = {"padding": 0, "ceil_mode": False, "dilation": 1, "return_indices": False,
                 "divisor_override": None}
        for option, allowed in plain.items():
            given = getattr(module, option, allowed)
            if given not in (allowed, (allowed, allowed)):
                raise UnsupportedModuleError(f"{shown} has {option}={given}, which has no "
                                             f"counterpart in hardware; leave it at {allowed}")
        average = type(module) is nn.AvgPool2d
        self.take_pool(path, shown, SumPool2d if average else MaxPool2d, module.kernel_size,
                       module.stride, average=average)

    def take_pool(
        self, path: str, shown: str, kind: type[SumPool2d] | type[MaxPool2d], kernel: Any,
        stride: Any, *, average: bool = False,
    ) -> None:
        """A pooling of ``kind``; ``average`` divides its windows by their size."""
        if self.synapse and (kind is MaxPool2d or self.synapse.geometry is None):
            raise UnsupportedModuleError(
                f"{shown} stands between a synapse and its neuron; pool the neuron's spikes, "
                f"behind it"
            )
        if self.pool and not self.synapse:
            raise UnsupportedModuleError(f"{shown} follows module {self.pool.path}; one pooling "
                                         f"between two layers is allowed, so merge the two")
        try:
            pool = kind(input_shape=self._maps(shown), kernel=kernel, stride=stride)
        except SpecError as error:
            raise SpecError(f"{shown}: {error}") from error
        if isinstance(pool, MaxPool2d) and not self.layers:
            raise UnsupportedModuleError(
                f"{shown} pools the network's inputs, which has no counterpart in hardware; pool "
                f"the samples when they are encoded, or use AvgPool2d"
            )
        self.shape = pool.output_shape
        divisor = pool.kernel[0] * pool.kernel[1] if average else 1
        if self.synapse:
            self.synapse = self.synapse.pooled(pool, divisor)
        else:
            self.pool = Pooling(path, pool, divisor)

    def _take_norm(self, shown: str, module: Any) -> None:
        if not self.synapse:
            raise UnsupportedModuleError(
                f"{shown} has no Linear or Conv2d directly in front of it to be folded into; put "
                f"it between the synapse and its neuron"
            )
        if module.training:
            raise UnsupportedModuleError(
                f"{shown} is in training mode, where it uses the statistics of each batch; call "
                f"net.eval() first, so that its running statistics hold"
            )
        if module.running_mean is None:
            raise UnsupportedModuleError(f"{shown} has no running statistics, so it depends on the "
                                         f"batch; train it with track_running_stats=True")
        if module.num_features != len(self.synapse.weight) or (
            (type(module) is nn.BatchNorm2d) != (self.synapse.geometry is not None)
        ):
            raise SpecError(f"{shown} normalises {module.num_features} channels, but "
                            f"{self.synapse.shown} has {len(self.synapse.weight)}; use BatchNorm1d "
                            f"behind Linear, BatchNorm2d behind Conv2d")
        mean, variance, weight, bias = (
            default if value is None else value.detach().cpu().double().numpy()
            for value, default in ((module.running_mean, 0.0), (module.running_var, 1.0),
                                   (module.weight, 1.0), (module.bias, 0.0))
        )
        factor = weight / np.sqrt(variance + module.eps)
        self.synapse = self.synapse.scaled(factor, bias - mean * factor)

    def _take_synapse(self, path: str, shown: str, module: Any) -> None:
        geometry = None
        if type(module) is nn.Conv2d and not self.synapse:
            geometry = geometry_of(shown, module, self._maps(shown))
        self.take_synapse(Synapse.of(path, module, geometry))

    def take_synapse(self, synapse: Synapse) -> None:
        """A synapse, which must fit the signals that reach it."""
        shown, (outputs, inputs) = synapse.shown, synapse.weight.shape[:2]
        if self.synapse:
            raise UnsupportedModuleError(
                f"{shown} follows module {self.synapse.path} without a neuron between; put "
                f"snn.Leaky or another neuron after {self.synapse.path}, or multiply the two "
                f"weights into one"
            )
        if synapse.geometry is not None:
            self.shape = (outputs, *synapse.geometry.sides(synapse.weight.shape[2:]))
        else:
            size = int(np.prod(self.shape))
            if len(self.shape) > 1 and (self.layers or self.pool):
                raise UnsupportedModuleError(f"{shown} follows maps of shape {self.shape}; put "
                                             f"nn.Flatten() in front of it")
            if size != inputs:
                raise SpecError(f"{shown} has {inputs} inputs, but {size} signals "
                                f"reach it; make it nn.Linear({size}, {outputs})")
            self.shape = (outputs,)
        self.synapse = synapse

    def recur(self, path: str, module: Any) -> None:
        """A module that the next neuron's own spikes pass on their way back to it."""
        self.recurrence = Recurrence.of(f"module {path}", module, self.shape)

    def _take_neuron(self, shown: str, module: Any) -> None:
        self._check_synapse(shown)
        if id(module) in self.seen:
            raise UnsupportedModuleError(f"{shown} is used twice and would share its membrane; "
                                         f"make one neuron module per layer")
        self.seen.add(id(module))
        neuron = dynamics(shown, module, self.shape)
        if self.recurrence is not None:
            if neuron.recurrence is not None:
                raise UnsupportedModuleError(f"{shown} recurs twice, by itself and by a module "
                                             f"beside it; add the two weights")
            neuron = replace(neuron, recurrence=self.recurrence)
        self.take_neuron(neuron)

    def take_neuron(self, neuron: Dynamics) -> None:
        """The neurons of the synapse that was taken, which end the layer."""
        synapse, pool = self._check_synapse(neuron.shown), self.pool
        self.layers.append(float_layer(
            synapse, pool.pool if pool else None, pool.divisor if pool else 1, neuron
        ))
        self.synapse = self.pool = self.recurrence = None

    def _check_synapse(self, shown: str) -> Synapse:
        if not self.synapse:
            raise UnsupportedModuleError(f"{shown} has no Linear or Conv2d in front of it; add one")
        return self.synapse


def strangers(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The neurons of ``net``, and what has parameters of its own, that no :class:`Walk` knows."""
    inside: list[str] = []
    for path, module in net.named_modules():
        if type(module) in KNOWN:
            inside.append(f"{path}.")  # what a known module is made of
        elif not path.startswith(tuple(inside)) and (
            isinstance(module, SpikingNeuron) or module._parameters
        ):
            yield path, module


def check_unhooked(shown: str, module: nn.Module) -> None:
    """UnsupportedModuleError if ``module`` has forward hooks."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise UnsupportedModuleError(
            f"{shown} has forward hooks, which may change what it computes; remove them "
            f"(torch.nn.utils.remove_weight_norm and the like) before compiling"
        )
