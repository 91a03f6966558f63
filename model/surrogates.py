"""Surrogate gradients under the names of :mod:`snntorch.surrogate`.

With x = U − θ, every one spikes where x > 0 and lets gradients pass as its derivative says.
snnTorch's own functions are used, but for two that fail in its version 1.0.0: ``LSO`` lacks an
argument, and ``sigmoid`` divides infinity by infinity far below the threshold.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator, model_validator

from .fields import Part

if TYPE_CHECKING:
    import torch

#: What each surrogate may be given.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "fast_sigmoid": ("slope",),
    "atan": ("alpha",),
    "sigmoid": ("slope",),
    "straight_through_estimator": (),
    "triangular": ("threshold",),
    "heaviside": (),
    "spike_rate_escape": ("beta", "slope"),
    "SSO": ("mean", "variance"),
    "LSO": ("slope",),
    "SFS": ("slope", "B"),
}

class Surrogate(Part):
    """Surrogate gradient, by the name of its function in :mod:`snntorch.surrogate`."""

    name: str = "fast_sigmoid"
    slope: float | None = Field(default=None, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    beta: float | None = Field(default=None, gt=0)
    mean: float | None = None
    variance: float | None = Field(default=None, gt=0)
    B: float | None = None
    threshold: float | None = Field(default=None, gt=0)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PARAMETERS:
            raise ValueError(f"{name!r} is unknown; allowed are {', '.join(sorted(PARAMETERS))}")
        return name

    @model_validator(mode="after")
    def _parameters(self) -> Self:
        allowed = PARAMETERS[self.name]
        for given in self.given():
            if given not in allowed:
                raise ValueError(f"{self.name} has no {given}; it takes "
                                 f"{', '.join(allowed) or 'no parameters'}")
        return self

    def given(self) -> dict[str, float]:
        """The parameters that are set."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


SpikeGrad = Callable[["torch.Tensor"], "torch.Tensor"]


def build(name: str, **parameters: float) -> SpikeGrad:
    """The surrogate ``name``, with snnTorch's defaults for ``parameters`` that are not given."""
    import torch
    from snntorch import surrogate

    match name:
        case "sigmoid":
            slope = parameters.get("slope", 25)

            def derivative(x: torch.Tensor) -> torch.Tensor:
                s = torch.sigmoid(slope * x)
                return slope * s * (1 - s)
        case "LSO":
            slope = parameters.get("slope", 0.1)

            def derivative(x: torch.Tensor) -> torch.Tensor:
                return torch.where(x > 0, 1.0, slope)
        case _:
            return getattr(surrogate, name)(**parameters)
    return _heaviside_with(derivative)


def _heaviside_with(derivative: SpikeGrad) -> SpikeGrad:
    import torch

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x > 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return grad_output * derivative(x)

    return Spike.apply  # type: ignore[return-value]
