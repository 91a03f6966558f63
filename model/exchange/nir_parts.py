"""Nodes of a NIR graph, one after another, on their way to layers; see :mod:`.nir_import`."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...gen.errors import SpecError, UnsupportedModuleError
from ...gen.spec import MaxPool2d, Reset, SumPool2d
from ..surrogates import SpikeGrad
from .findings import Findings
from .float_layer import Dynamics, Recurrence, Synapse
from .geometry import Geometry, geometry_of
from .nir_graph import Node
from .nir_neurons import FIRING, INTEGRATING, OURS, Clock, neurons, spread
from .walk import Walk


class Parts:
    """Takes nodes in the order in which signals pass them, and writes down what becomes of each."""

    def __init__(
        self, shape: tuple[int, ...], time: Clock, spike_grad: SpikeGrad, findings: Findings
    ):
        self.walk, self.time, self.findings = Walk(shape), time, findings
        self.spike_grad = spike_grad
        #: Whether the last layer has no threshold.
        self.integrates = False
        # An input's factor that waits for a synapse, and neurons that wait for a threshold.
        self.factor: tuple[Node, Any] | None = None
        self.waiting: tuple[Node, Dynamics, list[str]] | None = None

    def take(self, node: Node, recurrent: list[Node], *, own: bool) -> None:
        """The next ``node``; ``recurrent`` lead from it back to itself, ``own``: directly too.

        Raises
        ------
        UnsupportedModuleError, SpecError
            If it does not map; :meth:`go_on` then makes the next ones worth a look.
        """
        takers: dict[str, Callable[[Node], None]] = {
            "Affine": self._matrix, "Linear": self._matrix, "Conv2d": self._convolution,
            "Scale": self._scale, "Flatten": self._flatten, "SumPool2d": self._pool,
            "AvgPool2d": self._pool, "Threshold": self._threshold, "Output": self._output,
        }
        if node.kind in (*FIRING, *INTEGRATING):
            self._neurons(node, recurrent, own=own)
        elif node.kind in takers:
            if self.waiting and node.kind not in ("Threshold", "Output", "Flatten"):
                raise UnsupportedModuleError(
                    f"{self.waiting[0].shown} only integrates, so what it hands on is no spikes; "
                    f"only the last layer may, or one with a Threshold behind it"
                )
            takers[node.kind](node)
        else:
            raise UnsupportedModuleError(
                f"{node.shown} has no counterpart in hardware; allowed are "
                f"{', '.join((*FIRING, *INTEGRATING, *takers))}"
            )

    def go_on(self, node: Node) -> None:
        """After ``node`` was refused: as if it had been taken, so that others are looked at too."""
        self.walk.pool, self.factor, self.waiting = None, None, None
        self.walk.synapse = None
        if node.kind in ("Affine", "Linear"):
            weight = node.array("weight")
            self.walk.shape = (len(weight),)
            self.walk.synapse = Synapse(path=node.name, shown=node.shown, weight=weight,
                                        bias=np.zeros(len(weight)))

    def _matrix(self, node: Node) -> None:
        weight = node.array("weight")
        if weight.ndim != 2:
            raise UnsupportedModuleError(f"{node.shown} has weights of {weight.ndim} dimensions; "
                                         f"two, (outputs, inputs), are needed")
        said = []
        if self.factor:
            weight = weight * self._factor(said).reshape(1, -1)
        bias = spread(node, "bias", node.array("bias"), weight.shape[:1]) if (
            node.kind == "Affine") else np.zeros(len(weight))
        path, before = node.name, self.walk.synapse
        if before and before.geometry is None:
            self.walk.synapse = None
            if before.weight.shape[0] != weight.shape[1]:
                raise SpecError(f"{node.shown} has {weight.shape[1]} inputs, but "
                                f"{before.weight.shape[0]} signals reach it")
            said.append(f"multiplied into node {before.path}")
            path, bias = before.path, weight @ before.bias + bias
            weight = weight @ before.weight
            self.walk.shape = (weight.shape[1],)
            self.walk.take_synapse(Synapse(path=path, shown=node.shown, weight=weight, bias=bias))
        else:
            self.walk.take_synapse(Synapse(path=path, shown=node.shown, weight=weight, bias=bias))
        self.findings.add(node.name, node.kind, f"{weight.shape[0]}×{weight.shape[1]} weights",
                          *said)

    def _convolution(self, node: Node) -> None:
        weight, maps, said = node.array("weight"), self.walk.shape, []
        if len(maps) != 3 or weight.ndim != 4:
            raise SpecError(f"{node.shown} needs maps (channels, y, x) and weights of four "
                            f"dimensions; signals of shape {maps} reach weights {weight.shape}")
        groups = int(node.fields.get("groups", 1))
        padding = node.fields["padding"]
        module = SimpleNamespace(
            in_channels=weight.shape[1] * groups, kernel_size=weight.shape[2:], groups=groups,
            stride=_pair(node.fields["stride"]), dilation=_pair(node.fields["dilation"]),
            padding=padding if isinstance(padding, str) else _pair(padding), padding_mode="zeros",
        )
        geometry = geometry_of(node.shown, module, (maps[0], maps[1], maps[2]))
        if self.factor:
            factor = self._factor(said).reshape(maps[0], -1)
            if (factor != factor[:, :1]).any():
                raise UnsupportedModuleError(f"{node.shown} takes inputs that are scaled one by "
                                             f"one; one factor per channel is allowed")
            weight = weight * np.repeat(factor[:, 0].reshape(groups, 1, -1), len(weight) // groups,
                                        axis=1).reshape(len(weight), -1, 1, 1)
        bias = spread(node, "bias", node.array("bias"), weight.shape[:1])
        self.walk.take_synapse(Synapse(path=node.name, shown=node.shown, weight=weight, bias=bias,
                                       geometry=geometry))
        self.findings.add(node.name, "Conv2d", f"convolution to {self.walk.shape}", *said)

    def _factor(self, said: list[str]) -> Any:
        assert self.factor is not None
        (node, factor), self.factor = self.factor, None
        said.append(f"the factors of node {node.name} are folded in")
        return factor

    def _scale(self, node: Node) -> None:
        factor = spread(node, "scale", node.array("scale"), self.walk.shape)
        if self.walk.synapse is None:
            if self.factor:
                factor = factor * self._factor([])
            self.factor = node, factor
        else:
            per_output = factor.reshape(len(self.walk.synapse.weight), -1)
            if (per_output != per_output[:, :1]).any():
                raise UnsupportedModuleError(f"{node.shown} scales the neurons of a channel one by "
                                             f"one, which shared kernels cannot take in; give one "
                                             f"factor per channel")
            self.walk.synapse = self.walk.synapse.scaled(per_output[:, 0])
        self.findings.add(node.name, "Scale", "factors of weights")

    def _flatten(self, node: Node) -> None:
        # Some writers count the batch's dimension, some do not.
        if int(node.fields.get("end_dim", -1)) not in (-1, len(self.walk.shape) - 1) or int(
            node.fields.get("start_dim", 1)
        ) not in (0, 1):
            raise UnsupportedModuleError(f"{node.shown} flattens some dimensions only; flatten all")
        self.walk.shape = (int(np.prod(self.walk.shape)),)
        self.findings.add(node.name, "Flatten", f"{self.walk.shape[0]} signals")

    def _pool(self, node: Node) -> None:
        if self.factor:
            raise UnsupportedModuleError(f"{node.shown} pools scaled signals; put the Scale behind "
                                         f"the pooling")
        if np.any(np.asarray(node.fields.get("padding", 0))):
            raise UnsupportedModuleError(
                f"{node.shown} has padding {node.fields['padding']}, which has no counterpart in "
                f"hardware; leave it at 0"
            )
        self.walk.take_pool(node.name, node.shown, SumPool2d, _pair(node.fields["kernel_size"]),
                            _pair(node.fields["stride"]), average=node.kind == "AvgPool2d")
        self.findings.add(node.name, node.kind, f"sum pooling to {self.walk.shape}")

    def _neurons(self, node: Node, recurrent: list[Node], *, own: bool) -> None:
        self._one_to_one(node)
        shape = self.walk.shape
        neuron, said = neurons(node, shape, self.time, self.spike_grad)
        back = [self._recurrence(other, shape) for other in recurrent]
        if own:
            ones = np.ones_like(neuron.decay)
            back.append(Recurrence(weight=ones, bias=0 * ones))
        if len(back) > 1:
            raise UnsupportedModuleError(f"{node.shown} recurs {len(back)} times; add the weights")
        if back:
            neuron = replace(neuron, recurrence=back[0])
        for other in recurrent:
            self.findings.add(other.name, other.kind, "recurrence, one timestep later"
                              + ("" if back[0].weight.ndim > 1 else ", one to one"))
        if node.kind in INTEGRATING:
            self.waiting = node, neuron, said
            return
        self._end(node, neuron, said)

    def _end(self, node: Node, neuron: Dynamics, said: list[str]) -> None:
        self.walk.take_neuron(neuron)
        layer = self.walk.layers[-1]
        self.findings.add(
            node.name, node.kind,
            f"{len(layer.decay)} neurons, reset {layer.reset.value}"
            f"{'' if layer.reset_delay or layer.reset is Reset.NONE else ' at once'}", *said,
        )

    def _recurrence(self, node: Node, shape: tuple[int, ...]) -> Recurrence:
        size = int(np.prod(shape))
        if node.kind == "Scale":
            return Recurrence(weight=spread(node, "scale", node.array("scale"), shape),
                              bias=np.zeros(size))
        weight = node.array("weight")
        if weight.shape != (size, size):
            raise UnsupportedModuleError(f"{node.shown} recurs with weights {weight.shape} among "
                                         f"{size} neurons; a square Linear or a Scale is needed")
        bias = spread(node, "bias", node.array("bias"), (size,)) if (
            node.kind == "Affine") else np.zeros(size)
        diagonal = np.diag(weight)
        one_to_one = (weight == np.diag(diagonal)).all()
        if f"{OURS}one_to_one" in node.metadata:
            one_to_one = bool(node.metadata[f"{OURS}one_to_one"])
        return Recurrence(weight=diagonal.copy() if one_to_one else weight, bias=bias)

    def _threshold(self, node: Node) -> None:
        threshold = spread(node, "threshold", node.array("threshold"), self.walk.shape)
        pool = self.walk.pool
        if self.waiting:
            (before, neuron, said), self.waiting = self.waiting, None
            self._end(before, replace(neuron, threshold=threshold), said)
            self.findings.add(node.name, "Threshold", f"the threshold of node {before.name}")
            return
        if pool and not self.walk.synapse and pool.divisor == 1 and self.walk.layers and (
            (threshold >= 0) & (threshold < 1)
        ).all():
            self.walk.pool = pool._replace(pool=MaxPool2d(**vars(pool.pool)))
            self.findings.add(node.name, "Threshold", f"max pooling, with node {pool.path}")
            return
        self._one_to_one(node)
        # Without memory, a constant on both sides of u > θ changes nothing.
        shift = np.where(threshold > 0, 0.0, 1.0 - threshold)
        zeros = np.zeros_like(threshold)
        self._end(node, Dynamics(
            shown=node.shown, decay=zeros, threshold=threshold + shift, reset=Reset.NONE,
            reset_delay=True, spike_grad=self.spike_grad, gain=np.ones_like(threshold), bias=shift,
        ), ["θ of 0 or less became a bias"] if shift.any() else [])

    def _one_to_one(self, node: Node) -> None:
        """A synapse for neurons that have none in front of them."""
        if self.walk.synapse:
            return
        said: list[str] = []
        shape = self.walk.shape
        factor = self._factor(said) if self.factor else np.ones(int(np.prod(shape)))
        geometry = None
        if len(shape) == 3:
            per_channel = factor.reshape(shape[0], -1)
            if (per_channel != per_channel[:, :1]).any():
                raise UnsupportedModuleError(f"{node.shown} takes inputs that are scaled one by "
                                             f"one; one factor per channel is allowed")
            weight = per_channel[:, :1].reshape(-1, 1, 1, 1)
            geometry = Geometry(input_shape=(shape[0], shape[1], shape[2]), stride=(1, 1),
                                padding=(0, 0), groups=shape[0])
        else:
            weight = np.diag(factor)
        self.walk.take_synapse(Synapse(
            path=f"{node.name}_in", shown=node.shown, weight=weight, bias=np.zeros(len(weight)),
            geometry=geometry,
        ))
        self.findings.add(f"{node.name}_in", "–", "one-to-one synapses",
                          "neurons without synapses get a weight for each input")

    def _output(self, node: Node) -> None:
        if self.waiting:
            (before, neuron, said), self.waiting = self.waiting, None
            self._end(before, neuron, said)
            self.integrates = True
        self.findings.add(node.name, "Output", f"outputs {self.walk.shape}")


def _pair(value: Any) -> tuple[int, int]:
    """Height and width from one number or two."""
    sides = np.broadcast_to(np.asarray(value, np.int64), 2)
    return int(sides[0]), int(sides[1])
