"""Layers in real numbers as a NIR graph (https://neuroir.org).

What NIR's primitives can say, they say: Affine or Conv2d, SumPool2d (with a Threshold of 0 behind
it: max pooling of spikes), LIF or CubaLIF with ``τ = dt/(1 − β)`` and ``r = τ/dt``, an LI with a
Threshold behind it where nothing resets, recurrence as a subgraph. What they cannot say stands in
metadata under names that begin with ``spikewright_``, one array or string each: the exact decays,
reset and delay. :mod:`.nir_import` reads all of it back bit for bit; other tools see every LIF
reset to 0 at once, which :func:`differences` names.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.spec import MaxPool2d, Reset
from .float_layer import FloatLayer
from .nir_neurons import OURS

_Floats = npt.NDArray[np.float64]

#: The timestep that snnTorch's and Lava's files count with.
DT = 1e-4

#: A decay this close to 1 gets the longest time constant instead of an infinite one.
_LEAST_LEAK = 2.0**-54


def to_nir(
    layers: Sequence[FloatLayer], input_shape: Sequence[int], *, dt: float = DT,
    settings: Mapping[str, Any] | None = None, integrates: bool = False,
) -> Any:
    """A :class:`nir.NIRGraph` of ``layers`` on inputs of ``input_shape``.

    Parameters
    ----------
    dt
        How long a timestep lasts, in seconds; time constants are in seconds too.
    settings
        JSON-ready facts about the run, which come back as :attr:`.nir_import.Imported.settings`.
    integrates
        The last layer has no threshold; its membranes are the result.
    """
    import nir

    writer = _Writer(tuple(input_shape), dt)
    for layer in layers:
        writer.add(layer, fires=not integrates or layer is not layers[-1])
    return writer.graph({"settings": json.dumps(dict(settings or {}))}, nir)


def write(path: Path | str, graph: Any) -> None:
    """``graph`` to the file ``path``, whole or not at all."""
    import nir

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        nir.write(temporary, graph)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def differences(layers: Sequence[FloatLayer]) -> list[str]:
    """What tools that do not know our metadata will do otherwise, a line per layer."""
    found = []
    for layer in layers:
        if layer.reset is Reset.NONE:
            continue
        said = []
        if layer.reset is Reset.SUBTRACT:
            said.append("reset to 0 in place of subtracting the threshold")
        if layer.reset_delay:
            said.append("reset in the timestep of the spike in place of the next")
        if (layer.decay <= 0).any():
            said.append("a decay of 0 or less may be refused")
        if said:
            found.append(f"layer {layer.name}: other tools will {' and '.join(said)}")
    return found


class _Writer:
    """Collects nodes and knows the shape of the signals behind the last of them."""

    def __init__(self, shape: tuple[int, ...], dt: float):
        self.nodes: dict[str, Any] = {}
        self.shape, self.dt, self.input_shape = shape, dt, shape

    def graph(self, metadata: dict[str, Any], nir: Any) -> Any:
        """The whole graph."""
        nodes = {
            "input": nir.Input(np.array(self.input_shape)), **self.nodes,
            "output": nir.Output(np.array(self.shape)),
        }
        names = list(nodes)
        return nir.NIRGraph(
            nodes, list(pairwise(names)), type_check=False,
            metadata=_ours(dt=self.dt, version=1, **metadata),
        )

    def add(self, layer: FloatLayer, *, fires: bool) -> None:
        """The nodes of ``layer``."""
        import nir

        pool, geometry = layer.pool, layer.geometry
        first = pool.input_shape if pool else geometry.input_shape if geometry else None
        if not self.nodes and first is not None:
            self.shape = self.input_shape = first
        if pool is not None:
            self.nodes[f"{layer.name}_pool"] = nir.SumPool2d(
                np.array(pool.kernel), np.array(pool.stride), np.array((0, 0))
            )
            self.shape = pool.output_shape
            if isinstance(pool, MaxPool2d):
                self.nodes[f"{layer.name}_max"] = nir.Threshold(np.zeros(self.shape))
        neurons, extra = len(layer.decay), {}
        if geometry is None:
            if len(self.shape) > 1:
                maps = {"input": np.array(self.shape)}
                self.nodes[f"{layer.name}_flatten"] = nir.Flatten(maps, 0, -1)
            self.nodes[layer.name] = nir.Affine(layer.weight, layer.bias)
            self.shape = (neurons,)
        else:
            bias = layer.bias.reshape(len(layer.weight), -1)
            if (bias == bias[:, :1]).all():
                bias = bias[:, 0].copy()
            else:
                extra["bias"], bias = layer.bias, np.zeros(len(layer.weight))
            self.nodes[layer.name] = nir.Conv2d(
                geometry.input_shape[1:], layer.weight, geometry.stride, geometry.padding, 1,
                geometry.groups, bias,
            )
            self.shape = (len(layer.weight), *geometry.sides(layer.weight.shape[2:]))
        self._neurons(layer, extra, fires=fires)

    def _neurons(self, layer: FloatLayer, extra: dict[str, _Floats], *, fires: bool) -> None:
        import nir

        tau, r = self._time(layer.decay)
        zeros = np.zeros(self.shape)
        # A bias of each neuron of a map, which a Conv2d cannot say, is what drives v to v_leak.
        leak = self._shaped(extra["bias"]) * r if "bias" in extra else zeros
        values: dict[str, Any] = {"r": r, "v_leak": leak}
        if layer.synapse_decay is None:
            values["tau"] = tau
        else:
            tau_syn, w_in = self._time(layer.synapse_decay)
            values |= {"tau_mem": tau, "tau_syn": tau_syn, "w_in": w_in}
            extra["synapse_decay"] = layer.synapse_decay
        metadata = _ours(decay=layer.decay, threshold=layer.threshold, reset=layer.reset.value,
                         reset_delay=layer.reset_delay, **extra)
        cuba, threshold = layer.synapse_decay is not None, self._shaped(layer.threshold)
        if layer.reset is Reset.NONE and layer.recurrent is None:
            kind = nir.CubaLI if cuba else nir.LI
            self.nodes[f"{layer.name}_neurons"] = kind(**values, metadata=metadata)
            if fires:
                self.nodes[f"{layer.name}_threshold"] = nir.Threshold(threshold)
            return
        kind = nir.CubaLIF if cuba else nir.LIF
        node = kind(**values, v_threshold=threshold, v_reset=zeros, metadata=metadata)
        if layer.recurrent is not None:
            node = self._recurrent(layer.recurrent, node, nir)
        self.nodes[f"{layer.name}_neurons"] = node

    def _recurrent(self, weight: _Floats, node: Any, nir: Any) -> Any:
        """The subgraph that snnTorch and nirtorch write too."""
        one_to_one = weight.ndim == 1
        back = (
            nir.Scale(self._shaped(weight)) if one_to_one and len(self.shape) > 1 else
            nir.Linear(np.diag(weight) if one_to_one else weight,
                       metadata=_ours(one_to_one=one_to_one))
        )
        nodes = {"input": nir.Input(np.array(self.shape)), "lif": node, "w_rec": back,
                 "output": nir.Output(np.array(self.shape))}
        return nir.NIRGraph(nodes, [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"),
                                    ("lif", "output")], type_check=False)

    def _time(self, decay: _Floats) -> tuple[_Floats, _Floats]:
        """τ and τ/dt of ``decay``."""
        leak = np.maximum(1 - self._shaped(decay), _LEAST_LEAK)
        return self.dt / leak, 1 / leak

    def _shaped(self, value: _Floats) -> _Floats:
        return value.reshape(self.shape)


def _ours(**values: Any) -> dict[str, Any]:
    """Metadata of ours, flat: readers of older versions of nir know no nested groups."""
    return {f"{OURS}{name}": value for name, value in values.items()}
