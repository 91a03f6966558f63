"""Attacks on the inputs of a net: gradient ascent within a budget, and a search without gradients.

With the loss L, the state z of :mod:`.budget`, the step η and the steepest ascent d::

    FGSM     z = d(∂L/∂z), once                                    Goodfellow et al. 2015
    PGD      z ← P(z + η·d)                                        Madry et al. 2018
    APGD     z' = P(z + η·d),  z ← P(z + α(z' − z) + (1 − α)(z − z_before))      Croce & Hein 2020

For graded inputs d is the sign and P clips, which is each method as published; for events d is the
choice of k moves that the gradient promises most of. APGD begins with η = 2 and α = ¾ (1 in the
first step); at checkpoints it halves η and returns to the best z if the loss rose in less than ¾
of the steps since the last one, or neither η nor the best loss changed. Every attack begins at the
unchanged input, and the worst input met on the way counts.

No library is behind this: Foolbox, torchattacks and ART attack images within continuous bounds, so
what they find is no input of an integer net, and none of them adds, removes or moves binary events.
Foolbox has no APGD; torchattacks asks for packages of 2021. Foolbox is the oracle of the tests for
FGSM and PGD, where it is installed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from .budget import Budget

#: Inputs (samples, timesteps, inputs) → logits with gradients, and the scores whose first highest
#: is the decision; (samples, classes) each.
Net = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

#: ρ of APGD: share of steps that have to raise the loss.
_RISING = 0.75


@dataclass(frozen=True)
class Ascent:
    """An attack along gradients."""

    name: str
    steps: int
    #: η, as a share of the budget.
    step: float
    #: APGD: momentum, and η halved at checkpoints.
    adaptive: bool = False
    loss: Literal["cross entropy", "margin"] = "cross entropy"


#: By name. PGD's 8/255 in steps of 2.55/255; APGD climbs the margin, which does not saturate.
ASCENTS = {
    ascent.name: ascent for ascent in (
        Ascent("fgsm", 1, 1.0),
        Ascent("pgd", 7, 2.55 / 8),
        Ascent("apgd", 20, 2.0, adaptive=True, loss="margin"),
    )
}


class Found(NamedTuple):
    """The worst input met for each sample, whether it is decided wrongly, and its loss."""

    x: torch.Tensor
    fooled: torch.Tensor
    loss: torch.Tensor


def margin(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(samples,) by how much the best wrong class is ahead of the right one."""
    wrong = logits.scatter(1, y[:, None], -torch.inf).amax(1)
    return wrong - logits.gather(1, y[:, None])[:, 0]


def checkpoints(steps: int) -> list[int]:
    """Steps after which APGD looks back: pⱼ₊₁ = pⱼ + max(pⱼ − pⱼ₋₁ − 0.03, 0.06) of all steps,
    from 0 and 0.22."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return sorted({max(1, round(share * steps)) for share in shares[1:] if share <= 1})


def ascend(
    attack: Ascent, net: Net, budget: Budget, x: torch.Tensor, y: torch.Tensor
) -> Found:
    """The worst inputs that ``attack`` finds near x (samples, timesteps, inputs) of classes y."""
    judge = margin if attack.loss == "margin" else (
        lambda scores, y: functional.cross_entropy(scores, y, reduction="none"))

    def look(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Input, loss, its ∂L/∂z, and whether the input is decided wrongly."""
        seen = budget.apply(z, x).detach().requires_grad_()
        logits, scores = net(seen)
        loss = judge(logits, y)
        (gradient,) = torch.autograd.grad(loss.sum(), seen)
        return (seen.detach(), loss.detach(), budget.gains(gradient, x),
                scores.argmax(1) != y)

    z = before = best_z = budget.zero(x)
    worst, loss, gains, fooled = look(z)
    best, best_gains, wide = loss, gains, (-1, *[1] * (z.ndim - 1))
    size = torch.full_like(loss, attack.step)
    checked, last = checkpoints(attack.steps), 0
    rises = torch.zeros_like(loss)
    best_then, size_then = best, size
    for step in range(1, attack.steps + 1):
        moved = budget.project(z + size.view(wide) * budget.ascent(gains, x), x)
        if attack.adaptive and step > 1:
            moved = budget.project(z + 0.75 * (moved - z) + 0.25 * (z - before), x)
        before, z = z, moved
        seen, reached, gains, wrong = look(z)
        rises += reached > loss
        loss = reached
        # Inputs that fool come first, then those of higher loss.
        better = (wrong & ~fooled) | ((wrong == fooled) & (loss > best))
        worst = torch.where(better.view(-1, 1, 1), seen, worst)
        fooled = fooled | wrong
        higher = loss > best
        best = torch.maximum(best, loss)
        best_z = torch.where(higher.view(wide), z, best_z)
        best_gains = torch.where(higher.view(wide), gains, best_gains)
        if attack.adaptive and step in checked:
            stuck = (rises < _RISING * (step - last)) | ((size == size_then) & (best == best_then))
            best_then, size_then, last = best, size, step
            rises = torch.zeros_like(rises)
            size = torch.where(stuck, size / 2, size)
            z = torch.where(stuck.view(wide), best_z, z)
            gains = torch.where(stuck.view(wide), best_gains, gains)
    return Found(worst, fooled, best)


def search(
    net: Net, budget: Budget, x: torch.Tensor, y: torch.Tensor, *, queries: int, seed: int
) -> Found:
    """Random search (after Square Attack, Andriushchenko et al. 2020): a change at the border of
    the budget, a share of which is drawn anew for each query, half of it at first, a hundredth in
    the end; what raises the margin is kept. Looks at scores only, so no gradient can mislead it."""
    generator = torch.Generator().manual_seed(seed)
    z = budget.zero(x)
    with torch.no_grad():
        _, scores = net(x)
        worst, best, fooled = x, margin(scores, y), scores.argmax(1) != y
        for query in range(queries):
            share = 1.0 if query == 0 else 0.5 * 0.02 ** (query / queries)
            tried = budget.mutate(z, x, share, generator)
            seen = budget.apply(tried, x)
            _, scores = net(seen)
            reached, wrong = margin(scores, y), scores.argmax(1) != y
            better = (wrong & ~fooled) | ((wrong == fooled) & (reached >= best))
            worst = torch.where(better.view(-1, 1, 1), seen, worst)
            z = torch.where(better.view(-1, *[1] * (z.ndim - 1)), tried, z)
            best = torch.where(better, reached, best)
            fooled = fooled | wrong
    return Found(worst, fooled, best)
