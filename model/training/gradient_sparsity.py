"""Gradient-sparsity regularisation (Liu et al., arXiv 2405.20355): a net whose decision depends on
few inputs is hard to fool by a small change of all of them.

With f the probability of the right class, x the inputs and v = sign(∇ₓ f)::

    mean over samples of ((f(x + h·v) − f(x))/h)²

which for small h is the square of ‖∇ₓ f‖₁, without second derivatives. v is a constant; gradients
flow through both f.
"""

from collections.abc import Callable

import torch
from torch import nn

from ...gen.spec import Readout
from ..readouts import Activity, logits

#: h, as a share of the largest input.
STEP = 1e-2


def penalty(
    module: nn.Module,
    forward: Callable[[torch.Tensor], Activity],
    x: torch.Tensor,
    y: torch.Tensor,
    readout: Readout,
    *,
    full_scale: float = 1.0,
) -> torch.Tensor:
    """The term above for inputs x (timesteps, batch, inputs) from 0 to ``full_scale`` and classes
    y (batch,), without dropout, which would be drawn differently for each f."""

    def probability(x: torch.Tensor) -> torch.Tensor:
        return logits(readout, forward(x).votes).softmax(1).gather(1, y[:, None])

    trains = module.training
    module.eval()
    try:
        x = x.detach().requires_grad_()
        before = probability(x)
        (gradient,) = torch.autograd.grad(before.sum(), x, retain_graph=True)
        after = probability(x.detach() + STEP * full_scale * gradient.sign())
    finally:
        module.train(trains)
    return ((after - before) / STEP).square().mean()
