"""A neuron's spikes in torch: what :mod:`spikewright.model.surrogates` says in formulas."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from snntorch import surrogate

Elementwise = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Spike:
    """x = U − θ → spikes of x's own type, as neurons take it for ``spike_grad``;
    :func:`spikewright.model.surrogates.build` makes one."""

    name: str
    parameters: dict[str, float]
    forward: Literal["hard", "smooth"] = "hard"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        spikes: Any = _Fire.apply(x, self)
        return spikes

    def value(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes, without a gradient."""
        if self.forward == "hard":
            return (x > 0).to(x.dtype)
        return _SMOOTH[self.name].value(x, **self.parameters)

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        """By which gradients are multiplied, of x's shape."""
        h = _DERIVATIVES[self.name](x, **self.parameters)
        if self.forward == "smooth":
            h = h / _SMOOTH[self.name].area(**self.parameters)
        return h

    @property
    def hard(self) -> "Spike":
        """The same surrogate with spikes of 0 and 1."""
        return replace(self, forward="hard")


def from_snntorch(spike_grad: Any) -> Spike | None:
    """The same surrogate as a function that one of :mod:`snntorch.surrogate` returned; None for any
    other function, and for one made by ``custom_surrogate``."""
    name = getattr(spike_grad, "__qualname__", "").partition(".")[0]
    if getattr(spike_grad, "__module__", None) != surrogate.__name__ or name not in _DERIVATIVES:
        return None
    values = [cell.cell_contents for cell in spike_grad.__closure__ or ()]
    return Spike(name, dict(zip(spike_grad.__code__.co_freevars, values, strict=True)))


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, spike):
        ctx.save_for_backward(x)
        ctx.spike = spike
        return spike.value(x)

    @staticmethod
    def backward(ctx, grad_output):  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return grad_output * ctx.spike.derivative(x), None


def _fast_sigmoid(x: torch.Tensor, slope: float) -> torch.Tensor:
    return (x.abs() * slope + 1).square_().reciprocal_()


def _atan(x: torch.Tensor, alpha: float) -> torch.Tensor:
    return (x * (math.pi / 2 * alpha)).square_().add_(1).reciprocal_().mul_(alpha / 2)


def _sigmoid(x: torch.Tensor, slope: float) -> torch.Tensor:
    s = (x * slope).sigmoid_()
    return s * (1 - s) * slope


def _spike_rate_escape(x: torch.Tensor, beta: float, slope: float) -> torch.Tensor:
    return ((x - 1).abs_() * -beta).exp_() * slope


def _sso(x: torch.Tensor, mean: float, variance: float) -> torch.Tensor:
    return torch.where(x > 0, 1.0, (torch.rand_like(x) - 0.5 + mean) * variance)


_DERIVATIVES: dict[str, Elementwise] = {
    "fast_sigmoid": _fast_sigmoid,
    "atan": _atan,
    "sigmoid": _sigmoid,
    "straight_through_estimator": torch.ones_like,
    "triangular": lambda x, threshold: torch.where(x < 0, threshold, -threshold).to(x.dtype),
    "heaviside": lambda x: (x > 0).to(x.dtype),
    "spike_rate_escape": _spike_rate_escape,
    "SSO": _sso,
    "LSO": lambda x, slope: torch.where(x > 0, 1.0, slope).to(x.dtype),
    "SFS": lambda x, slope, B: _fast_sigmoid(x, slope) * (x > B),
}


class _Smooth(NamedTuple):
    """σ, and the area under h."""

    value: Elementwise
    area: Callable[..., float]


def _softsign(x: Any, k: float) -> Any:
    return x / (1 + k * abs(x))


def _escaped(x: torch.Tensor, beta: float, slope: float) -> torch.Tensor:
    # On each side of 1 with an exponent below 0, so that none overflows.
    tail = ((x - 1).abs() * -beta).exp() / 2
    return torch.where(x < 1, tail, 1 - tail)


def _sparse(x: torch.Tensor, slope: float, B: float) -> torch.Tensor:
    low = _softsign(B, slope)
    return (_softsign(x, slope) - low).clamp(min=0) / (1 / slope - low)


_SMOOTH: dict[str, _Smooth] = {
    "fast_sigmoid": _Smooth(lambda x, slope: 0.5 + 0.5 * slope * _softsign(x, slope),
                            lambda slope: 2 / slope),
    "atan": _Smooth(lambda x, alpha: (x * (math.pi / 2 * alpha)).atan() / math.pi + 0.5,
                    lambda alpha: 1.0),
    "sigmoid": _Smooth(lambda x, slope: (x * slope).sigmoid(), lambda slope: 1.0),
    "spike_rate_escape": _Smooth(_escaped, lambda beta, slope: 2 * slope / beta),
    "SFS": _Smooth(_sparse, lambda slope, B: 1 / slope - _softsign(B, slope)),
}
