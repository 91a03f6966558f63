"""What a neuron's work costs, spiking and quantised: the analytic model of arXiv 2409.08290.

Per output neuron with fan-in N, over T timesteps at spike rate s, or at density d of a twin with
activations of b bits; E_w is a weight's fetch, which k operations share, and a bit makes h hops::

                        QNN                            SNN
    compute             d·N·E_MAC(b) + 2·E_CMP         T·(s·N·E_ACC + E_CMP + s·E_SUB)
    sparse movement     d·N·(E_w/k + b·h·Ẽ)            T·s·N·(E_w/k + h·Ẽ)
    dense movement      N·(E_w/k + b·h·E)              T·N·(E_w/k + h·E)

Of the two movements the cheaper one counts. The functions that end in ``work`` count, those that
end in ``energy`` price; so counters of real hardware are priced by the same lines as the analytic
cases. Arguments broadcast against one another. Rates and densities are shares, 0 to 1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .hardware import WEIGHT_BITS, Hardware

_Floats = npt.NDArray[np.float64]
_Like = npt.ArrayLike


class Work(NamedTuple):
    """Counts: operations on signals of ``operand_bits``, comparisons, subtractions; weights fetched
    and bits × hops, both as events and in dense order."""

    operations: _Floats
    operand_bits: npt.NDArray[np.int64]
    comparisons: _Floats
    subtractions: _Floats
    sparse_fetches: _Floats
    sparse_bit_hops: _Floats
    dense_fetches: _Floats
    dense_bit_hops: _Floats


class Energy(NamedTuple):
    """Energies in pJ: of computing, and of both ways of moving, split into weights and signals."""

    compute_pj: _Floats
    sparse_weights_pj: _Floats
    sparse_signals_pj: _Floats
    dense_weights_pj: _Floats
    dense_signals_pj: _Floats

    @property
    def sparse_pj(self) -> _Floats:
        """Movement in pJ if only what is not 0 moves, each with its address."""
        return self.sparse_weights_pj + self.sparse_signals_pj

    @property
    def dense_pj(self) -> _Floats:
        """Movement in pJ if everything moves in order."""
        return self.dense_weights_pj + self.dense_signals_pj

    @property
    def is_dense(self) -> npt.NDArray[np.bool_]:
        """Where dense movement is the cheaper one."""
        return self.dense_pj < self.sparse_pj

    @property
    def weights_pj(self) -> _Floats:
        """Weight fetches in pJ of the cheaper movement."""
        return np.where(self.is_dense, self.dense_weights_pj, self.sparse_weights_pj)

    @property
    def signals_pj(self) -> _Floats:
        """Spikes or activations moved, in pJ, in the cheaper way."""
        return np.where(self.is_dense, self.dense_signals_pj, self.sparse_signals_pj)

    @property
    def movement_pj(self) -> _Floats:
        """The cheaper movement in pJ."""
        return np.minimum(self.sparse_pj, self.dense_pj)

    @property
    def total_pj(self) -> _Floats:
        """All of it in pJ."""
        return self.compute_pj + self.movement_pj


def activation_bits(timesteps: _Like) -> npt.NDArray[np.int64]:
    """b = ⌈log₂(T + 1)⌉: bits of an activation that counts up to ``timesteps``, at least 1."""
    # The exponent of a float is the bit length of its integer, exactly.
    return np.frexp(np.asarray(timesteps, np.float64))[1].astype(np.int64)


def snn_work(timesteps: _Like, rate: _Like, fan_in: _Like, *, reuse: _Like = 1.0,
             hops: _Like = 1.0) -> Work:
    """Work of a spiking neuron: ``reuse`` k and ``hops`` h as above."""
    t, s, n, k, h = _floats(timesteps, rate, fan_in, reuse, hops)
    operations, every = t * s * n, t * n
    return Work(operations, np.asarray(1), t, t * s, operations / k, operations * h, every / k,
                every * h)


def qnn_work(density: _Like, fan_in: _Like, bits: _Like, *, reuse: _Like = 1.0,
             hops: _Like = 1.0) -> Work:
    """Work of a quantised neuron, whose clipping takes two comparisons."""
    d, n, k, h = _floats(density, fan_in, reuse, hops)
    b = np.asarray(bits)
    operations = d * n
    return Work(operations, b, np.asarray(2.0), np.asarray(0.0), operations / k,
                operations * b * h, n / k, n * b * h)


def aggregated_work(timesteps: _Like, rate: _Like, density: _Like, fan_in: _Like, *,
                    reuse: _Like = 1.0, hops: _Like = 1.0) -> Work:
    """Work of a spiking neuron to which a sender's spikes come as one packet, their count: it
    computes as an SNN and moves as a QNN."""
    b = activation_bits(timesteps)
    moved = qnn_work(density, fan_in, b, reuse=reuse, hops=hops)
    return snn_work(timesteps, rate, fan_in)._replace(**{
        name: getattr(moved, name) for name in (
            "sparse_fetches", "sparse_bit_hops", "dense_fetches", "dense_bit_hops")})


def snn_energy(work: Work, hardware: Hardware, weight_bits: _Like = WEIGHT_BITS) -> Energy:
    """A spiking neuron's ``work`` in pJ on ``hardware``, with weights of ``weight_bits``.

    A spike adds a weight or does not, which is E_ACC; signals of more bits are multiplied by it.
    """
    products = hardware.mac_pj(work.operand_bits, weight_bits)
    return _priced(work, hardware, weight_bits,
                   np.where(work.operand_bits == 1, hardware.accumulate_pj, products))


def qnn_energy(work: Work, hardware: Hardware, weight_bits: _Like = WEIGHT_BITS) -> Energy:
    """A quantised neuron's ``work`` in pJ: E_MAC(b) an operation, of one bit too."""
    return _priced(work, hardware, weight_bits, hardware.mac_pj(work.operand_bits, weight_bits))


def _priced(work: Work, hardware: Hardware, weight_bits: _Like, operation_pj: _Floats) -> Energy:
    weight_pj = hardware.weight_pj(weight_bits)
    return Energy(
        compute_pj=(work.operations * operation_pj + work.comparisons * hardware.compare_pj
                    + work.subtractions * hardware.subtract_pj),
        sparse_weights_pj=work.sparse_fetches * weight_pj,
        sparse_signals_pj=work.sparse_bit_hops * hardware.sparse_pj_per_bit_hop,
        dense_weights_pj=work.dense_fetches * weight_pj,
        dense_signals_pj=work.dense_bit_hops * hardware.dense_pj_per_bit_hop,
    )


def lifetime_hours(battery_joules: _Like, energy_pj: _Like, rate_hz: _Like) -> _Floats:
    """Hours that ``battery_joules`` last if ``energy_pj`` is spent ``rate_hz`` times a second."""
    watts = np.asarray(energy_pj) * 1e-12 * np.asarray(rate_hz)
    return np.asarray(battery_joules) / watts / 3600


def _floats(*values: _Like) -> tuple[_Floats, ...]:
    return tuple(np.asarray(value, np.float64) for value in values)
