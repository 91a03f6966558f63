"""Layers in real numbers, run: the float counterpart of the golden model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from ...gen.spec import Reset, SumPool2d
from .float_layer import FloatLayer


class FloatTrace(NamedTuple):
    """What a layer did, float64 (timesteps, batch, neurons): ``spikes``, ``membranes`` m, and the
    ``potentials`` u that were compared with θ."""

    spikes: torch.Tensor
    membranes: torch.Tensor
    potentials: torch.Tensor


def run(layers: Sequence[FloatLayer], x: torch.Tensor) -> list[FloatTrace]:
    """Every layer's activity for signals x (timesteps, batch, inputs), by the equations at the top
    of :mod:`spikewright.gen.spec` in float64; every state starts at 0."""
    found: list[FloatTrace] = []
    x = x.double()
    for layer in layers:
        found.append(_over_time(layer, _sums(layer, x)))
        x = found[-1].spikes
    return found


def _sums(layer: FloatLayer, x: torch.Tensor) -> torch.Tensor:
    """What the synapses add up, with the bias, (timesteps, batch, neurons)."""
    frames, weight = x.shape[:2], torch.from_numpy(layer.weight)
    x = x.flatten(0, 1)
    if (pool := layer.pool) is not None:
        maps = x.unflatten(1, pool.input_shape)
        maps = (
            functional.avg_pool2d(maps, pool.kernel, pool.stride, divisor_override=1)
            if isinstance(pool, SumPool2d)
            else functional.max_pool2d(maps, pool.kernel, pool.stride)
        )
        x = maps.flatten(1)
    if (geometry := layer.geometry) is not None:
        x = functional.conv2d(x.unflatten(1, geometry.input_shape), weight, None, geometry.stride,
                              geometry.padding, 1, geometry.groups).flatten(1)
    else:
        x = x @ weight.T
    return (x + torch.from_numpy(layer.bias)).unflatten(0, frames)


def _over_time(layer: FloatLayer, drive: torch.Tensor) -> FloatTrace:
    decay, threshold, synapse_decay, recurrent = (
        None if value is None else torch.from_numpy(np.ascontiguousarray(value))
        for value in (layer.decay, layer.threshold, layer.synapse_decay, layer.recurrent)
    )
    assert decay is not None
    assert threshold is not None
    m = i = s = torch.zeros_like(drive[0])
    spikes, membranes, potentials = [], [], []
    for x in drive:
        if recurrent is not None:
            x = x + (s * recurrent if recurrent.ndim == 1 else s @ recurrent.T)
        i = x if synapse_decay is None else synapse_decay * i + x
        r = (m > threshold).double()
        match layer.reset:
            case Reset.SUBTRACT:
                u = decay * m - r * threshold + i
            case Reset.ZERO_KEEP_INPUT:
                u = decay * ((1 - r) * m) + i
            case Reset.ZERO_DROP_INPUT:
                u = (1 - r) * (decay * m + i)
            case Reset.NONE:
                u = decay * m + i
        s = (u > threshold).double()
        m = u
        if not layer.reset_delay:
            if layer.reset is Reset.SUBTRACT:
                m = u - (s - r) * threshold
            elif layer.reset is not Reset.NONE:
                m = (1 - s) * u
        spikes.append(s)
        membranes.append(m)
        potentials.append(u)
    return FloatTrace(*(torch.stack(part) for part in (spikes, membranes, potentials)))
