"""The training loop, for float nets and for nets in integers alike.

A loop's whole state is what :meth:`Trainer.state` returns, random numbers included, so a run that
was stopped after any epoch goes on to the same weights, bit for bit, as one that was not. (On a GPU
only as nearly as its sums repeat.)
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch.functional as SF
import torch
from torch import nn

from ...gen.errors import MALFORMED, RunFolderError
from ...gen.spec import NetworkSpec, Readout
from ...gen.stimulus import Stimulus
from ..data.augmentation import distort
from ..readouts import SPIKE_COUNT, Activity, scores
from . import device, gradient_sparsity, penalties
from .checkpoint import first_line, restore_weights
from .settings import Training
from .sharpness import climbed

#: Samples that are evaluated at once, and inputs that they may have together.
_EVALUATION_BATCH = 512
_EVALUATION_ELEMENTS = 1 << 23

Forward = Callable[[torch.Tensor], Activity]


class Trainer:
    """Trains ``module`` on ``samples``.

    Parameters
    ----------
    module
        Holds the parameters; moved to the device that ``settings`` name.
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
    network
        What hardware will run, weights aside; only a penalty on its cycles needs it.
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
        network: NetworkSpec | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
    ):
        self.module, self.forward, self.settings = module, forward, settings
        self.input_shape, self.readout = input_shape, readout
        self.device = device.chosen(settings.device)
        module.to(self.device)
        self.epochs = epochs or settings.epochs
        self.learning_rate = learning_rate or settings.learning_rate
        self.x = torch.from_numpy(samples.spikes)
        self.y = torch.from_numpy(samples.labels)
        #: Largest input.
        self.full_scale = max(1.0, float(self.x.max()))
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=self.learning_rate, weight_decay=settings.weight_decay
        )
        rates = {}
        if settings.loss == "mse_count_loss":
            rates = {"correct_rate": settings.correct_rate,
                     "incorrect_rate": settings.incorrect_rate}
        self.loss = getattr(SF, settings.loss)(**rates)
        self.penalties = penalties.chosen(settings.penalty, network)
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
            x, y = x.transpose(0, 1).to(self.device), self.y[which].to(self.device)
            activity, objective = self._step(x, y)
            total += objective * len(which)
            correct += int((scores(self.readout, activity.votes).argmax(1) == y).sum())
        self.epoch += 1
        return {"loss": total / len(self.x), "accuracy": correct / len(self.x)}

    def objective(self, activity: Activity, y: torch.Tensor) -> torch.Tensor:
        """What training makes small: the loss of the votes, and every penalty on the activity."""
        loss = self.loss(activity.votes, y)
        for penalty in self.penalties:
            loss = loss + penalty(activity)
        return loss

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[Activity, float]:
        """One step of the optimizer; activity and objective before it.

        Sharpness-aware, the gradient is that of nearby weights, with dropout drawn anew.
        """
        activity, objective = self._gradients(x, y)
        if self.settings.sharpness:
            with climbed(self.module.parameters(), self.settings.sharpness):
                self._gradients(x, y)
        self.optimizer.step()
        return activity, objective

    def _gradients(self, x: torch.Tensor, y: torch.Tensor) -> tuple[Activity, float]:
        """Gives every parameter its gradient; activity and objective."""
        activity = self.forward(x)
        objective = self.objective(activity, y)
        if self.settings.gradient_sparsity:
            objective = objective + self.settings.gradient_sparsity * gradient_sparsity.penalty(
                self.module, self.forward, x, y, self.readout, full_scale=self.full_scale)
        self.optimizer.zero_grad()
        objective.backward()
        return activity, objective.item()

    def state(self) -> dict[str, Any]:
        """All that decides how training goes on, in tensors and plain numbers."""
        return {
            "epoch": self.epoch,
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            # Dropout draws where the tensors are.
            **({"gpu random": torch.cuda.get_rng_state()} if self.device.type == "cuda" else {}),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a :meth:`state`; RunFolderError if it is of another net, and nothing has
        changed."""
        before = copy.deepcopy(self.state())
        restore_weights(self.module, state)
        try:
            self._go_on(state)
        except (*MALFORMED, RuntimeError) as error:
            restore_weights(self.module, before)
            self._go_on(before)
            raise RunFolderError(
                f"the checkpoint does not belong to the recipe ({first_line(error)}); train anew"
            ) from error

    def _go_on(self, state: dict[str, Any]) -> None:
        epoch = int(state["epoch"])
        if not 0 <= epoch <= self.epochs:
            raise ValueError(f"{epoch} of {self.epochs} epochs are behind it")
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, kept in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                if kept[name].shape != parameter.shape:
                    raise ValueError(f"{name} has shape {tuple(kept[name].shape)}")
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and "gpu random" in state:
            torch.cuda.set_rng_state(state["gpu random"])
        self.epoch = epoch


def seeded(seed: int) -> None:
    """Makes all that follows in torch depend on ``seed`` alone, not on the number of cores."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)


def activities(module: nn.Module, forward: Forward, samples: Stimulus) -> Iterator[Activity]:
    """What ``module`` does with ``samples``, as many at once as fit into memory, in order."""
    module.eval()
    _, frames, inputs = samples.spikes.shape
    batch = max(1, min(_EVALUATION_BATCH, _EVALUATION_ELEMENTS // (frames * inputs)))
    for start in range(0, len(samples), batch):
        x = torch.from_numpy(samples.spikes[start : start + batch]).float().transpose(0, 1)
        with torch.no_grad():
            yield forward(x.to(device.of(module)))


def decisions(readout: Readout, activity: Activity) -> npt.NDArray[np.int64]:
    """Class of the highest score for each sample; the lowest among equals, as in hardware."""
    return scores(readout, activity.votes).cpu().numpy().argmax(axis=1)


def accuracy(
    module: nn.Module, forward: Forward, samples: Stimulus, readout: Readout = SPIKE_COUNT
) -> float:
    """Fraction of ``samples`` that are classified as labelled."""
    found = [decisions(readout, activity) for activity in activities(module, forward, samples)]
    return float((np.concatenate(found) == samples.labels).mean())
