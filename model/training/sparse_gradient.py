"""Sparse spiking gradient descent (Perez-Nieves & Goodman, arXiv 2105.08810): gradients pass only
neurons whose membrane is near the threshold, and the work of all others is skipped.

A neuron is active in a timestep if |u − θ| ≤ ε, the band. With the surrogate's derivative h, let
δ = ∂L/∂s·h(u − θ) where it is active, and 0 elsewhere. A neuron that leaks by β and resets by
subtraction, later than it fires, is linear between its input x and u, and every neuron of the layer
in the same way, so that the filter F of leaks can be applied to the inputs before the weights::

    u = W·F(x) + …            F(x)[t] = Σ_k≤t β^(t−k)·x[k]
    ∂L/∂W = Σ_t δ[t]·F(x)[t]ᵀ             ∂L/∂x = Fᵀ(Wᵀ·δ)

Both are products with δ, which is sparse in time, sample and neuron; a dense backward pass sends
δ through the leak first, and what comes out is sparse nowhere. The sums are the same, in another
order: gradients equal those of the dense pass to rounding.

Cost: one product of a weight row per active (timestep, sample, neuron) instead of per every one.
Above :func:`break_even` dense matrix products are faster, and are used. Rows that are held over
time are summed over time before any weight is touched, so a first layer of a held current has
nothing to skip, and takes the dense way; so does every layer on a GPU.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from ..scan import Leak, over_time, reverse_scan
from ..spikes import Spike
from . import compressed

#: Rows of the inputs' filtered signals that are multiplied before the next ones are looked at, so
#: that they stay in a core's cache.
_ROWS = 320


def break_even(rows: int, neurons: int) -> float:
    """Share of active neurons from which on dense products are faster: measured, by
    tests/bench/sparse_gradient.py. To filter inputs pays if they meet many neurons, to look for
    active ones if there are many ``rows``, timesteps times samples."""
    return 0.25 * (1 - 200 / rows - 40 / neurons)


@dataclass(frozen=True)
class Banded(Spike):
    """A spike whose derivative is 0 wherever |U − θ| is above ``band``."""

    band: float = math.inf

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        return super().derivative(x) * (x.abs() <= self.band)

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        """:meth:`derivative` of x that are known to lie inside the band."""
        return super().derivative(x)


def banded(spike: Spike, band: float) -> Banded:
    """``spike`` with its derivative cut off outside the band."""
    return Banded(**{f.name: getattr(spike, f.name) for f in fields(Spike)}, band=band)


def skips(linear: Any, neuron: Any, x: torch.Tensor) -> bool:
    """Whether :func:`linear_over_time` computes gradients of this pair of layers for inputs ``x``
    (timesteps, batch, inputs) that are not held."""
    if not (torch.is_grad_enabled() and type(linear) is nn.Linear and x.ndim == 3
            and type(neuron) in (snn.Leaky, snn.Lapicque, snn.Synaptic)
            and isinstance(neuron.spike_grad, Banded) and neuron.spike_grad.forward == "hard"):
        return False
    delayed = neuron.reset_mechanism == "none" or getattr(neuron, "reset_delay", True)
    states = [getattr(neuron, name) for name in ("beta", "alpha", "threshold")
              if isinstance(getattr(neuron, name, None), torch.Tensor)]
    return (delayed and neuron.reset_mechanism in ("subtract", "none")
            and all(state.numel() == 1 and not state.requires_grad for state in states)
            and linear.weight.dtype == x.dtype)


def linear_over_time(
    linear: nn.Linear, neuron: Any, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and membranes, each (timesteps, batch, neurons), as ``over_time(neuron, linear(x))``
    computes them, whose gradients skip neurons outside the band; only where :func:`skips`."""
    made: Any = _Layer.apply(x, linear.weight, linear.bias, neuron)
    return made


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, neuron):
        currents = nn.functional.linear(x, weight, bias)
        s, u = over_time(neuron, currents)
        ctx.save_for_backward(x, weight, u)
        ctx.neuron, ctx.has_bias = neuron, bias is not None
        ctx.set_materialize_grads(False)
        return s, u

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_s, grad_u):  # type: ignore[override]
        x, weight, u = ctx.saved_tensors
        neuron, wanted = ctx.neuron, ctx.needs_input_grad
        u = u.flatten(0, 1)
        given = None if grad_s is None else grad_s.flatten(0, 1)
        by_weight = by_x = None
        if given is None or grad_u is not None or (delta := _Delta.few(neuron, u, given)) is None:
            dense = torch.zeros_like(u) if given is None else (
                given * neuron.spike_grad.derivative(u - neuron.threshold))
            if grad_u is not None:
                dense = dense + grad_u.flatten(0, 1)
            leaked = _transposed(neuron, dense.unflatten(0, x.shape[:2])).flatten(0, 1)
            by_bias = leaked.sum(0) if ctx.has_bias else None
            if wanted[1]:
                by_weight = leaked.T @ x.flatten(0, 1)
            if wanted[0]:
                by_x = (leaked @ weight).unflatten(0, x.shape[:2])
        else:
            # How much a constant input has added to u after t timesteps; what biases see.
            seen = _filtered(neuron, x.new_ones(len(x), 1, 1)).expand(-1, x.shape[1], 1)
            trace = _filtered(neuron, x).flatten(0, 1) if wanted[1] else None
            by_weight, by_bias = delta.weights(trace, seen.reshape(-1))
            if wanted[0]:
                by_x = _transposed(neuron, delta.inputs(weight).unflatten(0, x.shape[:2]))
        return by_x, by_weight, by_bias if ctx.has_bias else None, None


