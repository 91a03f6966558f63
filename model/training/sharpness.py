"""Sharpness-aware minimisation (Foret et al. 2021): the gradient where the loss is worst nearby.

With g the gradient at the weights w, the next step is taken at w along the gradient at::

    w + ρ·g/‖g‖₂            ‖g‖₂ over all weights together

On a net of smooth spikes this is sharpness-aware surrogate training (SAST, arXiv 2604.09696).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def climbed(parameters: Iterable[nn.Parameter], rho: float) -> Iterator[None]:
    """Moves ``parameters`` that have gradients to w + ρ·g/‖g‖₂ and, bit for bit, back to w."""
    moved = [(p, p.grad, p.detach().clone()) for p in parameters if p.grad is not None]
    with torch.no_grad():
        norm = torch.stack([grad.norm() for _, grad, _ in moved]).norm()
        # Without a gradient there is nowhere to climb.
        scale = torch.where(norm > 0, rho / norm, 0.0)
        for parameter, grad, _ in moved:
            parameter.add_(grad * scale)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, _, weights in moved:
                parameter.copy_(weights)
