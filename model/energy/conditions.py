"""When the SNN is the cheaper twin: conditions for computing and for moving, and the points at
which the verdict turns.

With T timesteps, b = ⌈log₂(T + 1)⌉ bits, rate s and density d, κ = E_MAC(b)/E_ACC and a fan-in so
large that comparisons vanish, the SNN costs less ::

    to compute                 where  T·s < κ·d
    at the best coding         where  κ > 1                 s = d/T
    on average                 where  κ > (T + 1)/2         s = d·(T + 1)/(2T)
    at the worst               where  κ > T                 s = d
    to move, both as events    where  T·s·(E_w/k_S + h·Ẽ) < d·(E_w/k_Q + b·h·Ẽ)
    to move, both in order     where  T·(E_w/k_S + h·E) < E_w/k_Q + b·h·E

and events are cheaper than dense order below :func:`crossover_rate`. :func:`breakeven_rate` makes
no such approximation: it prices everything by :mod:`.costs`, comparisons too.
"""

import numpy as np
import numpy.typing as npt

from .costs import Energy, activation_bits, qnn_energy, qnn_work, snn_energy, snn_work
from .hardware import WEIGHT_BITS, Hardware
from .rates import Coding, rate_of

_Like = npt.ArrayLike
_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


def within_threshold(sums: npt.NDArray, threshold: _Like) -> _Bools:
    """Lemma 2's condition, neuron by neuron: ``sums`` (timesteps, …) stay in [0, θ] throughout."""
    return np.asarray(((sums >= 0) & (sums <= threshold)).all(axis=0))


def compute_premium(
    timesteps: _Like, hardware: Hardware, weight_bits: _Like = WEIGHT_BITS
) -> _Floats:
    """κ = E_MAC(b) ÷ E_ACC."""
    return hardware.mac_pj(activation_bits(timesteps), weight_bits) / hardware.accumulate_pj


def computes_cheaper(timesteps: _Like, rate: _Like, density: _Like, hardware: Hardware,
                     weight_bits: _Like = WEIGHT_BITS) -> _Bools:
    """T·s < κ·d: large fan-in, computing alone."""
    left = np.asarray(timesteps) * np.asarray(rate)
    return left < compute_premium(timesteps, hardware, weight_bits) * np.asarray(density)


def least_premium(timesteps: _Like, coding: Coding) -> _Floats:
    """The κ above which the SNN computes cheaper: 1, (T + 1)/2 or T."""
    return np.asarray(timesteps) * rate_of(1.0, timesteps, coding)


def moves_cheaper_sparse(
    timesteps: _Like, rate: _Like, density: _Like, hardware: Hardware,
    weight_bits: _Like = WEIGHT_BITS, *, hops: _Like = 1.0, snn_reuse: _Like = 1.0,
    qnn_reuse: _Like = 1.0,
) -> _Bools:
    """Both twins moving events: the condition above, which no fan-in enters."""
    w, e = hardware.weight_pj(weight_bits), hardware.sparse_pj_per_bit_hop
    t, b, h = np.asarray(timesteps), activation_bits(timesteps), np.asarray(hops)
    snn = t * np.asarray(rate) * (w / np.asarray(snn_reuse) + h * e)
    return snn < np.asarray(density) * (w / np.asarray(qnn_reuse) + b * h * e)


def moves_cheaper_dense(
    timesteps: _Like, hardware: Hardware, weight_bits: _Like = WEIGHT_BITS, *,
    hops: _Like = 1.0, snn_reuse: _Like = 1.0, qnn_reuse: _Like = 1.0,
) -> _Bools:
    """Both twins moving everything in order, whatever their rates. For hops alone it is T < b,
    which no T fulfils, so without reuse over time a dense SNN never wins."""
    w, e = hardware.weight_pj(weight_bits), hardware.dense_pj_per_bit_hop
    t, b, h = np.asarray(timesteps), activation_bits(timesteps), np.asarray(hops)
    snn = t * (w / np.asarray(snn_reuse) + h * e)
    return snn < w / np.asarray(qnn_reuse) + b * h * e


