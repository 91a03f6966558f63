"""What :mod:`spikewright.boards.estimate` says of designs, beside what nextpnr packs."""

from amaranth.back import rtlil

from spikewright.boards.alone import LFE5U_85F, UP5K, Target, measure
from spikewright.boards.estimate import Estimate, estimate
from spikewright.boards.pins import Pins
from spikewright.gen import NetworkSpec
from spikewright.gen.folding import Folding
from spikewright.gen.rtl.network import Network

from .designs import ESTIMATED


def estimated(spec: NetworkSpec, folding: Folding, target: Target) -> Estimate:
    top = Pins(Network(spec, folding, counters=False))
    text = rtlil.convert(top, ports=top.ports, platform=target, emit_src=False)
    return estimate(text, target.family)


def compare() -> list[dict]:
    """Every design on both families, and a row of errors for each."""
    rows = []
    for target in (LFE5U_85F, UP5K):
        errors, blocks = {}, {}
        for name, (spec, folding) in ESTIMATED.items():
            used = measure(spec, folding, target, place=False)["utilisation"]
            logic = next(iter(used.values()))
            told = estimated(spec, folding, target)
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
