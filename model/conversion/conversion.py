"""From a trained net of ReLUs to an snnTorch net of neurons without leak.

A neuron without leak that subtracts its threshold θ fires, over T timesteps, as often as its mean
input says: a rate of ``clip(z/θ, 0, 1)``, in steps of 1/T. So a ReLU's activation up to λ becomes a
rate, λ standing for a spike in every timestep, once weights are normalised (Rueckauer et al. 2017,
"Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks")::

    W ← W·λ_below/λ        b ← b/λ        θ = 1

λ is the activations' largest value, or a percentile of those above 0, so that few outliers do not
make all others slow. A neuron rounds down; adding half a threshold in T timesteps makes it round to
nearest, which leaves no error on average: ``b ← b + ½·θ/T`` (Deng & Gu 2021, "Optimal Conversion of
Conventional Artificial Neural Networks to Spiking Neural Networks"; Bu et al. 2022 begin with the
membrane at θ/2 instead, the same count under Lemma 2's conditions, see :mod:`.twins`).

The last layer's sums are added up by neurons that keep nothing (β = 0) under a membrane readout:
the scores are T times the logits that its inputs' rates give.
"""

import copy
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

import snntorch as snn
import torch
from torch import nn
from torch.nn.utils import fusion

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import Readout, ReadoutKind
from .clip_floor import ClipFloor

