"""Where a tensor in a forward pass came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

#: Modules by their paths, in the order in which a signal passes them.
Modules = tuple[tuple[str, nn.Module], ...]


@dataclass(frozen=True)
class Frame:
    """The network's input."""


@dataclass(frozen=True)
class Activity:
    """Spikes, or the state ``what``, of the neuron at ``path`` in timestep ``step``."""

    path: str
    step: int
    what: str = "spikes"


@dataclass(frozen=True)
class Nothing:
    """Zeros, from which states begin."""


@dataclass(frozen=True)
class Foreign:
    """The result of function ``name``, called at ``place``, from values of ``sources``."""

    name: str
    place: str
    sources: tuple["Value", ...] = ()


@dataclass(frozen=True)
class Value:
    """Numbers that ``modules`` (path, module) made, one after another, of ``origin``.

    ``shape`` is that in which the last of them gave the numbers, without the batch.
    """

    origin: Frame | Activity | Nothing | Foreign
    shape: tuple[int, ...]
    modules: Modules = ()


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether both hold the same numbers in the same order."""
    return a.numel() == b.numel() and torch.equal(a.reshape(-1).double(), b.reshape(-1).double())


def tensors(nested: Any) -> Iterator[torch.Tensor]:
    """All tensors in tuples, lists and dicts."""
    if isinstance(nested, torch.Tensor):
        yield nested
    elif isinstance(nested, dict):
        for value in nested.values():
            yield from tensors(value)
    elif isinstance(nested, (tuple, list)):
        for value in nested:
            yield from tensors(value)
