"""Spikes and the gradients that stand in for theirs, under the names of :mod:`snntorch.surrogate`.

With x = U − θ, a *hard* spike is 1 where x > 0 and lets gradients pass as a derivative h says. A
*smooth* one is the function σ whose derivative is h, in the forward pass too, so that gradients are
exact. h says nothing of σ's height, so σ is normalised to run from 0 to 1; its derivative is then
h divided by the area under h:

==========================  ===========================  =====================================
name                        h(x)                         σ(x)
==========================  ===========================  =====================================
fast_sigmoid                1/(1 + k|x|)²                ½ + ½·kx/(1 + k|x|)
atan                        (α/2)/(1 + (παx/2)²)         ½ + arctan(παx/2)/π
sigmoid                     k·s·(1 − s), s = σ(x)        1/(1 + exp(−kx))
spike_rate_escape           k·exp(−β|x − 1|)             ½·exp(β(x − 1)) below 1, else
                                                         1 − ½·exp(−β(x − 1))
SFS                         1/(1 + k|x|)² above B        (F(x) − F(B))/(1/k − F(B)) above B,
                                                         F(x) = x/(1 + k|x|)
straight_through_estimator  1                            none: the area is infinite
heaviside                   1 above 0                    none: the area is infinite
LSO                         1 above 0, else k            none: the area is infinite
triangular                  −θ from 0 on, else θ         none: it falls
SSO                         1 above 0, else random       none: it is random
==========================  ===========================  =====================================

The formulas are those of snnTorch 1.0.0, whose own ``LSO`` lacks an argument and fails, whose
``sigmoid`` divides infinity by infinity far below the threshold, and whose spikes are float32 even
where membranes are float64.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..gen.errors import RecipeError
from .fields import Part

if TYPE_CHECKING:
    import torch

    from .spikes import Spike

#: What each surrogate may be given, and snnTorch's defaults.
DEFAULTS: dict[str, dict[str, float]] = {
    "fast_sigmoid": {"slope": 25},
    "atan": {"alpha": 2.0},
    "sigmoid": {"slope": 25},
    "straight_through_estimator": {},
    "triangular": {"threshold": 1},
    "heaviside": {},
    "spike_rate_escape": {"beta": 1, "slope": 25},
    "SSO": {"mean": 0, "variance": 0.2},
    "LSO": {"slope": 0.1},
    "SFS": {"slope": 25, "B": 1},
}

#: Names of what each may be given.
PARAMETERS: dict[str, tuple[str, ...]] = {name: tuple(p) for name, p in DEFAULTS.items()}

#: The parameter that a sweep over slopes varies; of those without one there is a single kind.
STEEPNESS: dict[str, str] = {
    "fast_sigmoid": "slope",
    "atan": "alpha",
    "sigmoid": "slope",
    "triangular": "threshold",
    "spike_rate_escape": "slope",
    "SSO": "variance",
    "LSO": "slope",
    "SFS": "slope",
}

#: Those that have a smooth form.
SMOOTH = ("fast_sigmoid", "atan", "sigmoid", "spike_rate_escape", "SFS")


class Surrogate(Part):
    """Surrogate gradient, by the name of its function in :mod:`snntorch.surrogate`."""

    name: str = "fast_sigmoid"
    #: What neurons send: 0 and 1, or while floats are trained the smooth function between them.
    forward: Literal["hard", "smooth"] = "hard"
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
        if self.forward == "smooth" and self.name not in SMOOTH:
            raise ValueError(_not_smooth(self.name))
        return self

    def given(self) -> dict[str, float]:
        """The parameters that are set."""
        return self.model_dump(exclude={"name", "forward"}, exclude_none=True)

    def build(self) -> "Spike":
        """The function that neurons take as ``spike_grad``."""
        return build(self.name, forward=self.forward, **self.given())


def sweep(names: Iterable[str], slopes: Iterable[float]) -> list[Surrogate]:
    """Every surrogate of ``names`` at every one of ``slopes``, which is what :data:`STEEPNESS`
    calls each one's own parameter; once those that have none.

    Raises
    ------
    RecipeError
        If a name is unknown, or a slope not above 0.
    """
    slopes, found = list(slopes), []
    for name in names:
        if name not in PARAMETERS:
            raise RecipeError(f"surrogate {name!r} is unknown; allowed are "
                              f"{', '.join(sorted(PARAMETERS))}")
        if min(slopes, default=1) <= 0:
            raise RecipeError(f"slopes are {slopes}; every one must be above 0")
        parameter = STEEPNESS.get(name)
        found += ([Surrogate.model_validate({"name": name, parameter: slope}) for slope in slopes]
                  if parameter else [Surrogate(name=name)])
    return found


SpikeGrad = Callable[["torch.Tensor"], "torch.Tensor"]


def build(
    name: str, *, forward: Literal["hard", "smooth"] = "hard", **parameters: float
) -> "Spike":
    """The surrogate ``name``, with snnTorch's defaults for ``parameters`` that are not given.

    Raises
    ------
    RecipeError
        If it is to be smooth, but has no smooth form.
    """
    from .spikes import Spike

    if forward == "smooth" and name not in SMOOTH:
        raise RecipeError(_not_smooth(name))
    return Spike(name, DEFAULTS[name] | parameters, forward)


def _not_smooth(name: str) -> str:
    return (f"{name} is no derivative of a function from 0 to 1, so it has no smooth form; use "
            f"{', '.join(SMOOTH)}, or forward = 'hard'")
