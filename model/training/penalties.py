"""What training pays for beside mistakes: terms of the loss that read a net's activity.

Over the samples of a batch, timesteps t and the neurons n of hidden layers l, with spikes s::

    spikes    Σₗ λₗ · mean_samples Σₜₙ sₜₙ
    excess    Σₗ εₗ · mean_n max(0, mean_samples,t sₜₙ − ρₗ)²      ρ: rate
    cycles    κ · mean_samples C

The first is the plain price of a spike (an L1 norm, since spikes are 0 or 1), the second an upper
bound on the rate of each neuron (Zenke & Vogels 2021, "The Remarkable Robustness of Surrogate
Gradient Learning"), which leaves those below it alone. C is what the cycle model says, with
gradients: see :mod:`.latency`. A spike costs cycles only where something waits for it, so this one
buys time where the others buy quiet.
"""

from collections.abc import Callable

import torch

from ...gen.errors import RecipeError
from ...gen.folding_options import folding_of
from ...gen.spec import NetworkSpec
from ..readouts import Activity
from .latency import Latency
from .penalty import Penalty

Term = Callable[[Activity], torch.Tensor]


def chosen(penalty: Penalty, network: NetworkSpec | None = None) -> list[Term]:
    """The terms that ``penalty`` asks for; ``network`` is what hardware will run, its weights
    aside, which only cycles need.

    Raises
    ------
    FoldingError
        If the hardware does not fit the network.
    RecipeError
        If cycles are asked for without a network.
    """
    found: list[Term] = []
    if _any(penalty.spikes):
        found.append(lambda activity: _spikes(penalty, activity))
    if _any(penalty.excess):
        found.append(lambda activity: _excess(penalty, activity))
    if penalty.cycles:
        if network is None:
            raise RecipeError("training.penalty.cycles needs to know the network that is built; "
                              "give the Trainer a network, or use spikes")
        hardware = penalty.hardware
        latency = Latency(network, folding_of(hardware.lanes, network, hardware.ways))
        found.append(lambda activity: penalty.cycles * latency(
            activity.inputs, activity.spikes).mean())
    return found


def _spikes(penalty: Penalty, activity: Activity) -> torch.Tensor:
    hidden = activity.spikes[:-1]
    terms = [weight * layer.sum((0, 2)).mean()
             for weight, layer in zip(_each("spikes", penalty.spikes, len(hidden)), hidden,
                                      strict=True)]
    return _sum(terms, activity)


def _excess(penalty: Penalty, activity: Activity) -> torch.Tensor:
    hidden = activity.spikes[:-1]
    weights, rates = (_each(name, getattr(penalty, name), len(hidden))
                      for name in ("excess", "rate"))
    terms = [weight * (layer.mean((0, 1)) - rate).clamp(min=0).square().mean()
             for weight, rate, layer in zip(weights, rates, hidden, strict=True)]
    return _sum(terms, activity)


def _sum(terms: list[torch.Tensor], activity: Activity) -> torch.Tensor:
    return torch.stack(terms).sum() if terms else activity.votes.new_zeros(())


def _each(name: str, given: float | tuple[float, ...], layers: int) -> tuple[float, ...]:
    """``given`` for each of the hidden layers."""
    if not isinstance(given, tuple):
        return (given,) * layers
    if len(given) != layers:
        raise RecipeError(f"training.penalty.{name} has {len(given)} numbers for {layers} hidden "
                          f"layers; give one for each, or one for all")
    return given


def _any(given: float | tuple[float, ...]) -> bool:
    return any(given) if isinstance(given, tuple) else bool(given)
