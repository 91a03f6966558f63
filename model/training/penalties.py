"""What training pays for beside mistakes: terms of the loss that read a net's activity."""

from collections.abc import Callable

import torch

from ..readouts import Activity
from .settings import Training

Penalty = Callable[[Activity], torch.Tensor]


def chosen(settings: Training) -> list[Penalty]:
    """The penalties that ``settings`` ask for."""
    found: list[Penalty] = []
    if settings.spike_penalty:
        found.append(lambda activity: settings.spike_penalty * activity.fired.mean())
    return found
