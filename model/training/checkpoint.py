"""The state of a training loop in a file that holds tensors and plain numbers, no code."""

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import nn

from ...gen.errors import RunFolderError


def restore_weights(module: nn.Module, state: dict[str, Any]) -> None:
    """Gives ``module`` the weights of a :meth:`Trainer.state`; RunFolderError if they do not
    fit."""
    try:
        module.load_state_dict(state["model"])
    except (TypeError, RuntimeError, AttributeError) as error:
        raise RunFolderError(
            f"the checkpoint does not belong to the recipe ({first_line(error)}); "
            f"train anew"
        ) from error


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
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError,
            BadZipFile) as error:
        raise RunFolderError(
            f"{path} is no checkpoint, or was truncated ({first_line(error)}); "
            f"restore it, or train anew"
        ) from error
    if not isinstance(state, dict) or "model" not in state:
        raise RunFolderError(f"{path} is no checkpoint of spikewright; train anew")
    return state
