"""Every number that arXiv 2409.08290 publishes of its model, beside what this package computes.

VGG16's mean fan-in and weight reuse, E_w and E_MAC are not published in full; they were recovered
from the results once (``hardware/typical.toml``, and :data:`VGG16` here) and serve every row.
Versions differ: up to the third, T = 5 breaks even at 6.4 % (weights of 8 bits), in the fourth at
5.7 % (4 bits). Both follow from the same constants.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .conditions import breakeven_hops, breakeven_rate, crossover_rate
from .costs import (
    activation_bits,
    lifetime_hours,
    qnn_energy,
    qnn_work,
    snn_energy,
    snn_work,
)
from .hardware import SCOPE, Hardware
from .rates import density_bounds, density_of

#: Fan-in of the reference cases, and the density that break-evens are drawn at.
FAN_IN, DENSITY = 4096, 0.2

#: A smartwatch's battery, and inferences of one neuron a second: one a cycle of 100 MHz.
BATTERY_JOULES, RATE_HZ = 4000.0, 100e6


@dataclass(frozen=True)
class SoftwareCase:
    """T timesteps at spike rate s."""

    name: str
    timesteps: int
    rate: float


SOFTWARE = (
    SoftwareCase("efficient", 2, 0.02),
    SoftwareCase("typical", 4, 0.1),
    SoftwareCase("high-performance", 32, 0.2),
)


@dataclass(frozen=True)
class Vgg16:
    """Mean fan-in and fetch cost of a weight in pJ (fits), then T, density in %, rate in %, and the
    energies of a neuron in pJ, spiking and quantised, as published."""

    fan_in: int = 2394
    fetch_pj: float = 0.0014357
    rows: tuple[tuple[int, float, float, float, float], ...] = (
        (3, 12.22, 5.49, 1204.72, 1226.38),
        (4, 16.52, 6.43, 1881.21, 1839.32),
        (5, 19.89, 7.10, 2596.45, 1847.54),
        (6, 22.98, 7.73, 3392.12, 1855.07),
        (7, 25.45, 8.19, 4192.91, 1861.09),
        (8, 27.39, 8.52, 4880.81, 2474.34),
    )


VGG16 = Vgg16()

#: Where a number was published.
EARLY, FOURTH = "arXiv 2409.08290 up to v3", "arXiv 2409.08290 v4"


@dataclass(frozen=True)
class Entry:
    """A published number and ours. ``tolerance`` is how far apart they may be, in ``unit``; None
    where nothing was published to compare with."""

    name: str
    unit: str
    paper: float | bool | None
    ours: float | bool | tuple[float, float]
    tolerance: float | None = None
    source: str = EARLY
    note: str = ""

    @property
    def within(self) -> bool | None:
        """Whether both agree; None if there is nothing to compare."""
        if self.paper is None or isinstance(self.ours, tuple):
            return None
        if self.tolerance is None:
            return self.ours == self.paper
        return abs(self.ours - self.paper) <= self.tolerance

    def figures(self) -> dict:
        """JSON-ready."""
        apart = None
        if self.paper is not None and not isinstance(self.ours, tuple) and self.tolerance:
            apart = self.ours - self.paper
        return {
            "name": self.name, "unit": self.unit, "paper": self.paper,
            "ours": list(self.ours) if isinstance(self.ours, tuple) else self.ours,
            "difference": apart,
            "tolerance": self.tolerance, "within": self.within, "scope": SCOPE,
            "source": self.source, "note": self.note,
        }


def table() -> list[Entry]:
    """All rows."""
    hardware = Hardware.load("typical")
    return [*_vgg16(hardware), *_cases(hardware), *_lifetimes(hardware), *_breakevens(hardware),
            *_crossovers(hardware), *_hops(hardware)]


def _vgg16(hardware: Hardware) -> Iterator[Entry]:
    reuse = hardware.weight_pj(8) / VGG16.fetch_pj
    for t, density, rate, snn_pj, qnn_pj in VGG16.rows:
        snn = snn_energy(snn_work(t, rate / 100, VGG16.fan_in, reuse=t * reuse), hardware)
        qnn = qnn_energy(qnn_work(density / 100, VGG16.fan_in, activation_bits(t), reuse=reuse),
                         hardware)
        ours = float(snn.total_pj), float(qnn.total_pj)
        where = f"VGG16 on CIFAR-10, T = {t}"
        yield Entry(f"{where}: SNN", "pJ", snn_pj, ours[0], 0.05)
        yield Entry(f"{where}: QNN", "pJ", qnn_pj, ours[1], 0.05)
        yield Entry(f"{where}: SNN / QNN", "", round(snn_pj / qnn_pj, 4), ours[0] / ours[1], 1e-4)


def _case_pj(case: SoftwareCase, hardware: Hardware) -> float:
    return float(snn_energy(snn_work(case.timesteps, case.rate, FAN_IN), hardware).total_pj)


def _twin_pj(case: SoftwareCase, density: float, hardware: Hardware) -> float:
    bits = activation_bits(case.timesteps)
    return float(qnn_energy(qnn_work(density, FAN_IN, bits), hardware).total_pj)


def _cases(hardware: Hardware) -> Iterator[Entry]:
    case = SOFTWARE[0]
    density = float(density_of(case.rate, case.timesteps, "best"))
    yield Entry("efficient SNN", "pJ", 551.35, _case_pj(case, hardware), 0.01)
    yield Entry("its QNN twin, d = T·s", "pJ", 1048.41, _twin_pj(case, density, hardware), 0.01)


def _lifetimes(hardware: Hardware) -> Iterator[Entry]:
    efficient, _, fast = SOFTWARE
    density = float(density_of(efficient.rate, efficient.timesteps, "best"))
    for name, paper, pj in (
        ("efficient SNN", 20.2, _case_pj(efficient, hardware)),
        ("its QNN twin", 10.6, _twin_pj(efficient, density, hardware)),
        ("high-performance SNN", 0.15, _case_pj(fast, hardware)),
    ):
        hours = float(lifetime_hours(BATTERY_JOULES, pj, RATE_HZ))
        # A number of two digits may be half a unit of the second away.
        printed = 0.005 if paper < 1 else 0.05
        note = ""
        if abs(hours - paper) > 0.01 * paper:
            note = (f"apart by {abs(hours / paper - 1):.2%}, as the paper prints two digits; "
                    f"rounded to as many, both are {paper}")
        yield Entry(f"battery life, {name}", "h", paper, hours, max(0.01 * paper, printed),
                    note=note)
    yield _contradiction(fast, hardware)


def _contradiction(case: SoftwareCase, hardware: Hardware) -> Entry:
    """The twin of the high-performance net: by the rule that gives the efficient twin there is
    none."""
    asked = float(density_of(case.rate, case.timesteps, "best"))
    hours = float(lifetime_hours(BATTERY_JOULES, _case_pj(case, hardware), RATE_HZ))
    least, most = (float(d) for d in density_bounds(case.rate, case.timesteps))
    shares = tuple(sorted(
        100 * hours / float(lifetime_hours(BATTERY_JOULES, _twin_pj(case, d, hardware), RATE_HZ))
        for d in (least, most)
    ))
    beyond = 100 * hours / float(lifetime_hours(
        BATTERY_JOULES, _twin_pj(case, asked, hardware), RATE_HZ))
    return Entry(
        "battery life, high-performance SNN as a share of its twin's", "%", None,
        (shares[0], shares[1]),
        note=f"the paper contradicts itself: its rule d = T·s gives this twin a density of "
             f"{asked:.1f}, and its own bound d ≤ 1 forbids that; ours is the range over the "
             f"densities that are possible, {least:.1f} to {most:.1f} (at {asked:.1f} it would be "
             f"{beyond:.1f} %). E_MAC of 6 bits is extrapolated",
    )


def _breakevens(hardware: Hardware) -> Iterator[Entry]:
    def percent(t: int, weight_bits: int = 8) -> float:
        return 100 * float(breakeven_rate(t, DENSITY, FAN_IN, hardware, weight_bits))

    for t, paper in ((5, 6.4), (6, 5.4)):
        yield Entry(f"break-even spike rate, T = {t}", "%", paper, percent(t), 0.1, note=(
            f"the abstract says so of T from 5 to 10, where it falls to {percent(10):.1f} %"
            if t == 5 else ""))
    yield Entry("break-even at T = 7 is below that at T = 8", "", True, percent(7) < percent(8),
                note=f"they are {percent(7):.2f} and {percent(8):.2f} %: a fourth bit is dear")
    for t, bits, paper in ((5, 4, 5.7), (2, 4, 10.4), (2, 8, 12.3), (1, 8, 29.7), (3, 8, 8.2)):
        yield Entry(f"break-even spike rate, T = {t}, weights of {bits} bits", "%", paper,
                    percent(t, bits), 0.1, FOURTH,
                    "" if (t, bits) == (5, 4) else "read in a public summary of the paper")


def _crossovers(hardware: Hardware) -> Iterator[Entry]:
    for bits, paper in ((4, 0.128), (8, 0.169)):
        yield Entry(f"sparse → dense crossover of the SNN, weights of {bits} bits", "", paper,
                    float(crossover_rate(hardware, bits)), 0.0005)


def _hops(hardware: Hardware) -> Iterator[Entry]:
    case = SOFTWARE[1]
    density = float(density_of(case.rate, case.timesteps, "best"))
    for what, reuse, paper in (("no reuse", 1, 0.46), ("a weight read once for all T", 4, 0.67)):
        hops = breakeven_hops(case.timesteps, case.rate, density, FAN_IN, hardware,
                              snn_reuse=reuse)
        yield Entry(f"hops at which the typical SNN and its twin are even, {what}", "hops", paper,
                    float(np.round(hops, 6)), 0.01, FOURTH,
                    "read in a public summary of the paper, as about this")
