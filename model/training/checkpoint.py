"""The state of a training loop in a file that holds tensors and plain numbers, no code."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...gen.errors import RunFolderError


def restore_weights(module: nn.Module, state: dict[str, Any]) -> None:
    """Gives ``module`` the weights of a :meth:`Trainer.state`; RunFolderError if they do not fit,
    of which none is then taken."""
    if problem := _misfit(module.state_dict(), state.get("model")):
        raise RunFolderError(f"the checkpoint does not belong to the recipe ({problem}); train "
                             f"anew")
    module.load_state_dict(state["model"])


def _misfit(own: Mapping[str, Any], given: Any) -> str | None:
    """Why the tensors ``given`` cannot take the place of a module's ``own``."""
    if not isinstance(given, Mapping):
        return f"its model is a {type(given).__name__}"
    if others := own.keys() ^ given.keys():
        return f"only one of them has {sorted(map(str, others))[0]:.50}"
    for name, tensor in own.items():
        other = given[name]
        if not isinstance(tensor, torch.Tensor) or not isinstance(other, torch.Tensor):
            return f"{name} is a {type(other).__name__}"
        if other.is_nested or (other.layout, other.is_meta) != (torch.strided, False):
            return f"{name} is no plain tensor"
        if (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            return (f"{name} is {other.dtype} of shape {tuple(other.shape)}, not {tensor.dtype} of "
                    f"shape {tuple(tensor.shape)}")
    return None


def first_line(error: Exception) -> str:
    """What ``error`` says, on one short line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a state that :func:`load` reads."""
    torch.save(state, path)


def load(path: Path) -> dict[str, Any]:
    """A state, read without running any code that a file may bring along.

    Raises
    ------
    RunFolderError
        If the file is missing, truncated, or holds anything but tensors and plain values.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read ({error.strerror or error})") from error
    try:
        state = torch.load(BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # of the restricted unpickler, which fails in many forms
        raise RunFolderError(
            f"{path} is no checkpoint, or was truncated ({first_line(error)}); "
            f"restore it, or train anew"
        ) from error
    if not isinstance(state, dict) or "model" not in state:
        raise RunFolderError(f"{path} is no checkpoint of spikewright; train anew")
    return state