class _Delta:
    """δ of u and ∂L/∂s ``given``, (rows, neurons), a row being a timestep of a sample."""

    def __init__(self, neuron: Any, u: torch.Tensor, given: torch.Tensor, ends: npt.NDArray):
        self.spike: Banded = neuron.spike_grad
        self.ends = ends
        self.near = u.numpy(), given.contiguous().numpy(), *_limits(neuron)

    @classmethod
    def few(cls, neuron: Any, u: torch.Tensor, given: torch.Tensor) -> "_Delta | None":
        """None if so many neurons are active, or so few are there, that dense products are
        faster."""
        most = break_even(*u.shape)
        if most <= 0 or u.device.type != "cpu":
            return None
        ends = compressed.counted(u.numpy(), *_limits(neuron), _ROWS)
        return cls(neuron, u, given, ends) if ends[-1] <= most * u.numel() else None

    def weights(
        self, trace: torch.Tensor | None, seen: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Gradients of weights, for inputs whose filtered signals are ``trace``, and of biases."""
        rows = compressed.by_neuron(*self.near, _ROWS, self.ends)
        values, neurons = self._values(rows), self.near[0].shape[1]
        by_bias = np.zeros((neurons, 1), values.dtype)
        compressed.add_product(rows.ends, rows.columns, values, seen[:, None].numpy(), by_bias)
        by_weight = None
        if trace is not None:
            by_weight = np.zeros((neurons, trace.shape[1]), values.dtype)
            compressed.add_product(rows.ends, rows.columns, values, trace.numpy(), by_weight)
        return (None if by_weight is None else torch.from_numpy(by_weight),
                torch.from_numpy(by_bias[:, 0]))

    def inputs(self, weight: torch.Tensor) -> torch.Tensor:
        """δ·W, (rows, inputs)."""
        rows = compressed.by_row(*self.near, int(self.ends[-1]))
        values = self._values(rows)
        by_x = np.zeros((len(self.near[0]), weight.shape[1]), values.dtype)
        compressed.add_product(rows.ends, rows.columns, values, weight.detach().numpy(), by_x)
        return torch.from_numpy(by_x)

    def _values(self, rows: compressed.Rows) -> npt.NDArray:
        slope = self.spike.inside(torch.from_numpy(rows.above))
        return (torch.from_numpy(rows.given) * slope).numpy()


def _limits(neuron: Any) -> tuple[float, float]:
    return float(neuron.threshold), neuron.spike_grad.band


def _stages(neuron: Any) -> tuple[float, list[torch.Tensor]]:
    """F of this neuron: a gain, and the decays of its leaks."""
    if isinstance(neuron, snn.Lapicque):
        electric: Any = neuron
        R, C, step = electric.R, electric.C, electric.time_step
        return R * (1 / (R * C)) * step, [torch.as_tensor(1 - step / (R * C))]
    decays = [neuron.beta.clamp(0, 1)]
    return 1.0, [neuron.alpha.clamp(0, 1), *decays] if isinstance(neuron, snn.Synaptic) else decays


def _filtered(neuron: Any, x: torch.Tensor) -> torch.Tensor:
    """F(x)."""
    gain, decays = _stages(neuron)
    x = x if gain == 1 else x * gain
    for decay in decays:
        x = Leak.apply(x, decay.to(x))  # type: ignore[assignment]
    return x


def _transposed(neuron: Any, y: torch.Tensor) -> torch.Tensor:
    """Fᵀ(y), in place."""
    gain, decays = _stages(neuron)
    for decay in decays:
        y = reverse_scan(y, decay.to(y))
    return y if gain == 1 else y.mul_(gain)
