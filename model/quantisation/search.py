"""Bits of every layer within a budget of memory, for the least loss on training samples.

From a net with 8 bits everywhere, one layer at a time is given b = 2 … 8 bits, and membranes
as wide as the samples need them without ever saturating, or one or two bits less; how much the loss
rises is the layer's sensitivity to that choice. Memory is a sum over layers, and so, as a first
guess, is the rise of the loss; under that guess the best choice for every layer is a knapsack,
which is solved exactly: of all sums of choices, those that no other beats in both memory and loss
are kept, layer by layer. The guess is then not trusted: the best few networks within the budget,
and those with as many bits in every layer, are measured as they are, and the one with the least
loss is taken, of equals the smallest.

Nothing is drawn at random, and nothing but the samples that are given is looked at. After Dong et
al. 2020, "HAWQ-V2", and Hubara et al. 2021, "Accurate Post Training Quantization With Small
Calibration Sets", whose sensitivities this takes from runs of the integer net itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from ...gen.bounds import membrane_bounds
from ...gen.errors import RecipeError
from ...gen.spec import InputKind, Layer
from ...gen.stimulus import Stimulus
from ...gen.synapses import WEIGHT_BITS
from ..readouts import scores, votes
from .layer import LayerTrace, QuantizedLayer
from .memory import layer_bits, stored_bits
from .net import exact_dtype
from .rounding import Quantised
from .settings import Quantisation

#: Bits that membranes are tried with less than the samples need.
_NARROWER = range(3)

#: Networks that are measured as they are.
_MEASURED = 8

#: Samples that are looked at, and signals of a layer that they may have together.
_SAMPLES = 512
_SIGNALS = 1 << 26

#: Floats in integers, with options: :func:`.rounding.post_training` with all else given.
Rounded = Callable[[Quantisation], Quantised]


@dataclass(frozen=True)
class Found:
    """What was chosen: ``options`` with the bits of every layer; ``memory`` in bits; the ``loss``
    on the samples, and that of 8 bits everywhere, ``reference``; how many networks were
    ``measured``."""

    options: Quantisation
    memory: int
    loss: float
    reference: float
    measured: int

    def figures(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"bits": self.options.bits, "membrane_bits": self.options.membrane_bits,
                "memory": self.memory, "loss": self.loss, "reference_loss": self.reference,
                "measured": self.measured}


@dataclass(frozen=True)
class _Choice:
    """Bits of weights and membranes (None: proven) of some layers, their memory, and the rise of
    the loss that is expected of them."""

    bits: tuple[int, ...]
    widths: tuple[int | None, ...]
    memory: int
    rise: float

    def __add__(self, other: "_Choice") -> "_Choice":
        return _Choice(self.bits + other.bits, self.widths + other.widths,
                       self.memory + other.memory, self.rise + other.rise)

    def of(self, options: Quantisation, names: Sequence[str]) -> Quantisation:
        """``options`` with these bits for the layers of these ``names``."""
        return options.model_copy(update={
            "bits": dict(zip(names, self.bits, strict=True)),
            "membrane_bits": {name: width for name, width in zip(names, self.widths, strict=True)
                              if width is not None} or None,
        })


def search(
    rounded: Rounded, options: Quantisation, samples: Stimulus, budget: float
) -> Found:
    """The best bits for ``options`` whose network takes at most ``budget`` bits of memory, as
    :func:`.memory.stored_bits` counts them.

    Parameters
    ----------
    rounded
        Makes the network of some options.
    samples
        Of the training data; 512 of them are looked at, evenly spread, or fewer of long ones.

    Raises
    ------
    RecipeError
        If no network is so small, with the budget of the smallest one.
    """
    def alike(bits: int) -> Quantisation:
        return options.model_copy(update={"bits": bits, "membrane_bits": None})

    wide = rounded(alike(max(WEIGHT_BITS)))
    judge = _Judge(wide, samples)
    frontier = [_Choice((), (), 0, 0.0)]
    for n in range(len(wide.spec.layers)):
        choices = list(judge.choices(n, rounded, options))
        frontier = _unbeaten([one + other for one in frontier for other in choices])
    fitting = [choice for choice in frontier if choice.memory <= budget]
    if not fitting:
        raise RecipeError(
            f"no choice of bits fits a budget of {budget / 1000:g} kbit; the smallest network "
            f"found takes {frontier[0].memory / 1000:g}; raise budget_kbits, or make layers smaller"
        )
    names = [layer.name for layer in wide.spec.layers]
    measured = []
    for chosen in [*map(alike, WEIGHT_BITS),
                   *(choice.of(options, names) for choice in fitting[-_MEASURED:])]:
        network = rounded(chosen)
        memory = sum(stored_bits(network.spec))
        if memory <= budget:
            measured.append((judge.loss(network), memory, chosen))
    loss, memory, chosen = min(measured, key=lambda one: one[:2])
    return Found(chosen, memory, loss, judge.reference, len(measured))


def _unbeaten(choices: list[_Choice]) -> list[_Choice]:
    """Those that take less memory than any with as little loss; by memory, ascending."""
    kept: list[_Choice] = []
    for choice in sorted(choices, key=lambda choice: (choice.memory, choice.rise)):
        if not kept or choice.rise < kept[-1].rise:
            kept.append(choice)
    return kept


class _Judge:
    """Runs layers on the samples."""

    def __init__(self, wide: Quantised, samples: Stimulus):
        spec = wide.spec
        widest = max(max(layer.inputs, layer.neurons) for layer in spec.layers)
        most = max(1, _SIGNALS // (widest * spec.steps(samples.spikes)))
        which = torch.linspace(0, len(samples) - 1, min(_SAMPLES, most, len(samples)))
        which = which.round().long()
        self._labels = torch.from_numpy(samples.labels)[which]
        self._wide = wide
        #: What reaches each layer of the wide network.
        self._reaching = [torch.from_numpy(samples.spikes)[which].transpose(0, 1)]
        for n, layer in enumerate(spec.layers):
            self._reaching.append(self._run(wide, n, layer, self._reaching[n]).spikes)
        self.reference = self.loss(wide)

    def choices(self, n: int, rounded: Rounded, options: Quantisation) -> Iterator[_Choice]:
        """Every choice for layer n, the others being wide."""
        names = [layer.name for layer in self._wide.spec.layers]
        for bits in WEIGHT_BITS:
            each = dict.fromkeys(names, max(WEIGHT_BITS)) | {names[n]: bits}
            network = rounded(options.model_copy(update={"bits": each, "membrane_bits": None}))
            needed = self._needed_width(network, n)
            for less in _NARROWER:
                layer, bounds, width = network.spec.layers[n], network.spec.bounds[n], None
                if needed - less < bounds.membrane_bits:
                    width = needed - less
                    if not _fires(layer, width):
                        break
                    layer = _narrowed(layer, width)
                    bounds = membrane_bounds(layer, network.spec.timesteps,
                                             1 if n else network.spec.input.most)
                rise = self.loss(network, n, layer) - self.reference
                yield _Choice((bits,), (width,), layer_bits(layer, bounds), rise)

    def loss(self, network: Quantised, first: int = 0, layer: Layer | None = None) -> float:
        """Mean cross-entropy of the scores of ``network``, with ``layer`` as number ``first``; the
        layers below that one are the wide network's."""
        spec = network.spec
        trace = self._run(network, first, layer or spec.layers[first], self._reaching[first])
        for n in range(first + 1, len(spec.layers)):
            trace = self._run(network, n, spec.layers[n], trace.spikes)
        unit = float(network.steps[-1][0]) / (1 << spec.layers[-1].synapse.weight_shift)
        given = votes(spec.readout, trace.spikes, trace.membranes * unit)
        found = scores(spec.readout, given).double()
        return float(functional.cross_entropy(found, self._labels))

    def _needed_width(self, network: Quantised, n: int) -> int:
        """The fewest membrane bits of layer n that no sample saturates."""
        layer = network.spec.layers[n]
        low, high = 2, network.spec.bounds[n].membrane_bits
        while low < high:
            width = (low + high) // 2
            fits = _fires(layer, width) and not self._run(
                network, n, _narrowed(layer, width), self._reaching[n]).saturations.any()
            low, high = (low, width) if fits else (width + 1, high)
        return high

    def _run(self, network: Quantised, n: int, layer: Layer, x: torch.Tensor) -> LayerTrace:
        """``layer``, which is number n of ``network`` or narrower."""
        spec = network.spec
        dtype = exact_dtype(spec)
        held = n == 0 and spec.input.kind is InputKind.CURRENT
        with torch.no_grad():
            return QuantizedLayer(layer, dtype, None, network.steps[n])(
                x.to(dtype), spec.timesteps if held else None)


def _fires(layer: Layer, width: int) -> bool:
    """Whether membranes of ``width`` bits can exceed every threshold, as the contract asks."""
    if not 2 <= width <= 32:
        return False
    threshold = layer.neuron.threshold
    return threshold is None or int(layer.neuron.per_neuron("threshold", layer.neurons).max()) < (
        1 << (width - 1)) - 1


def _narrowed(layer: Layer, width: int) -> Layer:
    """``layer`` with that many membrane bits."""
    return replace(layer, neuron=replace(layer.neuron, membrane_bits=width))