_SYNAPSES = (nn.Linear, nn.Conv2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_ACTIVATIONS = (nn.ReLU, ClipFloor)
_PASSED = (nn.AvgPool2d, nn.MaxPool2d, nn.Flatten, nn.Unflatten)
_DROPPED = (nn.Dropout, nn.Dropout2d, nn.Identity)


class Converted(NamedTuple):
    """``net`` for :func:`spikewright.model.compile`, with the ``readout`` to give to it.

    ``scales`` are the layers' λ: what a spike in every timestep stands for.
    """

    net: nn.Sequential
    readout: Readout
    scales: tuple[float, ...]


def convert(
    ann: nn.Module,
    samples: torch.Tensor,
    timesteps: int,
    *,
    percentile: float = 99.9,
    shift: float = 0.5,
    input_scale: float = 1.0,
) -> Converted:
    """``ann`` as a spiking net for inferences of ``timesteps``.

    Parameters
    ----------
    ann
        An ``nn.Sequential`` (nested ones too) of Linear or Conv2d, BatchNorm behind it, then ReLU
        or :class:`.clip_floor.ClipFloor`; AvgPool2d, MaxPool2d, Flatten, Unflatten, Dropout and
        Identity between. It ends with a Linear or Conv2d that gives the logits, or with an
        activation. Behind a max pooling rates come out too high, as its spikes need not coincide;
        average pooling is exact.
    samples
        Training samples as ``ann`` takes them, (samples, …), on which λ is measured. A ClipFloor
        knows its own.
    percentile
        Of the activations above 0, above 0 to 100: which of them is λ; 100 for the largest.
    shift
        Thresholds added to each neuron in all timesteps together; 0 for conversion as in 2017.
    input_scale
        What ``ann`` takes, per unit of the spiking net's input: 1/255 for images in bytes, of
        which ``ann`` takes values from 0 to 1.

    Raises
    ------
    UnsupportedModuleError, SpecError
        Naming the module, and the remedy.
    """
    if not 0 < percentile <= 100:
        raise SpecError(f"percentile is {percentile}; allowed are numbers above 0 up to 100")
    if isinstance(timesteps, bool) or not isinstance(timesteps, int) or timesteps < 1:
        raise SpecError(f"timesteps is {timesteps!r}; an integer of at least 1 is needed")
    if not len(samples):
        raise SpecError("no samples are given; λ is measured on them, a few hundred are enough")
    walk = _Walk(samples, shift / timesteps, percentile, input_scale)
    with torch.no_grad():
        for path, module in _modules(copy.deepcopy(ann).eval(), ""):
            walk.take(path, module)
        return walk.finish()


class _Walk:
    """Goes through a net's modules in order, with the samples' activations at that place."""

    def __init__(
        self, samples: torch.Tensor, shift: float, percentile: float, input_scale: float
    ):
        self.values, self.shift, self.percentile = samples, shift, percentile
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.scales: list[float] = []
        #: Of the signals at this place: activation of a signal of 1.
        self.unit = input_scale
        self.synapse: tuple[str, Any] | None = None

    def take(self, path: str, module: Any) -> None:
        """The next module."""
        shown = f"module {path} ({type(module).__name__})"
        if type(module) in _SYNAPSES:
            if self.synapse:
                raise UnsupportedModuleError(
                    f"{shown} follows module {self.synapse[0]} without an activation between; put "
                    f"nn.ReLU there, or multiply the two weights into one"
                )
            self.synapse = path, module
        elif type(module) in _NORMS:
            self._take_norm(shown, module)
        elif type(module) in _ACTIVATIONS:
            self._take_activation(path, shown, module)
        elif type(module) in _PASSED:
            if self.synapse:
                raise UnsupportedModuleError(
                    f"{shown} stands between module {self.synapse[0]} and its activation; put it "
                    f"behind the activation"
                )
            self.modules[_name(path)] = module
            self.values = module(self.values)
        elif type(module) not in _DROPPED:
            allowed = (*_SYNAPSES, *_NORMS, *_ACTIVATIONS, *_PASSED, *_DROPPED)
            raise UnsupportedModuleError(
                f"{shown} has no counterpart in a spiking net; build the net as nn.Sequential of "
                f"{', '.join(kind.__name__ for kind in allowed)}"
            )

    def finish(self) -> Converted:
        """The spiking net, once the last module was taken."""
        kind = ReadoutKind.SPIKE_COUNT
        if self.synapse:
            kind = ReadoutKind.MEMBRANE
            self._append(1.0, 0.0, snn.Leaky(beta=0.0, reset_mechanism="none", init_hidden=True))
        if not self.scales:
            raise UnsupportedModuleError("the net has no activations, so nothing would spike; give "
                                         "an nn.Sequential with at least Linear and ReLU")
        return Converted(nn.Sequential(self.modules), Readout(kind=kind), tuple(self.scales))

    def _take_norm(self, shown: str, module: Any) -> None:
        if not self.synapse:
            raise UnsupportedModuleError(f"{shown} stands behind no Linear or Conv2d to fold it "
                                         f"into; put it between such a module and its activation")
        path, synapse = self.synapse
        if module.running_mean is None:
            raise UnsupportedModuleError(f"{shown} has no running statistics, so it computes "
                                         f"something else for each batch; train with "
                                         f"track_running_stats=True")
        fuse: Any = (fusion.fuse_linear_bn_eval if isinstance(synapse, nn.Linear)
                     else fusion.fuse_conv_bn_eval)
        self.synapse = path, fuse(synapse, module)

    def _take_activation(self, path: str, shown: str, module: Any) -> None:
        if not self.synapse:
            raise UnsupportedModuleError(f"{shown} has no Linear or Conv2d in front of it; drop it")
        self.values = module(self.synapse[1](self.values))
        if isinstance(module, ClipFloor):
            scale = float(module.scale)
        else:
            positive = self.values[self.values > 0].double()
            if not len(positive):
                raise SpecError(f"{shown} is 0 for all samples, so it has no scale; give other "
                                f"samples, or train the net again")
            # Not torch.quantile, which takes no more than 2²⁴ values.
            rank = max(1, round(self.percentile / 100 * len(positive)))
            scale = float(positive.kthvalue(rank).values)
        if not scale > 0:
            raise SpecError(f"{shown} has scale {scale:g}; it must be above 0, so train it again")
        self.scales.append(scale)
        self._append(scale, self.shift, snn.Leaky(
            beta=1.0, threshold=1.0, reset_mechanism="subtract", init_hidden=True,
        ), _name(path))
        self.unit = scale

    def _append(self, scale: float, shift: float, neuron: nn.Module, name: str = "out") -> None:
        """The synapse, normalised so that ``scale`` becomes a threshold of 1, and its neuron."""
        assert self.synapse is not None
        path, module = self.synapse
        synapse = copy.deepcopy(module)
        if synapse.bias is None:
            synapse.bias = nn.Parameter(synapse.weight.new_zeros(len(synapse.weight)))
        synapse.weight.mul_(self.unit / scale)
        synapse.bias.div_(scale).add_(shift)
        self.modules[_name(path)], self.modules[name] = synapse, neuron
        self.synapse = None


def _modules(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential:
        # Not named_children(), which leaves out a module that occurs a second time.
        for name, child in module._modules.items():
            if child is not None:
                yield from _modules(child, f"{path}.{name}" if path else name)
    else:
        yield path or "net", module


def _name(path: str) -> str:
    """``path`` without the points, which no module's name may have."""
    return path.replace(".", "_")
