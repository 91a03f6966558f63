"""The training loop, for float nets and for nets in integers alike.

A loop's whole state is what :meth:`Trainer.state` returns, random numbers included, so a run that
was stopped after any epoch goes on to the same weights, bit for bit, as one that was not.
"""

import math
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import snntorch.functional as SF
import torch
from torch import nn

from ..gen.errors import RunFolderError
from ..gen.spec import Readout
from ..gen.stimulus import Stimulus
from .augmentation import distort
from .readouts import SPIKE_COUNT, Activity, scores
from .recipe import Training

#: Samples that are evaluated at once, and inputs that they may have together.
_EVALUATION_BATCH = 512
_EVALUATION_ELEMENTS = 1 << 23

Forward = Callable[[torch.Tensor], Activity]


class Trainer:
    """Trains ``module`` on ``samples``.

    Parameters
    ----------
    module
        Holds the parameters.
    forward
        Inputs (timesteps, batch, inputs), a current's timesteps being one → what the net did.
    samples
        Training samples.
    input_shape
        (polarity, y, x), on which samples are distorted.
    settings
        Batch, loss and so on.
    readout
        How activity is judged.
    epochs, learning_rate
        In place of those of ``settings``, for quantisation-aware training.
    """

    def __init__(
        self,
        module: nn.Module,
        forward: Forward,
        samples: Stimulus,
        input_shape: tuple[int, ...],
        settings: Training,
        *,
        readout: Readout = SPIKE_COUNT,
        epochs: int | None = None,
        learning_rate: float | None = None,
    ):
        self.module, self.forward, self.settings = module, forward, settings
        self.input_shape, self.readout = input_shape, readout
        self.epochs = epochs or settings.epochs
        self.learning_rate = learning_rate or settings.learning_rate
        self.x = torch.from_numpy(samples.spikes)
        self.y = torch.from_numpy(samples.labels)
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=self.learning_rate, weight_decay=settings.weight_decay
        )
        rates = {}
        if settings.loss == "mse_count_loss":
            rates = {"correct_rate": settings.correct_rate,
                     "incorrect_rate": settings.incorrect_rate}
        self.loss = getattr(SF, settings.loss)(**rates)
        #: Epochs behind us.
        self.epoch = 0

    def train_epoch(self) -> dict[str, float]:
        """One pass over the samples in random order; mean loss and accuracy during it."""
        self.module.train()
        rate = self.learning_rate * 0.5 * (1 + math.cos(math.pi * self.epoch / self.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        order = torch.randperm(len(self.x))
        total, correct = 0.0, 0
        for which in order.split(self.settings.batch):
            x = distort(self.x[which].float(), self.input_shape, self.settings.augmentation)
            y = self.y[which]
            activity = self.forward(x.transpose(0, 1))
            loss = self.loss(activity.votes, y)
            if self.settings.spike_penalty:
                loss = loss + self.settings.spike_penalty * activity.fired.mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(which)
            correct += int((scores(self.readout, activity.votes).argmax(1) == y).sum())
        self.epoch += 1
        return {"loss": total / len(self.x), "accuracy": correct / len(self.x)}

    def state(self) -> dict[str, Any]:
        """All that decides how training goes on, in tensors and plain numbers."""
        return {
            "epoch": self.epoch,
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a :meth:`state`; RunFolderError if it is of another net."""
        restore_weights(self.module, state)
        try:
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["random"])
            self.epoch = int(state["epoch"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunFolderError(
                f"the checkpoint does not belong to the recipe ({_first_line(error)}); train anew"
            ) from error


def restore_weights(module: nn.Module, state: dict[str, Any]) -> None:
    """Gives ``module`` the weights of a :meth:`Trainer.state`; RunFolderError if they do not
    fit."""
    try:
        module.load_state_dict(state["model"])
    except (TypeError, RuntimeError, AttributeError) as error:
        raise RunFolderError(
            f"the checkpoint does not belong to the recipe ({_first_line(error)}); "
            f"train anew"
        ) from error


def seeded(seed: int) -> None:
    """Makes all that follows in torch depend on ``seed`` alone, not on the number of cores."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)


def predictions(
    module: nn.Module, forward: Forward, samples: Stimulus, readout: Readout = SPIKE_COUNT
) -> npt.NDArray[np.int64]:
    """Class of the highest score for each sample; the lowest among equals, as in hardware."""
    module.eval()
    found = []
    _, frames, inputs = samples.spikes.shape
    batch = max(1, min(_EVALUATION_BATCH, _EVALUATION_ELEMENTS // (frames * inputs)))
    with torch.no_grad():
        for start in range(0, len(samples), batch):
            x = torch.from_numpy(samples.spikes[start : start + batch]).float().transpose(0, 1)
            found.append(scores(readout, forward(x).votes).numpy().argmax(axis=1))
    return np.concatenate(found)


def accuracy(
    module: nn.Module, forward: Forward, samples: Stimulus, readout: Readout = SPIKE_COUNT
) -> float:
    """Fraction of ``samples`` that are classified as labelled."""
    return float((predictions(module, forward, samples, readout) == samples.labels).mean())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a state that :func:`load_checkpoint` reads."""
    torch.save(state, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
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
            f"{path} is no checkpoint, or was truncated ({_first_line(error)}); "
            f"restore it, or train anew"
        ) from error
    if not isinstance(state, dict) or "model" not in state:
        raise RunFolderError(f"{path} is no checkpoint of spikewright; train anew")
    return state
