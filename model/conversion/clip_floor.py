"""The activation that a non-leaky neuron has anyway, so that training already knows it.

Bu et al. 2022, "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural
Networks" (QCFS).
"""

from typing import Any

import torch
from torch import nn

from ...gen.errors import SpecError


class ClipFloor(nn.Module):
    """``λ·clip(⌊x·L/λ + φ⌋/L, 0, 1)``: what L timesteps of a neuron with threshold λ say of x.

    λ is trained; gradients pass the floor as if it were not there, and the clip inside [0, λ].

    Parameters
    ----------
    levels
        L, at least 1: the timesteps that the spiking net is meant for.
    scale
        λ before training.
    shift
        φ. ½ leaves no error on average, and is what
        :func:`spikewright.model.conversion.conversion.convert` gives neurons unless told otherwise.
    """

    def __init__(self, levels: int, scale: float = 2.0, shift: float = 0.5):
        super().__init__()
        if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
            raise SpecError(f"levels is {levels!r}; an integer of at least 1 is needed: the "
                            f"timesteps of the spiking net")
        if not scale > 0:
            raise SpecError(f"scale is {scale!r}; it must be above 0")
        self.levels, self.shift = levels, shift
        self.scale = nn.Parameter(torch.tensor(float(scale)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        share = (x / self.scale).clamp(0, 1)
        floor: Any = _Floor.apply(share * self.levels + self.shift)
        return floor.clamp(0, self.levels) / self.levels * self.scale


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.floor()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def clip_floored(ann: nn.Module, levels: int, scale: float = 2.0) -> nn.Module:
    """``ann`` with a :class:`ClipFloor` in place of each nn.ReLU, which it shares no longer; train
    it, or train it on, then convert it with ``timesteps=levels``. Changes ``ann`` itself."""
    for name, child in ann.named_children():
        if type(child) is nn.ReLU:
            setattr(ann, name, ClipFloor(levels, scale))
        else:
            clip_floored(child, levels, scale)
    return ann
