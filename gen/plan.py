"""What is built of each layer: the numbers that follow from a network and its folding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .coding import InputKind
from .convolution import Conv2dPlan
from .errors import FoldingError
from .folding import Folding, LayerFolding, Protection, Storage
from .layers import Layer
from .linear import LinearPlan, Source
from .pooling import MaxPool2d
from .slices import cut, linear_units
from .spec import NetworkSpec
from .spike_pooling import SpikePoolingPlan
from .synapses import Conv2d, Linear
from .widths import Widths, proven_widths

#: Events whose lanes share one neuron unit, if the folding does not say otherwise.
LANES_PER_UNIT = 8


@dataclass(frozen=True)
class SpikeRows:
    """Rows of spikes as they leave a layer, behind any max pooling.

    Attributes
    ----------
    order
        int64 (rows, units): which signal each place of a row is; −1 is none.
    shape
        (channels, height, width) of a map, whose rows run over blocks of channels, then x, then y;
        None if signals are just numbered.
    xs
        Of a map: x of the first position of each row of an image row.
    blocks, lanes
        Of a map: rows of a position, and channels of a row.
    last_step
        Step of the sweep that completes a timestep's last row, and
    latency
        cycles from that step's spikes to the row.
    """

    order: npt.NDArray[np.int64]
    last_step: int
    shape: tuple[int, int, int] | None = None
    xs: tuple[int, ...] = (0,)
    blocks: int = 1
    lanes: int = 1
    latency: int = 0

    @property
    def rows(self) -> int:
        return self.order.shape[0]

    @property
    def units(self) -> int:
        return self.order.shape[1]


class LayerPlan:
    """Numbers of one layer, computed once.

    Attributes
    ----------
    synapses
        :class:`~.linear.LinearPlan` or :class:`~.convolution.Conv2dPlan`.
    source
        The addresses that the layer receives from below.
    units
        Neurons updated per cycle of a sweep.
    steps
        Cycles of a sweep.
    order
        int64 (steps, units): which neuron a unit updates in a step; −1 is none.
    sweeps
        Sweeps of one timestep's sums: more than one only for an input that is held.
    ways_out
        Events per cycle that the layer behind takes.
    spatial_out
        The layer behind knows signals by their place in a map.
    pooling
        :class:`~.spike_pooling.SpikePoolingPlan` of a max pooling behind, or None.
    rows
        :class:`SpikeRows` as they leave.
    loads_parameters
        The neurons' parameters can be loaded.
    slices
        Of the layer's units, and of ``synapses``: what is built; see :mod:`~.slices`.
    members
        int64 (units,): which of the layer's units these are. All, but in a slice.
    widths
        :class:`~.widths.Widths` of all words: the folding's, else those that are proven.
    accumulator_bits, membrane_bits, leaked_bits
        Widths of the stored word, of u and m, and of the decayed membrane.
    current_bits, leaked_current_bits
        Widths of i and of the decayed i; 0 without synapse_decay.
    """

    def __init__(self, layer: Layer, folding: LayerFolding, proven: Widths, source: Source, *,
                 above: Layer | None, ways_out: int, sweeps: int):
        self.layer = layer
        self.widths = self._checked(folding.widths, proven)
        self.source = source
        self.ways_out = ways_out
        self.spatial_out = above is not None and isinstance(above.synapse, Conv2d)
        self.sweeps = sweeps
        self.loads_parameters = folding.parameters is Storage.LOADABLE
        if folding.lanes is not None and not 1 <= folding.lanes <= layer.neurons:
            raise FoldingError(
                f"layer {layer.name}: {folding.lanes} lanes for {layer.neurons} neurons; allowed "
                f"are 1 to {layer.neurons}"
            )
        if folding.units is not None and folding.units < 1:
            raise FoldingError(f"layer {layer.name}: {folding.units} units; at least 1 is needed")
        if isinstance(layer.synapse, Conv2d):
            self.synapses = self._convolution(layer, folding, source)
        else:
            self.synapses = self._linear(layer, folding, source)
        self.units = self.synapses.units
        self.steps = self.synapses.steps
        self.order = self._order()
        self.members = np.arange(self.units)
        self.pooling = None
        if above is not None and isinstance(above.pool, MaxPool2d):
            if not isinstance(self.synapses, Conv2dPlan):
                raise FoldingError(
                    f"layer {above.name}: max pooling behind the linear layer {layer.name} is not "
                    f"built; put it behind a convolution"
                )
            self.pooling = SpikePoolingPlan(self.synapses, above.pool)
        self.rows = self._rows()
        if self.rows.units % ways_out:
            raise FoldingError(
                f"layer {layer.name}: its rows of {self.rows.units} spikes cannot be dealt out to "
                f"{ways_out} ways of the layer behind; give that a number of ways that divides "
                f"{self.rows.units}, such as {math.gcd(self.rows.units, ways_out)}"
            )
        self.slices = cut(self, folding.slices)

    def _checked(self, chosen: Widths | None, proven: Widths) -> Widths:
        if chosen is None:
            return proven
        if short := chosen.short(proven):
            each = ", ".join(f"{name} {needed} bits (given: {bits})"
                             for name, (bits, needed) in short.items())
            raise FoldingError(
                f"layer {self.layer.name}: words of the given widths do not hold its values, which "
                f"need {each}; give wider ones, or none"
            )
        return chosen

    def _linear(self, layer: Layer, folding: LayerFolding, source: Source) -> LinearPlan:
        lanes = layer.neurons if folding.lanes is None else folding.lanes
        units = -(-lanes // LANES_PER_UNIT) if folding.units is None else folding.units
        if units > lanes:
            raise FoldingError(
                f"layer {layer.name}: {units} units for {lanes} lanes; use at most {lanes}"
            )
        if isinstance(layer.recurrent, Linear) and self.sweeps > 1:
            raise FoldingError(
                f"layer {layer.name}: an all-to-all recurrence on an input that is held is not "
                f"built, because the held input's sums are not kept apart from the recurrence's; "
                f"send the input in every timestep as {InputKind.COUNTS.value}, or make the layer "
                f"behind it recurrent"
            )
        ways = self.ways_out
        if isinstance(layer.recurrent, Linear):
            ways = math.lcm(ways, folding.ways)
        units = linear_units(layer, units, lanes=lanes, ways=ways, slices=folding.slices)
        return LinearPlan(layer, folding, source, units=units,
                          sum_bits=self.widths.sums, weight_bits=self.widths.weights)

    def _convolution(self, layer: Layer, folding: LayerFolding, source: Source) -> Conv2dPlan:
        assert isinstance(layer.synapse, Conv2d)
        if isinstance(layer.recurrent, Linear):
            raise FoldingError(
                f"layer {layer.name}: an all-to-all recurrence of a convolution is not built; "
                f"use OneToOne, or a Linear layer"
            )
        if folding.ways != 1:
            raise FoldingError(
                f"layer {layer.name}: {folding.ways} ways; a convolution takes one event at a "
                f"time; raise lanes or banks instead"
            )
        if folding.storage is Storage.SPRAM:
            raise FoldingError(
                f"layer {layer.name}: {folding.storage.value} weights of a convolution are not "
                f"built, because each bank has its own copy; use {Storage.FIXED.value} or "
                f"{Storage.LOADABLE.value}"
            )
        if folding.protect is not Protection.NONE:
            raise FoldingError(
                f"layer {layer.name}: {Protection(folding.protect).value} of a convolution's "
                f"weights is not built, because every bank would check its own copy; use "
                f"{Protection.NONE.value}"
            )
        pool = None if isinstance(layer.pool, MaxPool2d) else layer.pool
        return Conv2dPlan(
            layer.name, layer.synapse, sum_bits=self.widths.sums, lanes=folding.lanes,
            banks=folding.banks, units=folding.units, overlap=folding.overlap,
            value_bits=source.value_bits, pool=pool, storage=folding.storage,
        )

    def _order(self) -> np.ndarray:
        if isinstance(self.synapses, Conv2dPlan):
            order = np.array(list(self.synapses.neurons()), np.int64)
        else:
            order = np.arange(self.steps * self.units).reshape(self.steps, self.units)
            order = np.where(order < self.layer.neurons, order, -1)
        order.setflags(write=False)
        return order

    def _rows(self) -> SpikeRows:
        plan, pooling = self.synapses, self.pooling
        if not isinstance(plan, Conv2dPlan):
            return SpikeRows(self.order, self.steps - 1)
        if pooling is None:
            xs = tuple(group * plan.positions for group in range(plan.row_groups))
            return SpikeRows(self.order, self.steps - 1, plan.output_shape, xs,
                             plan.blocks * plan.row_steps, plan.units // plan.positions)
        return SpikeRows(pooling.order, pooling.last_step, pooling.pool.output_shape, pooling.xs,
                         pooling.blocks, pooling.lanes, latency=1)

    @property
    def accumulator_bits(self) -> int:
        return self.widths.accumulated

    @property
    def membrane_bits(self) -> int:
        return self.widths.membrane

    @property
    def leaked_bits(self) -> int:
        return self.widths.leaked

    @property
    def current_bits(self) -> int:
        return self.widths.currents

    @property
    def leaked_current_bits(self) -> int:
        return self.widths.leaked_current

    @property
    def loads(self) -> bool:
        """Whether anything of the layer can be loaded."""
        return self.synapses.storage is not Storage.FIXED or self.loads_parameters

    @property
    def fire_latency(self) -> int:
        """Cycles from the sums of a neuron to its spike."""
        return 2 if self.current_bits == 0 else 3

    @property
    def store_latency(self) -> int:
        """Cycles from the sums of a neuron to its next state."""
        return self.fire_latency + 1

    @property
    def latency(self) -> int:
        """Cycles from a step of the sweep to its spikes."""
        return self.synapses.latency + self.fire_latency + (len(self.slices) > 1)

    @property
    def sweep_cycles(self) -> int:
        """Cycles from the beginning of a sweep to that of the next at the earliest: a neuron's
        state has to be stored before it is read again."""
        return max(self.steps, self.store_latency + 3)

    @property
    def padded(self) -> bool:
        """Whether some unit has no neuron in some step."""
        return bool((self.order < 0).any())


def input_source(spec: NetworkSpec) -> Source:
    """The network's inputs as the first layer receives them."""
    first, shape = spec.layers[0], None
    if isinstance(first.synapse, Conv2d):
        channels, height, width = first.input_shape
        shape = (channels, height, width)
    return Source(np.arange(spec.inputs), spec.input.bits if spec.input.bits > 1 else 0, shape)


def layer_plans(spec: NetworkSpec, folding: Folding) -> tuple[LayerPlan, ...]:
    """What to build for each layer of ``spec``.

    Raises
    ------
    FoldingError
        If the folding names a layer that does not exist, or a number does not work; with the
        nearest one that does.
    """
    foldings = folding.of(spec)
    held = spec.input.kind is InputKind.CURRENT
    source = input_source(spec)
    plans: list[LayerPlan] = []
    for n, (layer, chosen, proven) in enumerate(
            zip(spec.layers, foldings, proven_widths(spec), strict=True)):
        above = spec.layers[n + 1] if n + 1 < len(spec.layers) else None
        plans.append(LayerPlan(
            layer, chosen, proven, source, above=above,
            ways_out=1 if above is None else foldings[n + 1].ways,
            sweeps=spec.timesteps if held and n == 0 else 1,
        ))
        if above is not None:
            rows = plans[-1].rows
            source = Source(rows.order.reshape(-1), 0,
                            rows.shape if plans[-1].spatial_out else None)
    return tuple(plans)
