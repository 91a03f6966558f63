"""From the last layer's activity to a decision, as :mod:`spikewright.gen.coding`, but in torch."""

from typing import NamedTuple

import torch

from ..gen.spec import Readout, ReadoutKind

#: The highest number of spikes decides.
SPIKE_COUNT = Readout()


class Activity(NamedTuple):
    """What a net did with a batch: ``votes`` (timesteps, batch, classes), which losses and
    :func:`scores` take, ``spikes`` of every layer, (timesteps, batch, neurons) each, and the
    ``inputs`` that it got, (timesteps, batch, inputs), one timestep of those that are held."""

    votes: torch.Tensor
    spikes: tuple[torch.Tensor, ...]
    inputs: torch.Tensor

    @property
    def fired(self) -> torch.Tensor:
        """(batch,) spikes of all layers but the last."""
        hidden = [layer.sum((0, 2)) for layer in self.spikes[:-1]]
        return torch.stack(hidden).sum(0) if hidden else self.votes.new_zeros(self.votes.shape[1])


def votes(readout: Readout, spikes: torch.Tensor, membranes: torch.Tensor) -> torch.Tensor:
    """(timesteps, batch, classes) from spikes or membranes (timesteps, batch, neurons)."""
    chosen = membranes if readout.kind is ReadoutKind.MEMBRANE else spikes
    groups = chosen.unflatten(2, (-1, readout.population))
    return groups.amax(3) if readout.kind is ReadoutKind.FIRST_SPIKE else groups.sum(3)


def scores(readout: Readout, votes: torch.Tensor) -> torch.Tensor:
    """(batch, classes); the highest is the prediction, of equals the first."""
    if readout.kind is not ReadoutKind.FIRST_SPIKE:
        return votes.sum(0)
    first = torch.where(votes.any(0), len(votes) - (votes > 0).to(torch.uint8).argmax(0), 0)
    if readout.early_exit:
        first = torch.where(first == first.amax(1, keepdim=True), first, 0)
    return first


def logits(readout: Readout, votes: torch.Tensor) -> torch.Tensor:
    """(batch, classes) with gradients; :func:`scores`, but of first spikes all count, each by the
    timesteps that are left."""
    if readout.kind is not ReadoutKind.FIRST_SPIKE:
        return votes.sum(0)
    left = torch.arange(len(votes), 0, -1, dtype=votes.dtype, device=votes.device)
    return (votes * (left / len(votes))[:, None, None]).sum(0)
