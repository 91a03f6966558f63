"""Nets as attacks see them: scores of inputs, and gradients through any surrogate.

The net of floats is attacked as it was trained, the net in integers as hardware runs it: gradients
pass straight through its roundings, and its decisions are those of the golden model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ...gen.spec import NetworkSpec, Readout
from .. import runs
from ..exchange.dynamics import NEURONS
from ..quantisation.net import QuantizedNet
from ..readouts import Activity, logits, scores
from ..spikes import Spike


@dataclass(frozen=True)
class Victim:
    """``forward`` takes (timesteps, batch, inputs); ``neurons`` have the ``spike_grad`` that their
    gradients pass through."""

    name: str
    forward: Callable[[torch.Tensor], Activity]
    readout: Readout
    neurons: tuple[Any, ...]

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits with gradients, and the scores that decide, (samples, classes) each, of x
        (samples, timesteps, inputs)."""
        votes = self.forward(x.transpose(0, 1)).votes
        return logits(self.readout, votes), scores(self.readout, votes.detach())

    @contextmanager
    def through(self, spike: Spike) -> Iterator[None]:
        """Gradients pass through ``spike``'s surrogate; what neurons do stays as it is."""
        before = [neuron.spike_grad for neuron in self.neurons]
        for neuron in self.neurons:
            neuron.spike_grad = spike
        try:
            yield
        finally:
            for neuron, own in zip(self.neurons, before, strict=True):
                neuron.spike_grad = own

    @property
    def own(self) -> Spike:
        """The surrogate that the net was trained with."""
        return self.neurons[0].spike_grad


def floats(trained: runs.Trained) -> Victim:
    """The net as training in floats left it."""
    net = trained.net.eval().requires_grad_(False)
    return Victim("float", runs.forward(net, trained.recipe), trained.recipe.readout.contract,
                  tuple(module for module in net if isinstance(module, NEURONS)))


def integers(spec: NetworkSpec, threshold: float, spike: Spike) -> Victim:
    """The net that hardware runs. Surrogates see membranes in the unit of the float net, whose
    thresholds were ``threshold``; neurons without one, which are only read, in the last unit."""
    steps: list[npt.NDArray[np.float64]] = []
    for layer in spec.layers:
        if layer.neuron.threshold is None:
            steps.append(steps[-1].mean(keepdims=True) if steps else np.ones(1))
            continue
        whole = layer.neuron.per_neuron("threshold", layer.neurons)
        whole = whole.reshape(layer.output_shape[0], -1)[:, 0]
        steps.append(threshold / whole * (1 << layer.synapse.weight_shift))
    net = QuantizedNet(spec, [spike] * len(spec.layers), steps).requires_grad_(False)
    if net.spec() != spec:
        raise RuntimeError(f"the weights of {spec.name} changed on their way through floats")
    return Victim("integer", net.activity, spec.readout, tuple(net.layers))


@dataclass(frozen=True)
class _Watched(Spike):
    """Another spike, and where its derivative was not 0."""

    inner: Spike | None = None
    passed: list[torch.Tensor] = field(default_factory=list)

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        assert self.inner is not None
        slope = self.inner.derivative(x)
        self.passed.append((slope != 0).float())
        return slope


class Density(NamedTuple):
    """Of gradients through a net's own surrogate: ``hidden``, the share of membranes (timestep,
    sample, neuron) of each hidden layer that pass one; ``inputs``, the share of inputs that have
    one; ``norm``, the mean over samples of ‖∇ₓ p‖₁, p being the probability of the right class and
    x between 0 and 1."""

    hidden: list[float]
    inputs: float
    norm: float


def density(victim: Victim, x: torch.Tensor, y: torch.Tensor, full_scale: float) -> Density:
    """What gradients of x (samples, timesteps, inputs), from 0 to ``full_scale``, are like."""
    own = victim.own
    watched = [_Watched(own.name, own.parameters, own.forward, own) for _ in victim.neurons[:-1]]
    with victim.through(own):
        for neuron, spike in zip(victim.neurons, watched, strict=False):
            neuron.spike_grad = spike
        leaf = x.detach().requires_grad_()
        p = victim(leaf)[0].softmax(1).gather(1, y[:, None])
        (gradient,) = torch.autograd.grad(p.sum(), leaf)
    return Density(
        [float(torch.cat([part.flatten() for part in spike.passed]).mean()) for spike in watched],
        float((gradient != 0).float().mean()),
        float(gradient.abs().flatten(1).sum(1).mean()) * full_scale,
    )
