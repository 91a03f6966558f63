"""The golden model: the contract in NumPy, vectorised over samples.

It is written for reading beside :mod:`spikewright.gen.spec`, and fast enough for whole data sets:
one matrix product per layer over all samples and timesteps, then a loop over time only.
"""

import numpy as np
import numpy.typing as npt

from ..arithmetic import decay
from ..counters import functional
from ..errors import SpikewrightError
from ..spec import Layer, NetworkSpec, Neuron, Reset
from ..trace import Trace
from . import Options

#: Input currents of a batch are held below this many bytes.
_BATCH_BYTES = 1 << 28

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def run(spec: NetworkSpec, spikes: _Bools, options: Options) -> Trace:
    """The ``golden`` engine; see :func:`spikewright.gen.simulate`."""
    if options.waveform is not None:
        raise SpikewrightError("the golden model has no clock, so no waveform; use engine amaranth")
    widest = max(layer.neurons for layer in spec.layers)
    batch = max(1, _BATCH_BYTES // (8 * spikes.shape[1] * widest))
    parts = []
    for start in range(0, len(spikes), batch):
        parts.append(_run_batch(spec, spikes[start : start + batch], options.membranes))
        options.progress(len(parts[-1]))
    return _concatenate(parts)


def _run_batch(spec: NetworkSpec, spikes: _Bools, keep_membranes: bool) -> Trace:
    out, membranes, saturations = [], [], []
    arriving = spikes
    for layer in spec.layers:
        arriving, m, saturated = run_layer(layer, arriving)
        out.append(arriving)
        membranes.append(m)
        saturations.append(saturated)
    scores = spec.readout.scores(out[-1], membranes[-1], spec.timesteps)
    return Trace(
        engine="golden",
        spikes=tuple(out),
        membranes=tuple(membranes) if keep_membranes else None,
        scores=scores,
        prediction=scores.argmax(axis=1),
        counters=functional(spec, spikes, out, saturations),
    )


def run_layer(layer: Layer, spikes: _Bools) -> tuple[_Bools, _Ints, _Ints]:
    """Spikes (S, T, N), membranes (S, T, N) and saturations (S,) of ``layer`` alone."""
    samples, timesteps, _ = spikes.shape
    shape = (samples, timesteps, layer.neurons)
    # Integers below 2⁵³ are exact in float64, and matrix products of floats are the fast ones.
    current = (spikes.astype(np.float64) @ layer.synapse.weight.T.astype(np.float64)).astype(
        np.int64
    ) << layer.synapse.weight_shift
    out, membranes = np.empty(shape, np.bool_), np.empty(shape, np.int64)
    saturations = np.zeros(samples, np.int64)
    m = np.zeros((samples, layer.neurons), np.int64)
    for t in range(timesteps):
        out[:, t], m, saturated = step(layer.neuron, m, current[:, t])
        membranes[:, t] = m
        saturations += saturated.sum(axis=1)
    return out, membranes, saturations


def step(neuron: Neuron, m: _Ints, current: _Ints) -> tuple[_Bools, _Ints, _Bools]:
    """One timestep: spikes, new membrane, and where u was clamped.

    ``m`` and ``current`` (synaptic sum, without bias) are (…, neurons). Equations and their source:
    :mod:`spikewright.gen.spec`.
    """
    theta, drive = np.asarray(neuron.threshold), current + np.asarray(neuron.bias)
    r = m > theta
    leaked = decay(m, neuron.decay, neuron.decay_fraction, neuron.rounding)
    match neuron.reset:
        case Reset.SUBTRACT:
            u = leaked - r * theta + drive
        case Reset.ZERO_KEEP_INPUT:
            u = np.where(r, 0, leaked) + drive
        case Reset.ZERO_DROP_INPUT:
            u = np.where(r, 0, leaked + drive)
        case Reset.NONE:
            u = leaked + drive
    saturated = np.zeros(u.shape, np.bool_)
    if neuron.membrane_bits is not None:
        limit = 1 << (neuron.membrane_bits - 1)
        clamped = np.clip(u, -limit, limit - 1)
        saturated, u = clamped != u, clamped
    s = u > theta
    if not neuron.reset_delay:
        if neuron.reset is Reset.SUBTRACT:
            u = u - (s.astype(np.int64) - r) * theta
        elif neuron.reset is not Reset.NONE:
            u = np.where(s, 0, u)
    return s, u, saturated


def _concatenate(parts: list[Trace]) -> Trace:
    def join(arrays: list[tuple[npt.NDArray, ...]]) -> tuple[npt.NDArray, ...]:
        return tuple(np.concatenate(layer) for layer in zip(*arrays, strict=True))

    membranes = [part.membranes for part in parts if part.membranes is not None]
    return Trace(
        engine="golden",
        spikes=join([part.spikes for part in parts]),
        membranes=join(membranes) if membranes else None,
        scores=np.concatenate([part.scores for part in parts]),
        prediction=np.concatenate([part.prediction for part in parts]),
        counters={
            name: np.concatenate([part.counters[name] for part in parts])
            for name in parts[0].counters
        },
    )