def crossover_rate(hardware: Hardware, weight_bits: _Like = WEIGHT_BITS, *, bits: _Like = 1,
                   reuse: _Like = 1.0, hops: _Like = 1.0) -> _Floats:
    """The rate, or with ``bits`` above 1 a QNN's density, at which both movements cost the same:
    (E_w/k + b·h·E) ÷ (E_w/k + b·h·Ẽ). Below it events are cheaper; above 1 they always are."""
    w = hardware.weight_pj(weight_bits) / np.asarray(reuse)
    moved = np.asarray(bits) * np.asarray(hops)
    dense = w + moved * hardware.dense_pj_per_bit_hop
    sparse = w + moved * hardware.sparse_pj_per_bit_hop
    return np.divide(dense, sparse, out=np.ones(np.broadcast(dense, sparse).shape),
                     where=sparse > 0)


def breakeven_rate(
    timesteps: _Like, density: _Like, fan_in: _Like, hardware: Hardware,
    weight_bits: _Like = WEIGHT_BITS, *, hops: _Like = 1.0, snn_reuse: _Like = 1.0,
    qnn_reuse: _Like = 1.0,
) -> _Floats:
    """The spike rate below which the SNN costs less than a twin of ``density``, 0 to 1; NaN where
    not even a silent one does. Exact: both movements cost more the more spikes there are, in
    proportion, and the cheaper one counts.
    """
    t, d = np.asarray(timesteps), np.asarray(density)
    qnn = qnn_energy(qnn_work(d, fan_in, activation_bits(t), reuse=qnn_reuse, hops=hops),
                     hardware, weight_bits).total_pj
    silent, busy = (
        snn_energy(snn_work(t, s, fan_in, reuse=snn_reuse, hops=hops), hardware, weight_bits)
        for s in (0.0, 1.0)
    )
    return np.minimum(breakeven_factor(silent, busy, qnn), 1.0)


def breakeven_factor(silent: Energy, busy: Energy, budget_pj: _Like) -> _Floats:
    """How far from ``silent`` (0) to ``busy`` (1) or beyond the spikes of an SNN may rise before it
    costs ``budget_pj``, where its energies rise in proportion: infinitely, if they cost nothing;
    NaN if it costs more even when silent."""
    roots = []
    for low, high in ((silent.sparse_pj, busy.sparse_pj), (silent.dense_pj, busy.dense_pj)):
        start = silent.compute_pj + low
        slope = busy.compute_pj + high - start
        left = np.asarray(budget_pj) - start
        with np.errstate(divide="ignore", invalid="ignore"):
            roots.append(np.where(left < 0, np.nan, np.where(slope > 0, left / slope, np.inf)))
    return np.fmax(*roots)


def breakeven_hops(
    timesteps: _Like, rate: _Like, density: _Like, fan_in: _Like, hardware: Hardware,
    weight_bits: _Like = WEIGHT_BITS, *, snn_reuse: _Like = 1.0, qnn_reuse: _Like = 1.0,
    most: float = 16.0,
) -> _Floats:
    """The hops at which the verdict turns, by bisection between 0 and ``most``; NaN where it does
    not turn there, or turns more than once and both ends agree."""
    def difference(hops: npt.NDArray) -> _Floats:
        snn = snn_energy(snn_work(timesteps, rate, fan_in, reuse=snn_reuse, hops=hops),
                         hardware, weight_bits)
        qnn = qnn_energy(qnn_work(density, fan_in, activation_bits(timesteps), reuse=qnn_reuse,
                                  hops=hops), hardware, weight_bits)
        return snn.total_pj - qnn.total_pj

    shape = difference(np.asarray(0.0)).shape
    low, high = np.zeros(shape), np.full(shape, most)
    begin, end = difference(low), difference(high)
    for _ in range(60):
        middle = (low + high) / 2
        same = np.sign(difference(middle)) == np.sign(begin)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(np.sign(begin) == np.sign(end), np.nan, high)
