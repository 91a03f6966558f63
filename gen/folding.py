"""How much hardware each layer gets. A user's choice; everything derived from it is computed here.
"""

from dataclasses import dataclass

from .arithmetic import signed_bits
from .bounds import MembraneBounds
from .errors import FoldingError
from .spec import Layer, NetworkSpec


@dataclass(frozen=True, kw_only=True)
class LayerFolding:
    """Hardware of one layer.

    ``lanes``: neurons updated per cycle; None is all of them. ``queue``: beats its input queue
    holds, a power of two.
    """

    lanes: int | None = None
    queue: int = 16


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Hardware of a network: ``layers`` by name, ``default`` for those not named."""

    default: LayerFolding = LayerFolding()
    layers: tuple[tuple[str, LayerFolding], ...] = ()

    @classmethod
    def lanes(cls, *lanes: int, spec: NetworkSpec) -> "Folding":
        """One ``lanes`` value per layer of ``spec``, in order."""
        if len(lanes) != len(spec.layers):
            raise FoldingError(
                f"{len(lanes)} lane counts for {len(spec.layers)} layers; give one per layer"
            )
        return cls(layers=tuple(
            (layer.name, LayerFolding(lanes=n)) for layer, n in zip(spec.layers, lanes, strict=True)
        ))

    def plans(self, spec: NetworkSpec) -> "tuple[LayerPlan, ...]":
        """What to build for each layer of ``spec``.

        Raises
        ------
        FoldingError
            If a layer is named that does not exist, or a number is out of range.
        """
        chosen = dict(self.layers)
        known = [layer.name for layer in spec.layers]
        for name in chosen:
            if name not in known:
                raise FoldingError(
                    f"folding names layer {name!r}; network {spec.name} has {', '.join(known)}"
                )
        return tuple(
            LayerPlan(layer, chosen.get(layer.name, self.default), bounds)
            for layer, bounds in zip(spec.layers, spec.bounds, strict=True)
        )


class LayerPlan:
    """Numbers that follow from a layer and its folding, computed once.

    Attributes
    ----------
    lanes
        Neurons updated per cycle.
    rows
        ⌈neurons / lanes⌉: cycles one event takes. Row r holds neurons r·lanes … r·lanes+lanes−1;
        lanes beyond the last neuron are built, hold zero weights and never fire.
    padding
        Lanes of the last row without a neuron.
    queue, spike_queue
        Beats the input queue, and rows of spikes the queue behind the neurons, can hold.
    accumulator_bits, membrane_bits, leaked_bits
        Widths of the stored word, of u and m, and of the decayed membrane.
    """

    def __init__(self, layer: Layer, folding: LayerFolding, bounds: MembraneBounds):
        lanes = layer.neurons if folding.lanes is None else folding.lanes
        if not 1 <= lanes <= layer.neurons:
            raise FoldingError(
                f"layer {layer.name}: {lanes} lanes for {layer.neurons} neurons; allowed are 1 to "
                f"{layer.neurons}"
            )
        if not (2 <= folding.queue <= 4096 and folding.queue & (folding.queue - 1) == 0):
            raise FoldingError(
                f"layer {layer.name}: queue of {folding.queue}; a power of two from 2 to 4096 is "
                f"needed"
            )
        self.layer = layer
        self.lanes = lanes
        self.rows = -(-layer.neurons // lanes)
        self.padding = self.rows * lanes - layer.neurons
        self.queue = folding.queue
        # At least what a sweep has on its way when it learns that the queue is full.
        self.spike_queue = 8 if self.rows <= 8 else 16
        self.accumulator_bits = bounds.accumulator_bits
        self.membrane_bits = bounds.membrane_bits
        factors = layer.neuron.per_neuron("decay", layer.neurons)
        products = [int(end) * int(factor) for end in bounds.membrane
                    for factor in (factors.min(), factors.max())]
        fraction = layer.neuron.decay_fraction
        self.leaked_bits = signed_bits(min(products) >> fraction, -(-max(products) >> fraction))
