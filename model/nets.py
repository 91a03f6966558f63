"""Nets as snnTorch users write them, and how they run over time."""

import math
from collections import OrderedDict
from itertools import pairwise
from typing import Any

import snntorch as snn
import torch
from torch import nn

from ..gen.errors import RecipeError
from ..gen.spec import Readout
from .architecture import Convolution, Dense, Pooling, parse
from .exchange.dynamics import NEURONS
from .readouts import SPIKE_COUNT, Activity, votes
from .recipe import Recipe
from .scan import over_time
from .spikes import Spike
from .training import sparse_gradient


def build(
    recipe: Recipe, input_shape: tuple[int, ...], classes: int, *, merge: int = 1
) -> nn.Sequential:
    """``synapse → neuron`` for each hidden layer and for the outputs, for flat inputs.

    Dropout stands in front of each synapse whose recipe asks for it. A timestep of the net lasts
    ``merge`` timesteps of the recipe, so that states decay as much at once; :func:`refine` undoes
    that.

    Raises
    ------
    RecipeError
        If the layers do not fit ``input_shape``.
    """
    builder = _Builder(_slowed(recipe, merge), input_shape)
    for layer in recipe.net.hidden:
        builder.add(parse(layer))
    builder.add(Dense(classes * recipe.readout.population), last=True)
    return nn.Sequential(builder.modules)


def _slowed(recipe: Recipe, merge: int) -> Recipe:
    """``recipe`` with the decays of ``merge`` timesteps."""
    if merge == 1:
        return recipe
    net, readout = recipe.net, recipe.readout
    return recipe.model_copy(update={
        "net": net.model_copy(update={
            name: value**merge for name in ("beta", "alpha")
            if (value := getattr(net, name)) is not None
        }),
        "readout": readout.model_copy(update={
            "beta": None if readout.beta is None else readout.beta**merge,
        }),
    })


def refine(net: nn.Sequential, merge: int) -> None:
    """Splits every timestep of ``net`` into ``merge``: decays become their roots, and biases are
    added in as many parts. Weights stay, because every spike still arrives once."""
    with torch.no_grad():
        for module in net:
            for name in ("beta", "alpha"):
                if isinstance(module, NEURONS) and hasattr(module, name):
                    decay = getattr(module, name)
                    decay.copy_(decay.double() ** (1 / merge))
            if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
                module.bias.div_(merge)


class _Builder:
    """Collects modules and knows the shape of the signals behind the last of them."""

    def __init__(self, recipe: Recipe, input_shape: tuple[int, ...]):
        self.recipe = recipe
        self.shape = list(input_shape)
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.layers = 0
        if isinstance(parse(recipe.net.hidden[0]) if recipe.net.hidden else None,
                      (Convolution, Pooling)):
            self.modules["maps"] = nn.Unflatten(1, tuple(self.shape))
        else:
            self.shape = [math.prod(self.shape)]

    def add(self, layer: Dense | Convolution | Pooling, *, last: bool = False) -> None:
        if isinstance(layer, Pooling):
            kind = nn.AvgPool2d if layer.kind == "average" else nn.MaxPool2d
            self._append(f"pool{self.layers + 1}", kind(layer.kernel, layer.stride))
            return
        self.layers += 1
        recipe, number = self.recipe, self.layers
        if isinstance(layer, Dense) and len(self.shape) > 1:
            self._append("flatten", nn.Flatten())
        share = recipe.training.input_dropout if number == 1 else recipe.training.dropout
        if share:
            self._append(f"drop{number}", nn.Dropout(share))
        if isinstance(layer, Dense):
            synapse: Any = nn.Linear(self.shape[0], layer.neurons, bias=recipe.net.bias)
        else:
            if self.shape[0] % layer.groups or layer.channels % layer.groups:
                raise RecipeError(f"net.hidden: {layer.groups} groups must divide {self.shape[0]} "
                                  f"input and {layer.channels} output channels")
            synapse = nn.Conv2d(self.shape[0], layer.channels, layer.kernel, layer.stride,
                                layer.padding, groups=layer.groups, bias=recipe.net.bias)
        with torch.no_grad():
            synapse.weight *= recipe.training.gain
        self._append(f"{'fc' if isinstance(layer, Dense) else 'conv'}{number}", synapse)
        self._append(f"lif{number}",
                     _output(recipe) if last else _neuron(recipe, self.shape))

    def _append(self, name: str, module: nn.Module) -> None:
        self.modules[name] = module
        if isinstance(module, (*NEURONS, nn.Dropout)):  # these leave shapes as they are
            return
        try:
            self.shape = list(module(torch.zeros(1, *self.shape)).shape[1:])
        except RuntimeError as error:
            raise RecipeError(
                f"net.hidden: {name} does not fit maps of {tuple(self.shape)} (channels, y, x); "
                f"use a smaller kernel, more padding or fewer poolings"
            ) from error


