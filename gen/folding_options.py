"""``--lanes``, ``--ways`` and ``--slices``: what a user asks of the hardware's shape, and what is
built of it."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from typing import Annotated, Any

import typer

from .errors import FoldingError
from .folding import Folding, LayerFolding, Loadable, Protection, Storage
from .plan import layer_plans
from .spec import Conv2d, Layer, NetworkSpec
from .widths import Widths

Lanes = Annotated[
    str | None,
    typer.Option(help="Neurons that an event is added to per cycle; of convolutions, output "
                      "channels. One number for all layers, or one per layer, as in 64,10. "
                      "[default: all]", show_default=False),
]
Ways = Annotated[
    str | None,
    typer.Option(help="Events added per cycle, of all-to-all layers: one number for all of them, "
                      "or one per layer, as in 4,1. [default: 1]", show_default=False),
]
Slices = Annotated[
    str | None,
    typer.Option(help="Parts of a layer's hardware with control of their own, for a faster clock: "
                      "one number for all layers, or one per layer, as in 4,1. [default: 1]",
                 show_default=False),
]
Protect = Annotated[
    str | None,
    typer.Option(help="Code of the weights in memory, of all-to-all layers: none, parity or ecc "
                      "for all of them, or one per layer, as in ecc,none. [default: none]",
                 show_default=False),
]


AllLoadable = Annotated[
    bool, typer.Option("--loadable", help="Weights, thresholds, biases and decays can be loaded at "
                                          "run time: those of any training of the same shape.")
]
WeightsLoadable = Annotated[
    bool, typer.Option("--loadable-weights", help="Weights alone can, which costs less: a decay "
                                                  "that is loaded needs multipliers.")
]


def loadable_of(everything: bool, weights: bool) -> Loadable:
    """What ``--loadable`` and ``--loadable-weights`` ask for; FoldingError if both are given."""
    if everything and weights:
        raise FoldingError("--loadable and --loadable-weights given; give one of them")
    return Loadable.ALL if everything else Loadable.WEIGHTS if weights else Loadable.NOTHING


def folding_of(lanes: str | None, spec: NetworkSpec, ways: str | None = None,
               slices: str | None = None, protect: str | None = None,
               loadable: Loadable = Loadable.NOTHING) -> Folding:
    """What ``--lanes``, ``--ways``, ``--slices`` and ``--protect`` mean for ``spec``, with
    ``loadable`` in all layers.

    A single number of lanes is cut down where a layer has fewer, or to what divides a
    convolution's channels; one of slices, likewise, to what the lanes allow; a single number of
    ways is that of every all-to-all layer.

    Raises
    ------
    FoldingError
        If one is no list of numbers, of another length than the layers, or cannot be built.
    """
    most = [_channels(layer.synapse) if isinstance(layer.synapse, Conv2d) else layer.neurons
            for layer in spec.layers]
    chosen_lanes = _per_layer(lanes, "lanes", spec, most)
    most = [whole if given is None else given
            for given, whole in zip(chosen_lanes, most, strict=True)]
    folding = Folding.each(*(
        loadable.of(LayerFolding(lanes=each_lanes, ways=each_ways or 1, slices=each_slices or 1,
                                 protect=each_protect))
        for each_lanes, each_ways, each_slices, each_protect in zip(
            chosen_lanes, _per_layer(ways, "ways", spec, most),
            _per_layer(slices, "slices", spec, most), _protections(protect, spec), strict=True)
    ), spec=spec)
    layer_plans(spec, folding)
    return folding


def _per_layer(text: str | None, what: str, spec: NetworkSpec,
               most: list[int]) -> list[int | None]:
    """The numbers of a comma-separated list, one per layer; None where there is no choice.

    ``most`` is the largest that a number for all layers can be in each.
    """
    if text is None:
        return [None] * len(spec.layers)
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise FoldingError(
            f"{what} {text!r} is not understood; give a number, or one per layer, as in 4,1"
        ) from None
    if min(numbers) < 1:
        raise FoldingError(f"{what} {text} has {min(numbers)}; every number must be at least 1")
    if len(numbers) == 1 and len(spec.layers) > 1:
        return [_applied(numbers[0], what, *each) for each in zip(spec.layers, most, strict=True)]
    if len(numbers) != len(spec.layers):
        raise FoldingError(
            f"{len(numbers)} {what.removesuffix('s')} counts for {len(spec.layers)} layers; give "
            f"one per layer, or one for all"
        )
    return list(numbers)


def _protections(text: str | None, spec: NetworkSpec) -> list[str]:
    """The codes of a comma-separated list, one per layer; one for all is that of every all-to-all
    layer."""
    names = [part.strip() for part in (text or "none").split(",")]
    if len(names) == 1:
        return ["none" if isinstance(layer.synapse, Conv2d) else names[0] for layer in spec.layers]
    if len(names) != len(spec.layers):
        raise FoldingError(
            f"{len(names)} codes of weights for {len(spec.layers)} layers; give one per layer, or "
            f"one for all"
        )
    return names


def _applied(number: int, what: str, layer: Layer, most: int) -> int | None:
    """What a number meant for every layer is for this one."""
    conv = isinstance(layer.synapse, Conv2d)
    if what == "ways":
        return None if conv else number
    return next(n for n in range(min(number, most), 0, -1) if not conv or most % n == 0)


def _channels(synapse: Conv2d) -> int:
    return synapse.weight.shape[0] // synapse.groups


def folded(spec: NetworkSpec, folding: Folding) -> dict[str, dict[str, int]]:
    """What is built of each layer: ``lanes``, ``ways``, ``slices``, neuron ``units``, and
    ``adders``, the synaptic operations that one cycle can do; each layer → number."""
    figures: dict[str, dict[str, int]] = {
        "lanes": {}, "ways": {}, "slices": {}, "units": {}, "adders": {}}
    for plan in layer_plans(spec, folding):
        synapses, name = plan.synapses, plan.layer.name
        figures["lanes"][name] = synapses.lanes
        figures["ways"][name] = synapses.ways
        figures["slices"][name] = len(plan.slices)
        figures["units"][name] = plan.units
        figures["adders"][name] = synapses.most_synops
    return figures


def to_json(spec: NetworkSpec, folding: Folding) -> list[dict[str, Any]]:
    """What was asked of each layer's hardware, for :func:`from_json`."""
    return [{name: value.value if isinstance(value, Enum) else value
             for name, value in asdict(each).items()} for each in folding.of(spec)]


def from_json(spec: NetworkSpec, layers: Sequence[dict[str, Any]]) -> Folding:
    """The folding that :func:`to_json` wrote.

    Raises
    ------
    FoldingError
        If it is not one of ``spec``.
    """
    try:
        return Folding.each(*(
            LayerFolding(**{**each, "storage": Storage(each["storage"]),
                            "protect": Protection(each["protect"]),
                            "parameters": Storage(each["parameters"]),
                            "banks": each["banks"] and tuple(each["banks"]),
                            "widths": each["widths"] and Widths(**each["widths"])})
            for each in layers
        ), spec=spec)
    except (TypeError, KeyError, ValueError) as error:
        raise FoldingError(
            f"the folding is not one of {spec.name} ({error}); build again") from error
