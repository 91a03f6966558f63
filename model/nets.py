"""Nets as snnTorch users write them, and how they run over time."""

from collections import OrderedDict
from itertools import pairwise
from typing import Any

import snntorch as snn
import torch
from torch import nn

from . import surrogates
from .recipe import Recipe


def build(recipe: Recipe, inputs: int, classes: int) -> nn.Sequential:
    """``Linear → neuron`` for each hidden layer and for the ``classes`` outputs.

    Dropout stands in front of each Linear whose recipe asks for it.
    """
    net, training = recipe.net, recipe.training
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    widths = (inputs, *net.hidden, classes)
    for i, (before, after) in enumerate(pairwise(widths), 1):
        share = training.input_dropout if i == 1 else training.dropout
        if share:
            modules[f"drop{i}"] = nn.Dropout(share)
        linear = nn.Linear(before, after, bias=net.bias)
        with torch.no_grad():
            linear.weight *= training.gain
        modules[f"fc{i}"] = linear
        modules[f"lif{i}"] = _neuron(recipe)
    return nn.Sequential(modules)


def _neuron(recipe: Recipe) -> nn.Module:
    net = recipe.net
    common: dict[str, Any] = {
        "threshold": net.threshold,
        "reset_mechanism": net.reset_mechanism,
        "spike_grad": surrogates.build(recipe.surrogate.name, **recipe.surrogate.given()),
        "init_hidden": True,
    }
    if net.neuron == "leaky":
        return snn.Leaky(beta=net.beta, reset_delay=net.reset_delay, **common)
    electric = net.model_dump(include={"beta", "R", "C", "time_step"}, exclude_none=True)
    return snn.Lapicque(**electric, **common)


def unroll(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Spikes (timesteps, batch, classes) of ``net`` for x (timesteps, batch, inputs).

    Every membrane starts at 0. Layers run one after the other over all timesteps, which is the same
    as timestep after timestep in a net without feedback, and faster.
    """
    for module in net:
        if isinstance(module, (snn.Leaky, snn.Lapicque)):
            module.mem = torch.zeros_like(x[0])
            x = torch.stack([module(current) for current in x])
        else:
            x = module(x)
    return x
