"""The contract in torch: the module that is checked against the golden model is the module that
quantisation-aware training trains. Its layers are :class:`.layer.QuantizedLayer`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...gen.spec import InputKind, Linear, NetworkSpec
from ..readouts import Activity, votes
from ..surrogates import SpikeGrad
from .layer import LayerTrace, QuantizedLayer

__all__ = ["QuantizedLayer", "QuantizedNet", "exact_dtype"]


class QuantizedNet(nn.Module):
    """A :class:`~spikewright.gen.spec.NetworkSpec` as a torch module.

    Parameters
    ----------
    spec
        The network.
    spike_grads, weight_steps
        Per layer, for training; see :class:`.layer.QuantizedLayer`. Without them the net
        is only run, and its tensors are as narrow as the spec's own weights allow.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        spike_grads: Sequence[SpikeGrad] | None = None,
        weight_steps: Sequence[npt.NDArray[np.float64]] | None = None,
    ):
        super().__init__()
        self._spec = spec
        self.dtype = exact_dtype(spec, any_weights=spike_grads is not None)
        grads = spike_grads or [None] * len(spec.layers)
        steps = weight_steps or [np.ones(1)] * len(spec.layers)
        self.layers = nn.ModuleList(
            QuantizedLayer(layer, self.dtype, grad, step)
            for layer, grad, step in zip(spec.layers, grads, steps, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the readout adds up, (timesteps, batch, classes), for signals x (timesteps, batch,
        inputs), or (1, batch, inputs) of a current: spikes, or membranes in the unit of the float
        net's."""
        return self.activity(x).votes

    def activity(self, x: torch.Tensor) -> Activity:
        """As :meth:`forward`, with the spikes of every layer."""
        traces = self.trace(x)
        last = traces[-1]
        return Activity(
            votes(self._spec.readout, last.spikes, last.membranes * self._last.membrane_step),
            tuple(trace.spikes for trace in traces),
            x,
        )

    def trace(self, x: torch.Tensor) -> list[LayerTrace]:
        """What every layer does."""
        found: list[LayerTrace] = []
        held = self._spec.input.kind is InputKind.CURRENT
        timesteps = self._spec.timesteps if held else len(x)
        x = x.to(self.dtype)
        for layer in self.layers:
            found.append(layer(x, timesteps))
            x = found[-1].spikes
        return found

    @property
    def _last(self) -> QuantizedLayer:
        layer = self.layers[-1]
        assert isinstance(layer, QuantizedLayer)
        return layer

    def spec(self) -> NetworkSpec:
        """The network with its present weights and biases; SpecError if the contract refuses it."""
        return replace(self._spec, layers=tuple(layer.quantised() for layer in self.layers))  # type: ignore[operator]


def exact_dtype(spec: NetworkSpec, *, any_weights: bool = False) -> torch.dtype:
    """float32 if no sum inside ``spec`` can leave ±2²⁴, else float64.

    ``any_weights``: for all weights of the same widths, as training may find them.
    """
    most = spec.input.most
    for layer in spec.layers:
        neuron, synapse = layer.neuron, layer.synapse
        signals = most if layer.pool is None else most * layer.pool.most
        arriving = _largest_sum(synapse, any_weights) * signals + int(np.abs(neuron.bias).max())
        if isinstance(layer.recurrent, Linear):
            arriving += _largest_sum(layer.recurrent, any_weights)
        elif layer.recurrent is not None:
            arriving += int(np.abs(layer.recurrent.weight).max())
        # Coarser than gen.bounds, but also true of every sum on the way to u.
        added = 1 + (0 if neuron.threshold is None else 2 * int(np.max(neuron.threshold)))
        kept = int(np.abs(neuron.decay).max()) / (1 << neuron.decay_fraction)
        current_kept = (0 if neuron.synapse_decay is None else
                        int(np.max(neuron.synapse_decay)) / (1 << neuron.synapse_decay_fraction))
        current = reach = 0.0
        for _ in range(spec.timesteps):
            current = current_kept * current + arriving + 1
            reach = kept * reach + current + added
            if reach >= 2**24:
                return torch.float64
        most = 1
    return torch.float32


def _largest_sum(synapse, any_weights: bool) -> int:
    """Largest magnitude of a sum, and of any part of it, when every signal is at most 1."""
    rows = np.abs(synapse.weight).reshape(len(synapse.weight), -1)
    largest = rows.shape[1] << (synapse.weight_bits - 1) if any_weights else rows.sum(1).max()
    return int(largest) << synapse.weight_shift