def _spike_grad(recipe: Recipe) -> Spike:
    spike, band = recipe.surrogate.build(), recipe.training.gradient_band
    return spike if band is None else sparse_gradient.banded(spike, band)


def _neuron(recipe: Recipe, shape: list[int] | None) -> nn.Module:
    """A neuron of the recipe's kind; None: an output, which does not recur."""
    net = recipe.net
    common: dict[str, Any] = {
        "threshold": net.threshold,
        "reset_mechanism": net.reset_mechanism,
        "spike_grad": _spike_grad(recipe),
        "init_hidden": True,
    }
    if net.neuron == "lapicque":
        electric = net.model_dump(include={"beta", "R", "C", "time_step"}, exclude_none=True)
        return snn.Lapicque(**electric, **common)
    common |= {"beta": net.beta, "reset_delay": net.reset_delay}
    if net.alpha is not None:
        common["alpha"] = net.alpha
    if net.neuron in ("rleaky", "rsynaptic") and shape is not None:
        common |= {"all_to_all": net.all_to_all}
        if net.all_to_all:
            common |= {"linear_features": shape[0]}
        else:
            # One weight for each neuron or channel, at first 0.
            common |= {"V": torch.zeros(shape[0], *[1] * (len(shape) - 1))}
        return (snn.RLeaky if net.alpha is None else snn.RSynaptic)(**common)
    return (snn.Leaky if net.alpha is None else snn.Synaptic)(**common)


def _output(recipe: Recipe) -> nn.Module:
    """Neurons whose spikes or membranes decide; they do not recur."""
    if recipe.readout.kind != "membrane":
        return _neuron(recipe, None)
    beta: Any = recipe.net.beta if recipe.readout.beta is None else recipe.readout.beta
    return snn.Leaky(
        beta=beta, reset_mechanism="none", init_hidden=True,
        spike_grad=_spike_grad(recipe),
    )


def unroll(
    net: nn.Sequential,
    x: torch.Tensor,
    *,
    timesteps: int | None = None,
    readout: Readout = SPIKE_COUNT,
) -> Activity:
    """What ``net`` does for x (timesteps, batch, inputs), or for x (1, batch, inputs) that is held
    for ``timesteps``.

    Every state starts at 0. Layers run one after the other over all timesteps, which is the same
    as timestep after timestep in a net without feedback between layers, and faster.
    """
    inputs, spikes = x, list[torch.Tensor]()
    membranes = linear = None
    layers: list[Any] = [*net, None]
    for module, behind in pairwise(layers):
        if not isinstance(module, NEURONS):
            held = timesteps is not None and len(x) != timesteps
            if not held and sparse_gradient.skips(module, behind, x):
                linear = module
            else:
                x = module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            continue
        if linear is not None:
            x, membranes = sparse_gradient.linear_over_time(linear, module, x)
            linear = None
        else:
            x, membranes = over_time(module, x.expand(timesteps or len(x), *x.shape[1:]))
        spikes.append(x.flatten(2))
    assert membranes is not None
    return Activity(votes(readout, spikes[-1], membranes.flatten(2)), tuple(spikes), inputs)
