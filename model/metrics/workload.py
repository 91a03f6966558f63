"""NeuroBench's metrics of a net at work, of the network in integers (package 2.3.0).

=====================  ===========================================================================
activation sparsity    share of neurons × timesteps without a spike
synaptic operations    per sample: signals other than 0 that meet a weight other than 0, biases left
                       out. Accumulations (ACs) where all signals of a timestep are 0 or 1, else
                       multiply-accumulations (MACs). Dense: as if no signal and no weight were 0
membrane updates       per sample: neurons in the first timestep, later those whose membrane changed
accuracy               share of samples whose class is found
=====================  ===========================================================================

An average-pooled signal is a fraction of a window, so it is accumulated only if no window of that
timestep is partly full. An input that is held counts in every timestep: NeuroBench sees a net, not
hardware, which adds it up once (its own count is the counter ``synops`` of
:mod:`spikewright.gen.counters`). Neurons without threshold have no spikes, so they are not among
the activations.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.pooling import SumPool2d
from ...gen.spec import Layer, Linear, NetworkSpec
from ...gen.trace import Trace


@dataclass
class _Layer:
    spikes: int = 0
    quiet: int = 0
    updates: int = 0
    accumulations: int = 0
    products: int = 0


class Workload:
    """Adds up batches of samples that were run through ``spec`` to the end."""

    def __init__(self, spec: NetworkSpec):
        self.spec = spec
        self.samples = self.timesteps = self.right = self.labelled = 0
        self._layers = [_Layer() for _ in spec.layers]

    def add(
        self, signals: npt.NDArray, trace: Trace, labels: npt.NDArray[np.int64] | None = None
    ) -> None:
        """One batch: its input, what it did, membranes included, and its labels; a label below 0 is
        unknown."""
        assert trace.membranes is not None
        steps = self.spec.steps(signals)
        self.samples += len(trace)
        self.timesteps += steps * len(trace)
        if labels is not None:
            self.right += int((trace.prediction == labels)[labels >= 0].sum())
            self.labelled += int((labels >= 0).sum())
        reaching = signals
        for layer, found, spikes, membranes in zip(
            self.spec.layers, self._layers, trace.spikes, trace.membranes, strict=True
        ):
            if layer.neuron.threshold is not None:
                fired = int(np.count_nonzero(spikes))
                found.spikes += fired
                found.quiet += spikes.size - fired
            found.updates += membranes[:, 0].size + int(
                np.count_nonzero(membranes[:, 1:] != membranes[:, :-1]))
            operations, binary = _operations(layer, reaching)
            held = steps if reaching.shape[1] == 1 else 1
            found.accumulations += held * int(operations[binary].sum())
            found.products += held * int(operations[~binary].sum())
            if isinstance(layer.recurrent, Linear):
                connected = (layer.recurrent.weight != 0).sum(axis=0)
                found.accumulations += int((spikes[:, :-1].sum(axis=(0, 1)) * connected).sum())
            reaching = spikes

    def rates(self) -> list[float | None]:
        """Spikes per neuron and timestep of each layer; None without threshold."""
        return [None if layer.neuron.threshold is None else
                _share(found.spikes, found.quiet)
                for layer, found in zip(self.spec.layers, self._layers, strict=True)]

    def figures(self) -> dict[str, Any]:
        """JSON-ready, under NeuroBench's names."""
        def each(name: str) -> int:
            return sum(getattr(layer, name) for layer in self._layers)

        names = [layer.name for layer in self.spec.layers]
        dense = sum(_dense(layer) for layer in self.spec.layers) * self.timesteps
        return {
            "classification_accuracy": self.right / self.labelled if self.labelled else None,
            "activation_sparsity": _share(each("quiet"), each("spikes")),
            "activation_sparsity_by_layer": {
                name: _share(layer.quiet, layer.spikes)
                for name, layer in zip(names, self._layers, strict=True)
                if layer.quiet + layer.spikes
            },
            "synaptic_operations": {
                "Effective_MACs": each("products") / self.samples,
                "Effective_ACs": each("accumulations") / self.samples,
                "Dense": dense / self.samples,
            },
            "membrane_updates": each("updates") / self.samples,
        }


def _share(these: int, others: int) -> float:
    return these / (these + others) if these + others else 0.0


def _operations(
    layer: Layer, signals: npt.NDArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(timesteps,) effective operations of a batch, and whether all its signals are 0 or 1."""
    pooled = layer.pooled(signals)
    full = layer.pool.most if isinstance(layer.pool, SumPool2d) else 1
    connected = replace(layer.synapse, weight=(layer.synapse.weight != 0).astype(np.int64),
                        weight_shift=0)
    operations = connected.apply(pooled != 0).sum(axis=(0, 2))
    return operations, ((pooled == 0) | (pooled == full)).all(axis=(0, 2))


def _dense(layer: Layer) -> int:
    """Connections of a layer, its recurrent ones too; taps beyond a border are none."""
    ones = replace(layer.synapse, weight=np.ones_like(layer.synapse.weight), weight_shift=0)
    own = layer.recurrent.weight.size if isinstance(layer.recurrent, Linear) else 0
    return int(ones.apply(np.ones(layer.synapse.inputs, np.int64)).sum()) + own
