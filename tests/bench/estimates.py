"""What :mod:`spikewright.boards.estimate` says of designs, beside what nextpnr packs.

``python -m tests.bench.estimates`` prints the coefficients that fit these designs best."""

import numpy as np
import numpy.typing as npt
from amaranth.back import rtlil
from scipy.optimize import nnls

from spikewright.boards.alone import LFE5U_85F, UP5K, Target, measure
from spikewright.boards.estimate import estimate, features
from spikewright.boards.pins import Pins
from spikewright.gen.rtl.network import Network

from .designs import ESTIMATED, Built


def rtlil_of(built: Built, target: Target) -> str:
    top = Pins(Network(built.spec, built.folding, counters=built.counters))
    return rtlil.convert(top, ports=top.ports, platform=target, emit_src=False)


def packed(built: Built, target: Target) -> dict[str, int]:
    return measure(built.spec, built.folding, target, counters=built.counters,
                   place=False)["utilisation"]


def coefficients(found: list[dict[str, float]], logic: npt.NDArray) -> dict[str, float]:
    """What each feature costs: none below 0, the least sum of squares of relative errors over
    designs with features ``found`` that take ``logic``."""
    names = list(dict.fromkeys(name for one in found for name in one))
    matrix = np.array([[one.get(name, 0) for name in names] for one in found]) / logic[:, None]
    solved, _ = nnls(matrix, np.ones(len(found)))
    return {name: float(f"{value:.3g}") for name, value in zip(names, solved, strict=True)}


def held_back_errors(found: list[dict[str, float]], logic: npt.NDArray) -> npt.NDArray:
    """The error for each design of coefficients that were fitted to all the others."""
    errors = []
    for n, one in enumerate(found):
        fitted = coefficients(found[:n] + found[n + 1:], np.delete(logic, n))
        errors.append(sum(fitted.get(name, 0) * one[name] for name in one) / logic[n] - 1)
    return np.array(errors)


def compare() -> list[dict]:
    """Every design on both families, and a row of errors for each: of what `fit` uses, which was
    fitted to these very designs, and of what is fitted without the design that it estimates."""
    rows = []
    for target in (LFE5U_85F, UP5K):
        errors, blocks, found, logic = {}, {}, [], []
        for name, built in ESTIMATED.items():
            used = packed(built, target)
            rtl = rtlil_of(built, target)
            told = estimate(rtl, target.family)
            found.append(features(rtl, target.family))
            logic.append(next(iter(used.values())))
            errors[name] = told.logic / logic[-1] - 1
            blocks[name] = told.blocks - used["block memories"]
            rows.append({
                "what": f"{name} on {target.device}", **used,
                "estimated_logic": told.logic, "error_of_logic": f"{errors[name]:+.1%}",
                "estimated_block_memories": told.blocks,
            })
        others = held_back_errors(found, np.array(logic))
        rows.append({
            "what": f"estimates of {len(errors)} designs for {target.device}",
            "worst_error_of_logic": f"{max(errors.values(), key=abs):+.1%}",
            "mean_error_of_logic": f"{sum(map(abs, errors.values())) / len(errors):.1%}",
            "worst_error_held_back": f"{max(others, key=abs):+.1%}",
            "mean_error_held_back": f"{np.abs(others).mean():.1%}",
            "block_memories_exact": sum(n == 0 for n in blocks.values()),
            "worst_error_of_block_memories": max(blocks.values(), key=abs),
        })
    return rows


if __name__ == "__main__":
    for target in (LFE5U_85F, UP5K):
        print(target.device, coefficients(
            [features(rtlil_of(built, target), target.family) for built in ESTIMATED.values()],
            np.array([next(iter(packed(built, target).values())) for built in ESTIMATED.values()]),
        ))
