"""The job of :mod:`.peers` on our hardware: from the smallest design to the fastest."""

from spikewright.gen import simulate
from spikewright.gen.folding import Folding, LayerFolding, Storage

from .designs import rivals_job
from .peers import SPIKER, TINY_ODIN, Rival
from .silicon import placed

SAMPLES = 20

DESIGNS = {
    "smallest: 1 lane": (LayerFolding(lanes=1), LayerFolding(lanes=1)),
    "16 lanes": (LayerFolding(lanes=16, units=2), LayerFolding(lanes=2, units=1)),
    "full lanes": (LayerFolding(units=8), LayerFolding(lanes=5, units=1)),
    "4 ways": (LayerFolding(ways=4, units=16), LayerFolding(ways=4, units=2)),
    "fastest: 8 ways": (LayerFolding(ways=8, units=32), LayerFolding(ways=8, units=5)),
    "4 ways, weights loadable": (
        LayerFolding(ways=4, units=16, storage=Storage.LOADABLE),
        LayerFolding(ways=4, units=2, storage=Storage.LOADABLE)),
}


def compare() -> list[dict]:
    """Inferences and synaptic operations per second and LUT4, beside the rivals'."""
    spec, samples = rivals_job(SAMPLES)
    rows = []
    for what, foldings in DESIGNS.items():
        folding = Folding.each(*foldings, spec=spec)
        trace = simulate(spec, samples, engine="verilator", folding=folding)
        assert trace.cycles is not None
        figures = placed(spec, folding, seeds=(1,))
        cycles = float(trace.cycles.mean())
        inferences = figures["fmax_mhz"] * 1e6 / cycles
        synops = inferences * float(trace.counters["synops"].sum(axis=1).mean())
        luts = figures["LUTs"]
        ours = Rival(what, luts, figures["fmax_mhz"], inferences, synops)
        rows.append({
            "what": f"784 → 128 → 10, INT4, T = {spec.timesteps}, 10 % input spikes: {what}",
            "cycles": round(cycles, 1), **figures,
            "inferences_per_second": round(inferences), "GSOP_per_second": round(synops / 1e9, 2),
            "inferences_per_second_and_LUT": round(ours.inferences_per_lut, 3),
            "times_Spiker+": round(ours.inferences_per_lut / SPIKER.inferences_per_lut, 1),
            "times_tinyODIN": round(ours.synops_per_lut / TINY_ODIN.synops_per_lut, 1),
            "promised": "≥ 100 × Spiker+, ≥ 500 × tinyODIN, by the best design",
        })
    return rows
