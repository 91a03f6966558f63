"""The figures that people ask for first."""

from .page import Card
from .run import RunData


def cards(run: RunData) -> list[Card]:
    """Accuracy, equality, cycles, and of each board latency, size and Fmax."""
    labelled = run.stimulus.labels >= 0
    found = []
    if run.compiled:
        found.append(Card("accuracy in floats", f"{run.compiled['float_accuracy']:.2%}"))
    if labelled.any():
        right = run.trace.prediction[labelled] == run.stimulus.labels[labelled]
        bits = "/".join(f"INT{b}" for b in sorted({
            layer.synapse.weight_bits for layer in run.spec.layers
        }))
        found.append(Card(f"accuracy in {bits}, {labelled.sum():,} held-back samples",
                          f"{right.mean():.2%}"))
    if check := run.results.get("check"):
        engines = " = ".join(check["engines"])
        found.append(Card(f"differences: {engines}, {check['samples']} samples",
                          f"{check['mismatches']}",
                          "bad" if check["mismatches"] else "good"))
    if run.hardware:
        mean = run.hardware["cycles"]["mean"]
        found.append(Card("cycles an inference, mean", f"{mean:,.0f}"))
    for name, build in run.results.get("build", {}).items():
        clock = build["clock_mhz"]
        if run.hardware and run.is_simulated(build):
            seconds = run.hardware["cycles"]["mean"] / (clock * 1e6)
            found.append(Card(f"latency on {name} at {clock:g} MHz", _seconds(seconds)))
        what, share = max(
            ((what, row["used"] / row["available"])
             for what, row in build["utilisation"].items() if row["available"]),
            key=lambda item: item[1],
        )
        found.append(Card(f"of the {what} of {name}", f"{share:.0%}"))
        found.append(Card(f"Fmax on {name}", f"{min(build['fmax_mhz'].values()):.1f} MHz",
                          "good" if build["meets_timing"] else "bad"))
    return found


def _seconds(seconds: float) -> str:
    """With a unit that leaves one to three digits before the point."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
