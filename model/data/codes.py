"""Spike codes: from numbers between 0 and 1 to spike trains, and back.

=========  ================================================  ====================================
code       says x by                                         read it with
=========  ================================================  ====================================
rate       how often: p(spike) = x in every timestep, or     spike counts; more timesteps, finer
           ``⌊T·x + ½⌋`` spikes at even distances
latency    when: one spike, the earlier the larger x is      first spike, which may exit early; few
           (time to first spike)                             timesteps are enough
delta      changes: a spike up or down for each step of θ    membranes or spike counts of neurons
           that a series has moved                           with a slow decay, which add them up
=========  ================================================  ====================================

A direct current (the kind ``current`` of :class:`.encoding.Encoding`) says x by itself, once; the
first layer turns it into spikes.

Values are (samples, inputs), trains bool (samples, timesteps, inputs). A sample's train depends on
its own values, the settings and nothing else, so it is the same in training, in a subset and on
hardware.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.floating]
_Spikes = npt.NDArray[np.bool_]

#: Floats of one call into snnTorch.
_CHUNK_ELEMENTS = 1 << 23


def random_rate(values: _Floats, timesteps: int, seed: int = 0) -> _Spikes:
    """Bernoulli trains: each timestep of input i spikes with probability ``values[:, i]``,
    independently; what snnTorch calls Poisson spikes (``spikegen.rate``).

    snnTorch draws from torch's one generator, so its spikes depend on what was drawn before. Here
    each sample has a generator of its own (Philox, keyed by a digest of ``seed`` and the sample).
    """
    values = np.ascontiguousarray(values, np.float32)
    spikes = np.empty((len(values), timesteps, values.shape[1]), np.bool_)
    for train, sample in zip(spikes, values, strict=True):
        digest = blake2b(sample.tobytes(), digest_size=16, salt=seed.to_bytes(16, "little"))
        draws = np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest())))
        np.less(draws.random(train.shape, np.float32), sample, out=train)
    return spikes


def even_rate(values: _Floats, timesteps: int) -> _Spikes:
    """``⌊T·x + ½⌋`` spikes at distances that differ by one timestep at most: one wherever
    ``⌊t·x + ½⌋`` grows from t to t + 1. No chance, and the least error of all rate codes."""
    grown = np.floor(np.arange(timesteps + 1)[:, np.newaxis] * values[:, np.newaxis] + 0.5)
    return np.diff(grown, axis=1) > 0


def latency(
    values: _Floats, timesteps: int, threshold: float = 0.01, tau: float | None = None
) -> _Spikes:
    """Time to first spike, through ``snntorch.spikegen.latency``; one spike at most.

    Without ``tau`` the time is linear, ``round((T − 1)·(1 − x))``. With it, it is that of a
    capacitor with time constant ``tau`` (in timesteps) charged by x up to ``threshold``,
    ``round(tau·ln(x / (x − threshold)))``. Values below ``threshold``, and those that would spike
    after the last timestep, never do.
    """
    import torch
    from snntorch import spikegen

    spikes = np.empty((len(values), timesteps, values.shape[1]), np.bool_)
    options: Any = {"num_steps": timesteps, "threshold": threshold, "clip": True, "bypass": True}
    options |= {"linear": True, "normalize": True} if tau is None else {"tau": tau}
    size = max(1, _CHUNK_ELEMENTS // (timesteps * values.shape[1]))
    for start in range(0, len(values), size):
        chunk = torch.from_numpy(np.asarray(values[start : start + size], np.float32))
        trains: Any = spikegen.latency(chunk, **options)
        spikes[start : start + size] = trains.numpy().swapaxes(0, 1) > 0
    return spikes


def delta(series: _Floats, threshold: float) -> _Spikes:
    """Delta modulation (send on delta) of ``series`` (samples, timesteps, inputs): bool (samples,
    timesteps, 2, inputs), steps down in [:, :, 0] and up in [:, :, 1].

    A reference r starts at 0. In each timestep ``x − r ≥ θ`` gives a spike up and ``r ← r + θ``,
    ``r − x ≥ θ`` one down and ``r ← r − θ``. So r follows x with an error below θ as long as x
    moves by no more than θ a timestep. ``snntorch.spikegen.delta`` compares neighbouring timesteps
    instead, and loses what is smaller than θ for ever.
    """
    samples, timesteps, inputs = series.shape
    spikes = np.empty((samples, timesteps, 2, inputs), np.bool_)
    steps = np.zeros((samples, inputs), np.int64)
    for t in range(timesteps):
        ahead = series[:, t] - steps * threshold
        spikes[:, t, 1], spikes[:, t, 0] = ahead >= threshold, ahead <= -threshold
        steps += spikes[:, t, 1].astype(np.int64) - spikes[:, t, 0]
    return spikes


def from_rate(spikes: _Spikes) -> npt.NDArray[np.float64]:
    """Values (samples, inputs) that a rate code says."""
    return spikes.mean(axis=1)


def from_latency(spikes: _Spikes) -> npt.NDArray[np.float64]:
    """Values (samples, inputs) that a linear latency code says; 0 where nothing spiked."""
    late = spikes.argmax(axis=1) / max(spikes.shape[1] - 1, 1)
    return np.where(spikes.any(axis=1), 1 - late, 0)


def from_delta(spikes: _Spikes, threshold: float) -> npt.NDArray[np.float64]:
    """The series (samples, timesteps, inputs) that a delta code says."""
    moves = spikes[:, :, 1].astype(np.int64) - spikes[:, :, 0]
    return moves.cumsum(axis=1) * threshold
