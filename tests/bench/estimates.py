"""What :mod:`spikewright.boards.estimate` says of designs, beside what nextpnr packs.

``python -m tests.bench.estimates`` prints the coefficients that fit these designs best."""

import numpy as np
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


def coefficients(target: Target) -> dict[str, float]:
    """What :mod:`spikewright.boards.estimate` should count each feature as: none below 0, the
    least sum of squares of relative errors over all designs."""
    found = [features(rtlil_of(built, target), target.family) for built in ESTIMATED.values()]
    logic = np.array([next(iter(packed(built, target).values())) for built in ESTIMATED.values()])
    names = list(dict.fromkeys(name for one in found for name in one))
    matrix = np.array([[one.get(name, 0) for name in names] for one in found]) / logic[:, None]
    solved, _ = nnls(matrix, np.ones(len(found)))
    return {name: float(f"{value:.3g}") for name, value in zip(names, solved, strict=True)}


def compare() -> list[dict]:
    """Every design on both families, and a row of errors for each."""
    rows = []
    for target in (LFE5U_85F, UP5K):
        errors, blocks = {}, {}
        for name, built in ESTIMATED.items():
            used = packed(built, target)
            logic = next(iter(used.values()))
            told = estimate(rtlil_of(built, target), target.family)
            errors[name] = told.logic / logic - 1
            blocks[name] = told.blocks - used["block memories"]
            rows.append({
                "what": f"{name} on {target.device}", **used,
                "estimated_logic": told.logic, "error_of_logic": f"{errors[name]:+.1%}",
                "estimated_block_memories": told.blocks,
            })
        rows.append({
            "what": f"estimates of {len(errors)} designs for {target.device}",
            "worst_error_of_logic": f"{max(errors.values(), key=abs):+.1%}",
            "mean_error_of_logic": f"{sum(map(abs, errors.values())) / len(errors):.1%}",
            "block_memories_exact": sum(n == 0 for n in blocks.values()),
            "worst_error_of_block_memories": max(blocks.values(), key=abs),
        })
    return rows


if __name__ == "__main__":
    for target in (LFE5U_85F, UP5K):
        print(target.device, coefficients(target))
