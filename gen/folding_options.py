"""``--lanes`` and ``--ways``: what a user asks of the hardware's shape, and what is built of it."""

from typing import Annotated

import typer

from .errors import FoldingError
from .folding import Folding, LayerFolding
from .plan import layer_plans
from .spec import Conv2d, Layer, NetworkSpec

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


def folding_of(lanes: str | None, spec: NetworkSpec, ways: str | None = None) -> Folding:
    """What ``--lanes`` and ``--ways`` mean for ``spec``.

    A single number of lanes is cut down where a layer has fewer, or to what divides a
    convolution's channels; a single number of ways is that of every all-to-all layer.

    Raises
    ------
    FoldingError
        If one is no list of numbers, of another length than the layers, or cannot be built.
    """
    chosen_lanes, chosen_ways = _per_layer(lanes, "lanes", spec), _per_layer(ways, "ways", spec)
    folding = Folding.each(*(
        LayerFolding(lanes=each_lanes, ways=1 if each_ways is None else each_ways)
        for each_lanes, each_ways in zip(chosen_lanes, chosen_ways, strict=True)
    ), spec=spec)
    layer_plans(spec, folding)
    return folding


def _per_layer(text: str | None, what: str, spec: NetworkSpec) -> list[int | None]:
    """The numbers of a comma-separated list, one per layer; None where there is no choice."""
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
        return [_applied(numbers[0], what, layer) for layer in spec.layers]
    if len(numbers) != len(spec.layers):
        raise FoldingError(
            f"{len(numbers)} {what.removesuffix('s')} counts for {len(spec.layers)} layers; give "
            f"one per layer, or one for all"
        )
    return list(numbers)


def _applied(number: int, what: str, layer: Layer) -> int | None:
    """What a number meant for every layer is for this one."""
    if not isinstance(layer.synapse, Conv2d):
        return number if what == "ways" else min(number, layer.neurons)
    if what == "ways":
        return None
    channels = layer.synapse.weight.shape[0] // layer.synapse.groups
    return next(n for n in range(min(number, channels), 0, -1) if channels % n == 0)


def folded(spec: NetworkSpec, folding: Folding) -> dict[str, dict[str, int]]:
    """What is built of each layer: ``lanes``, ``ways``, neuron ``units``, and ``adders``, the
    synaptic operations that one cycle can do; each layer → number."""
    figures: dict[str, dict[str, int]] = {"lanes": {}, "ways": {}, "units": {}, "adders": {}}
    for plan in layer_plans(spec, folding):
        synapses, name = plan.synapses, plan.layer.name
        figures["lanes"][name] = synapses.lanes
        figures["ways"][name] = synapses.ways
        figures["units"][name] = plan.units
        figures["adders"][name] = synapses.most_synops
    return figures
