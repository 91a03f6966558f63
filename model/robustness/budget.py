"""How much of a sample an attacker may change, for inputs as hardware takes them: whole numbers.

Attacks move a state z, which is continuous, so that momentum and small steps mean something; what
the net sees is always :meth:`Budget.apply` (z), a valid input inside the budget. Gradients pass
straight through the rounding.

==============  ====================================================================================
:class:`Level`  graded inputs x from 0 to M (pixels, counts, features as they were scaled): each
                changes by at most ε·M, and stays within 0 … M. z is the change, in units of ε·M
:class:`Flips`  binary inputs: at most k events of a sample are added or removed. z is how much
                each is wanted; the k most wanted are flipped
:class:`Shifts` binary inputs: at most k events of a sample happen a timestep earlier or later
==============  ====================================================================================

All x are (samples, timesteps, inputs). k is a share of the sample's own events, at least one.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch

from ...gen.errors import SpikewrightError

#: Bisections for the projection onto at most k events: float32 has no more digits.
_BISECTIONS = 24


class Budget(ABC):
    """What attacks need to know of the inputs that are allowed."""

    @abstractmethod
    def zero(self, x: torch.Tensor) -> torch.Tensor:
        """The z that changes nothing."""

    @abstractmethod
    def apply(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The input that z stands for."""

    @abstractmethod
    def gains(self, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """∂L/∂z, from the gradient with respect to inputs."""

    @abstractmethod
    def ascent(self, gains: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The steepest step of length 1, which spends the whole budget."""

    @abstractmethod
    def project(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The allowed z nearest to z."""

    @abstractmethod
    def mutate(
        self, z: torch.Tensor, x: torch.Tensor, share: float, generator: torch.Generator
    ) -> torch.Tensor:
        """z with that ``share`` of it drawn anew, at the border of the budget."""

    @abstractmethod
    def spent(self, changed: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """(samples,) share of the budget that an input takes; above 1 is outside."""


class Level(Budget):
    """Graded inputs; see this module.

    Parameters
    ----------
    epsilon
        Largest change, as a share of ``most``.
    most
        M.

    Raises
    ------
    SpikewrightError
        If ``epsilon`` is less than one level.
    """

    def __init__(self, epsilon: float, most: int):
        self.epsilon, self.most = epsilon, most
        # 8/255 of 255 must be 8, whatever floats make of it.
        self.levels = int(epsilon * most + 1e-6)
        if self.levels < 1:
            raise SpikewrightError(
                f"epsilon is {epsilon:.4g} of the largest input, {most}: less than one level, so "
                f"no input could change; give at least {1 / most:.4g}, or encode more bits"
            )

    def zero(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)

    def apply(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        change = (z * self.levels).round().clamp(-self.levels, self.levels)
        return (x + change).clamp(0, self.most)

    def gains(self, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return gradient * self.levels

    def ascent(self, gains: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return gains.sign()

    def project(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        low = (-x / self.levels).clamp(min=-1)
        return z.clamp(low, ((self.most - x) / self.levels).clamp(max=1))

    def mutate(
        self, z: torch.Tensor, x: torch.Tensor, share: float, generator: torch.Generator
    ) -> torch.Tensor:
        drawn = torch.rand(z.shape, generator=generator) < share
        signs = torch.randint(0, 2, z.shape, generator=generator).to(z.dtype) * 2 - 1
        return self.project(torch.where(drawn, signs, z), x)

    def spent(self, changed: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (changed - x).abs().flatten(1).amax(1) / self.levels


class _Events(Budget):
    """Choices of at most k moves in each sample; z and everything of its shape is (samples, …)."""

    def __init__(self, share: float):
        if not 0 < share <= 1:
            raise SpikewrightError(f"events is {share}; it is the share of a sample's events that "
                                   f"may change, above 0 and at most 1")
        self.share = share

    @abstractmethod
    def allowed(self, x: torch.Tensor) -> torch.Tensor:
        """Which moves there are."""

    @abstractmethod
    def moved(self, chosen: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """x after the chosen moves."""

    def count(self, x: torch.Tensor) -> torch.Tensor:
        """(samples,) k."""
        return (x.flatten(1).sum(1) * self.share + 1e-4).floor().clamp(min=1).long()

    def zero(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(self.allowed(x).shape, dtype=x.dtype, device=x.device)

    def apply(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.moved(self._most_wanted(z, x), x)

    def ascent(self, gains: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self._most_wanted(gains, x).to(gains.dtype)

    def project(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Onto 0 ≤ z ≤ 1, Σz ≤ k: what is above is taken from all alike."""
        z = torch.where(self.allowed(x), z, 0.0)
        k = self.count(x).to(z.dtype)
        flat = z.flatten(1)
        low, high = torch.zeros_like(k), flat.amax(1).clamp(min=0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = (flat - middle[:, None]).clamp(0, 1).sum(1) > k
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        much = flat.clamp(0, 1).sum(1) > k
        taken = torch.where(much, high, 0.0)
        return (flat - taken[:, None]).clamp(0, 1).view_as(z)

    def mutate(
        self, z: torch.Tensor, x: torch.Tensor, share: float, generator: torch.Generator
    ) -> torch.Tensor:
        # Wanted moves keep a score above that of all others, but for a share of them.
        scores = torch.rand(z.shape, generator=generator)
        kept = (z > 0) & (torch.rand(z.shape, generator=generator) >= share)
        return self._most_wanted(scores + kept, x).to(z.dtype)

    def _most_wanted(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The k highest of those above 0 that are allowed."""
        wanted = torch.where(self.allowed(x), z, 0.0).flatten(1)
        k = self.count(x)
        top = min(int(k.max()), wanted.shape[1])
        values, places = wanted.topk(top, 1)
        taken = (torch.arange(top, device=x.device) < k[:, None]) & (values > 0)
        return torch.zeros_like(wanted, dtype=torch.bool).scatter_(1, places, taken).view_as(z)


class Flips(_Events):
    """Events added, removed, or either (``kind``); see this module."""

    def __init__(self, share: float, kind: Literal["flip", "add", "remove"] = "flip"):
        super().__init__(share)
        self.kind = kind

    def allowed(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "flip":
            return torch.ones_like(x, dtype=torch.bool)
        return x == (0 if self.kind == "add" else 1)

    def moved(self, chosen: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.where(chosen, 1 - x, x)

    def gains(self, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return gradient * (1 - 2 * x)

    def spent(self, changed: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (changed != x).flatten(1).sum(1) / self.count(x)


class Shifts(_Events):
    """Events a timestep earlier (z[:, 0]) or later (z[:, 1]), where there is none yet; see this
    module."""

    def allowed(self, x: torch.Tensor) -> torch.Tensor:
        free = x == 0
        possible = torch.zeros(len(x), 2, *x.shape[1:], dtype=torch.bool, device=x.device)
        possible[:, 0, 1:] = (x[:, 1:] == 1) & free[:, :-1]
        possible[:, 1, :-1] = (x[:, :-1] == 1) & free[:, 1:]
        return possible

    def moved(self, chosen: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        earlier, later = chosen[:, 0], chosen[:, 1]
        # An event moves once, and onto a place that no other moves to.
        later = later & ~earlier
        later[:, :-2] &= ~earlier[:, 2:]
        moved = torch.where(earlier | later, 0.0, x).to(x.dtype)
        moved[:, :-1][earlier[:, 1:]] = 1
        moved[:, 1:][later[:, :-1]] = 1
        return moved

    def gains(self, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(x), 2, *x.shape[1:], dtype=gradient.dtype, device=x.device)
        found[:, 0, 1:] = gradient[:, :-1] - gradient[:, 1:]
        found[:, 1, :-1] = gradient[:, 1:] - gradient[:, :-1]
        return found

    def spent(self, changed: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        # Each moved event leaves a place and takes one; infinite if events were made or lost, or
        # moved further, which shows as sums over time that run apart by more than one.
        apart = (changed - x).cumsum(1)
        lawful = (apart.abs() <= 1).flatten(1).all(1) & (apart[:, -1] == 0).all(1)
        moves = apart.abs().flatten(1).sum(1) / self.count(x)
        return torch.where(lawful, moves, torch.inf)
