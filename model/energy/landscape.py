"""The reference cases on any hardware: their energies and battery lives, beside their twins'."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .costs import (
    activation_bits,
    lifetime_hours,
    qnn_energy,
    qnn_work,
    snn_energy,
    snn_work,
)
from .hardware import Hardware
from .published import SOFTWARE
from .rates import CODINGS, density_of


def cases(hardware: Sequence[Hardware], weight_bits: int, fan_in: int) -> list[dict[str, Any]]:
    """Every software case on every ``hardware``, JSON-ready; a twin whose density would exceed 1
    has no energy."""
    found = []
    for setting in hardware:
        for case in SOFTWARE:
            snn_pj = _snn_pj(case.timesteps, case.rate, fan_in, setting, weight_bits)
            twins = []
            for coding in CODINGS:
                density = float(density_of(case.rate, case.timesteps, coding))
                qnn_pj = None if density > 1 else float(_qnn_pj(
                    case.timesteps, density, fan_in, setting, weight_bits))
                twins.append({"coding": coding, "density": density, "qnn_pj": qnn_pj,
                              "ratio": None if qnn_pj is None else float(snn_pj) / qnn_pj})
            found.append({
                "hardware": setting.name, "scope": setting.scope, "software": case.name,
                "timesteps": case.timesteps, "rate": case.rate, "snn_pj": float(snn_pj),
                "twins": twins,
            })
    return found


def lifetimes(hardware: Hardware, battery_joules: float, rate_hz: float, weight_bits: int,
              fan_in: int) -> list[dict[str, Any]]:
    """Battery lives of the cases and of their best-coded twins, JSON-ready."""
    found = []
    for case in SOFTWARE:
        asked = float(density_of(case.rate, case.timesteps, "best"))
        density, note = min(asked, 1.0), ""
        if asked > 1:
            note = (f"a rate of {case.rate:g} over {case.timesteps} timesteps would need a density "
                    f"of {asked:g}; the twin is given 1")
        snn, qnn = (float(lifetime_hours(battery_joules, pj, rate_hz)) for pj in (
            _snn_pj(case.timesteps, case.rate, fan_in, hardware, weight_bits),
            _qnn_pj(case.timesteps, density, fan_in, hardware, weight_bits)))
        found.append({"software": case.name, "timesteps": case.timesteps, "rate": case.rate,
                      "snn_hours": snn, "density": density, "qnn_hours": qnn, "note": note})
    return found


def lifetime_curves(
    hardware: Hardware, battery_joules: float, rate_hz: float, weight_bits: int, fan_in: int
) -> tuple[npt.NDArray, dict[str, tuple[npt.NDArray, npt.NDArray]]]:
    """Spike rates, and over them the hours of an SNN and of its best-coded twin for the timesteps
    of each case; NaN where no twin has such a density."""
    rate = np.geomspace(0.005, 1, 200)
    curves = {}
    for case in SOFTWARE:
        density = density_of(rate, case.timesteps, "best")
        snn_pj = _snn_pj(case.timesteps, rate, fan_in, hardware, weight_bits)
        qnn_pj = np.where(density > 1, np.nan, _qnn_pj(
            case.timesteps, density, fan_in, hardware, weight_bits))
        curves[f"T = {case.timesteps}"] = (
            lifetime_hours(battery_joules, snn_pj, rate_hz),
            lifetime_hours(battery_joules, qnn_pj, rate_hz))
    return rate, curves


def _snn_pj(timesteps: int, rate: npt.ArrayLike, fan_in: int, hardware: Hardware,
            weight_bits: int) -> npt.NDArray[np.float64]:
    return snn_energy(snn_work(timesteps, rate, fan_in), hardware, weight_bits).total_pj


def _qnn_pj(timesteps: int, density: npt.ArrayLike, fan_in: int, hardware: Hardware,
            weight_bits: int) -> npt.NDArray[np.float64]:
    work = qnn_work(density, fan_in, activation_bits(timesteps))
    return qnn_energy(work, hardware, weight_bits).total_pj
