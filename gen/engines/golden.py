"""The golden model: the contract in NumPy, vectorised over samples.

It is written for reading beside :mod:`spikewright.gen.spec`, and fast enough for whole data sets:
the sums of a layer over all samples and timesteps at once, then a loop over time only.
"""

import numpy as np
import numpy.typing as npt

from ..arithmetic import decay
from ..counters import functional
from ..errors import SpikewrightError
from ..spec import Layer, NetworkSpec, Neuron, Reset
from ..trace import Trace, within
from . import Options

#: Sums of a batch are held below this many bytes.
_BATCH_BYTES = 1 << 28

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def run(spec: NetworkSpec, signals: npt.NDArray, options: Options) -> Trace:
    """The ``golden`` engine; see :func:`spikewright.gen.simulate`."""
    if options.waveform is not None:
        raise SpikewrightError("the golden model has no clock, so no waveform; use engine amaranth")
    if options.flips is not None:
        from ..faults import FaultyNetwork

        return FaultyNetwork(spec, options.folding, options.flips).run(
            signals, membranes=options.membranes, timesteps=options.timesteps,
            progress=options.progress)
    widest = max(max(layer.inputs, layer.neurons) for layer in spec.layers)
    batch = max(1, _BATCH_BYTES // (8 * spec.steps(signals) * widest))
    parts = []
    for start in range(0, len(signals), batch):
        these = slice(start, start + batch)
        timesteps = None if options.timesteps is None else options.timesteps[these]
        parts.append(_run_batch(spec, signals[these], timesteps, options.membranes))
        options.progress(len(parts[-1]))
    return concatenate(parts)


def _run_batch(spec: NetworkSpec, signals: npt.NDArray, timesteps: _Ints | None,
               keep_membranes: bool) -> Trace:
    out, membranes, saturations = [], [], []
    reaching = signals
    for layer in spec.layers:
        reaching, m, saturated = run_layer(layer, reaching, spec.steps(signals))
        out.append(reaching)
        if not keep_membranes:
            membranes.clear()
        membranes.append(m)
        saturations.append(within(saturated, timesteps).sum(axis=1))
    # Of all timesteps, so that hardware that exits too early is found.
    scores = spec.readout.scores(out[-1], membranes[-1], spec.timesteps)
    out = [within(spikes, timesteps) for spikes in out]
    return Trace(
        engine="golden",
        spikes=tuple(out),
        membranes=tuple(within(m, timesteps) for m in membranes) if keep_membranes else None,
        scores=scores,
        prediction=scores.argmax(axis=1),
        counters=functional(spec, within(signals, timesteps), out, saturations, timesteps),
        timesteps=timesteps,
    )


def run_layer(layer: Layer, signals: npt.NDArray, timesteps: int) -> tuple[_Bools, _Ints, _Ints]:
    """Spikes (S, T, N), membranes (S, T, N) and saturations (S, T) of ``layer`` alone.

    ``signals`` (S, T, inputs) reach it, or (S, 1, inputs) that are held for ``timesteps``.
    """
    sums = layer.synapse.apply(layer.pooled(signals))
    shape = (len(sums), timesteps, layer.neurons)
    sums = np.broadcast_to(sums, shape)
    out, membranes = np.empty(shape, np.bool_), np.empty(shape, np.int64)
    saturations = np.empty(shape[:2], np.int64)
    m = i = np.zeros((len(sums), layer.neurons), np.int64)
    for t in range(timesteps):
        x = layer.neuron.bias + sums[:, t]
        if layer.recurrent is not None and t > 0:
            x = x + layer.recurrent.apply(out[:, t - 1])
        i = current(layer.neuron, i, x)
        out[:, t], m, saturated = step(layer.neuron, m, i)
        membranes[:, t] = m
        saturations[:, t] = saturated.sum(axis=1)
    return out, membranes, saturations


def current(neuron: Neuron, i: _Ints, x: _Ints) -> _Ints:
    """One timestep of the input current: i from that of the timestep before, and the input x."""
    if neuron.synapse_decay is None:
        return x
    return decay(i, neuron.synapse_decay, neuron.synapse_decay_fraction, neuron.rounding) + x


def step(neuron: Neuron, m: _Ints, i: _Ints) -> tuple[_Bools, _Ints, _Bools]:
    """One timestep of the membrane: spikes, new membrane, and where u was clamped.

    ``m`` and ``i`` (current of this timestep, bias included) are (…, neurons). Equations and their
    source: :mod:`spikewright.gen.spec`.
    """
    theta = neuron.per_neuron("threshold", m.shape[-1])
    r = m > theta
    leaked = decay(m, neuron.decay, neuron.decay_fraction, neuron.rounding)
    match neuron.reset:
        case Reset.SUBTRACT:
            u = leaked - r * theta + i
        case Reset.ZERO_KEEP_INPUT:
            u = np.where(r, 0, leaked) + i
        case Reset.ZERO_DROP_INPUT:
            u = np.where(r, 0, leaked + i)
        case Reset.NONE:
            u = leaked + i
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


def concatenate(parts: list[Trace]) -> Trace:
    """One trace of the samples of all ``parts``, in order."""

    def join(arrays: list[tuple[npt.NDArray, ...]]) -> tuple[npt.NDArray, ...]:
        return tuple(np.concatenate(layer) for layer in zip(*arrays, strict=True))

    membranes = [part.membranes for part in parts if part.membranes is not None]
    timesteps = [part.timesteps for part in parts if part.timesteps is not None]
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
        timesteps=np.concatenate(timesteps) if timesteps else None,
    )
