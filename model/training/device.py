"""Where tensors of a training live: the one place that chooses."""

from typing import Literal

import torch
from torch import nn

from ...gen.errors import RecipeError

Device = Literal["auto", "cpu", "cuda"]


def chosen(device: Device) -> torch.device:
    """The device that ``device`` names; "auto" is a GPU where PyTorch has one.

    Raises
    ------
    RecipeError
        If a GPU is asked for, but PyTorch has none.
    """
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise RecipeError("training.device is 'cuda', but PyTorch finds no such GPU; use 'auto' or "
                          "'cpu', or install a PyTorch built for it")
    return torch.device("cuda" if found and device != "cpu" else "cpu")


def of(module: nn.Module) -> torch.device:
    """Where the parameters of ``module`` are."""
    return next(module.parameters()).device
