"""How the spike rate of an SNN and the density of its QNN twin hang together: Theorems 1 and 2.

Theorem 1: rates over T timesteps tell T + 1 values apart, for which an activation needs
b = ⌈log₂(T + 1)⌉ bits. Where neurons do not leak, subtract θ and take sums within [0, θ], the twins
are one function (Lemma 2; :mod:`..conversion.twins` builds and compares them on real nets).

Theorem 2: an activation that is not 0 is at least one spike and at most T, so for density d and
spike rate s: ``d/T ≤ s ≤ d``.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from .costs import activation_bits

_Like = npt.ArrayLike
_Floats = npt.NDArray[np.float64]

#: How often an activation that is not 0 spikes: once, T times, or evenly between.
Coding = Literal["best", "average", "worst"]

CODINGS: tuple[Coding, ...] = ("best", "average", "worst")


def representable(timesteps: _Like, bits: _Like) -> npt.NDArray[np.bool_]:
    """Theorem 1: where ``bits`` of an activation hold every count of spikes in ``timesteps``."""
    return np.asarray(bits) >= activation_bits(timesteps)


def rate_bounds(density: _Like, timesteps: _Like) -> tuple[_Floats, _Floats]:
    """Theorem 2: least and highest spike rate of a twin of ``density``."""
    d, t = np.asarray(density, np.float64), np.asarray(timesteps, np.float64)
    return d / t, d + 0 * t


def density_bounds(rate: _Like, timesteps: _Like) -> tuple[_Floats, _Floats]:
    """Theorem 2 turned round: least and highest density of a twin at spike ``rate``; no density
    exceeds 1, whatever T·s says."""
    s, t = np.asarray(rate, np.float64), np.asarray(timesteps, np.float64)
    return s + 0 * t, np.minimum(1.0, s * t)


def possible(rate: _Like, density: _Like, timesteps: _Like) -> npt.NDArray[np.bool_]:
    """Where Theorem 2 allows ``rate`` and ``density`` together."""
    least, most = rate_bounds(density, timesteps)
    s = np.asarray(rate)
    # Means over measured samples meet the bounds up to the last digits of a float.
    slack = 1e-12
    return (least - slack <= s) & (s <= most + slack)


def rate_of(density: _Like, timesteps: _Like, coding: Coding) -> _Floats:
    """s from d: d/T at best, d·(T + 1)/(2T) on average, d at worst."""
    d, t = np.asarray(density, np.float64), np.asarray(timesteps, np.float64)
    return {"best": d / t, "average": d * (t + 1) / (2 * t), "worst": d + 0 * t}[coding]


def density_of(rate: _Like, timesteps: _Like, coding: Coding) -> _Floats:
    """d from s, the reverse of :func:`rate_of`; above 1 where no twin has such a rate."""
    return np.asarray(rate, np.float64) / rate_of(1.0, timesteps, coding)
