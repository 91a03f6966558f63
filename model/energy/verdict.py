"""Which twin costs less on an accelerator, layer by layer, and what spike rate would turn that
round.

Energies are those of the hardware settings, :data:`.hardware.SCOPE`; the counts behind them are the
engine's. Neither is a figure of the FPGA that the accelerator may run on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .conditions import breakeven_factor
from .costs import Energy, qnn_energy, snn_energy
from .counted import Counts, LayerCounts, works
from .hardware import Hardware

#: Bisections of the factor on a whole net's spike rates.
_STEPS = 60


@dataclass(frozen=True)
class LayerVerdict:
    """A layer's twins, an inference.

    Attributes
    ----------
    snn, qnn
        Energies.
    rate, density
        Of the signals that reach it, each counted by the neurons it meets.
    flip
        The rate at which both cost the same while the twin stays as it is, up to 1; None if the
        SNN costs less at every rate, 0 if more even when silent.
    """

    counts: LayerCounts
    snn: Energy
    qnn: Energy
    rate: float
    density: float
    flip: float | None

    @property
    def ratio(self) -> float | None:
        """SNN ÷ QNN; None if the twin costs nothing."""
        qnn = float(self.qnn.total_pj)
        return float(self.snn.total_pj) / qnn if qnn else None

    def figures(self, samples: int) -> dict[str, Any]:
        """JSON-ready."""
        c = self.counts
        return {
            "layer": c.layer.name, "neurons": c.layer.neurons,
            "fan_in": c.connections / c.layer.neurons,
            "snn": _parts(self.snn), "qnn": _parts(self.qnn), "ratio": self.ratio,
            "winner": winner(float(self.snn.total_pj), float(self.qnn.total_pj)),
            "rate": self.rate, "density": self.density, "flip_rate": self.flip,
            "counted": {
                "events": c.events / samples, "synops": c.operations / samples,
                "weights_fetched": c.fetched / samples, "spikes": c.spikes / samples,
                "snn_reuse": c.operations * c.timesteps / c.phases / c.fetched
                if c.fetched else None,
                "hops_per_synop": c.events * c.slices / c.operations if c.operations else None,
                "slices": c.slices, "adders": c.adders, "cycles_with_events": c.cycles / samples,
                "qnn_activations": c.activations / samples, "qnn_macs": c.products / samples,
                "qnn_bits": c.twin_bits,
            },
        }


@dataclass(frozen=True)
class Verdict:
    """A whole net's. ``flip_factor``: how many times as many spikes, in all layers alike, the SNN
    may have before its twin costs less; None if it costs less up to a rate of 1, 0 if it costs more
    even when silent."""

    hardware: Hardware
    unicast: bool
    layers: tuple[LayerVerdict, ...]
    flip_factor: float | None

    @property
    def snn_pj(self) -> float:
        """Of a whole inference."""
        return sum(float(layer.snn.total_pj) for layer in self.layers)

    @property
    def qnn_pj(self) -> float:
        """Of a whole inference."""
        return sum(float(layer.qnn.total_pj) for layer in self.layers)

    def figures(self, samples: int) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "sentence": self.sentence(),
            "hardware": self.hardware.name, "scope": self.hardware.scope,
            "hops": "unicast" if self.unicast else "as built",
            "snn_pj": self.snn_pj, "qnn_pj": self.qnn_pj,
            "ratio": self.snn_pj / self.qnn_pj if self.qnn_pj else None,
            "winner": winner(self.snn_pj, self.qnn_pj), "flip_factor": self.flip_factor,
            "layers": [layer.figures(samples) for layer in self.layers],
        }

    def sentence(self) -> str:
        """The verdict in words."""
        where = ", ".join(layer.counts.layer.name for layer in self.layers
                          if float(layer.snn.total_pj) < float(layer.qnn.total_pj))
        who = winner(self.snn_pj, self.qnn_pj)
        factor = self.flip_factor
        if factor is None:
            flip = "no spike rate turns that round"
        elif factor == 0:
            flip = "not even without a spike would the SNN cost less"
        elif factor > 1:
            flip = f"it would turn round at {factor:.2f} times as many spikes"
        else:
            flip = f"it would turn round at {factor:.2f} of the spikes"
        return (f"The {who} costs less: {in_units(self.snn_pj)} against {in_units(self.qnn_pj)} an "
                f"inference for SNN and QNN. The SNN costs less in {where or 'no layer'}; {flip}.")


def winner(snn_pj: float, qnn_pj: float) -> str:
    """Who costs less."""
    return "SNN" if snn_pj < qnn_pj else "QNN"


def judge(counts: Counts, hardware: Hardware, *, unicast: bool = False) -> Verdict:
    """Both twins of ``counts`` on ``hardware``; ``unicast`` as :func:`.counted.works` says."""
    layers = tuple(_judged(found, counts.samples, hardware, unicast) for found in counts.layers)
    return Verdict(hardware, unicast, layers, _flip_factor(counts, layers, hardware, unicast))


def _judged(found: LayerCounts, samples: int, hardware: Hardware, unicast: bool) -> LayerVerdict:
    bits = found.layer.synapse.weight_bits
    snn, qnn = works(found, samples, unicast=unicast)
    silent, _ = works(found, samples, unicast=unicast, rate_factor=0.0)
    snn_pj, qnn_pj = snn_energy(snn, hardware, bits), qnn_energy(qnn, hardware, bits)
    rate = found.operations / (samples * found.phases * found.connections)
    factor = float(breakeven_factor(snn_energy(silent, hardware, bits), snn_pj, qnn_pj.total_pj))
    flip = 0.0 if np.isnan(factor) else factor * rate
    return LayerVerdict(
        found, snn_pj, qnn_pj, rate, found.products / (samples * found.connections),
        None if flip > 1 or (np.isinf(factor) and not rate) else flip,
    )


def _flip_factor(counts: Counts, layers: tuple[LayerVerdict, ...], hardware: Hardware,
                 unicast: bool) -> float | None:
    budget = sum(float(layer.qnn.total_pj) for layer in layers)

    def cost(factor: float) -> float:
        return sum(float(snn_energy(
            works(found, counts.samples, unicast=unicast, rate_factor=factor)[0], hardware,
            found.layer.synapse.weight_bits).total_pj) for found in counts.layers)

    most = min((1 / layer.rate for layer in layers if layer.rate), default=1.0)
    if cost(0.0) >= budget:
        return 0.0
    if cost(most) < budget:
        return None
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) < budget else (low, middle)
    return high


def _parts(energy: Energy) -> dict[str, Any]:
    return {
        "compute_pj": float(energy.compute_pj), "weights_pj": float(energy.weights_pj),
        "signals_pj": float(energy.signals_pj), "total_pj": float(energy.total_pj),
        "movement": "dense" if bool(energy.is_dense) else "sparse",
    }


def nanojoules(pj: float) -> str:
    """``pj`` as nJ, with three digits or more."""
    nj = pj / 1e3
    return f"{nj:,.0f}" if nj >= 100 else f"{nj:.3g}"


def in_units(pj: float) -> str:
    """``pj`` with three digits, in the unit that suits."""
    for unit, size in (("µJ", 1e6), ("nJ", 1e3)):
        if pj >= size:
            return f"{pj / size:.3g} {unit}"
    return f"{pj:.3g} pJ"
