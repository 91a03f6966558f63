"""Engine ``torch``: the module that quantisation-aware training trains, run as it stands."""

import numpy as np
import numpy.typing as npt
import torch

from ..gen.counters import functional
from ..gen.engines import Options
from ..gen.errors import SpikewrightError
from ..gen.spec import NetworkSpec
from ..gen.trace import Trace
from .quantisation.net import QuantizedNet

#: Tensors of a batch are held below this many elements.
_BATCH_ELEMENTS = 1 << 25


def run(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """See :func:`spikewright.gen.simulate`."""
    if options.waveform is not None:
        raise SpikewrightError("torch has no clock, so no waveform; use engine amaranth")
    net = QuantizedNet(spec)
    widest = max(max(layer.inputs, layer.neurons) for layer in spec.layers)
    batch = max(1, _BATCH_ELEMENTS // (spec.steps(signals) * widest))
    parts = []
    with torch.no_grad():
        for start in range(0, len(signals), batch):
            x = torch.from_numpy(signals[start : start + batch].transpose(1, 0, 2).copy())
            parts.append([
                (_by_sample(layer.spikes, np.bool_), _by_sample(layer.membranes, np.int64),
                 layer.saturations.numpy())
                for layer in net.trace(x)
            ])
            options.progress(x.shape[1])
    out, membranes, saturations = (
        tuple(np.concatenate([part[i][what] for part in parts]) for i in range(len(spec.layers)))
        for what in range(3)
    )
    scores = spec.readout.scores(out[-1], membranes[-1], spec.timesteps)
    return Trace(
        engine="torch",
        spikes=out,
        membranes=membranes if options.membranes else None,
        scores=scores,
        prediction=scores.argmax(axis=1),
        counters=functional(spec, signals, out, saturations),
    )


def _by_sample(tensor: torch.Tensor, dtype: type) -> npt.NDArray:
    return tensor.numpy().transpose(1, 0, 2).astype(dtype)
