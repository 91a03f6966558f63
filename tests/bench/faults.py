"""Accuracy of an MNIST net whose memories flip, and what codes of its weights save and cost."""

import numpy as np

from spikewright.boards.alone import measure as placed
from spikewright.gen.faults import Kind
from spikewright.gen.faults.sweep import Sweep
from spikewright.gen.folding import Folding, LayerFolding, Protection

from . import recordings
from .designs import dense

SAMPLES, SEEDS = 2000, range(5)
RATES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def measure() -> list[dict]:
    spec, digits = recordings.spec("mnist"), recordings.mnist()[:SAMPLES]
    rows = []
    for protect in Protection:
        folding = Folding(default=LayerFolding(protect=protect))
        sweep = Sweep(spec, folding, digits, [Kind.WEIGHTS])
        row = {"what": f"MNIST, 784 → 128 → 10, INT4, weights, protection {protect.value}",
               "bits": sweep.bits, "digits": len(digits)}
        for rate in RATES:
            point = sweep.point(SEEDS, rate=rate)
            row[f"accuracy at {rate:g}"] = (f"{np.mean(point.accuracy):.2%} ± "
                                            f"{np.std(point.accuracy, ddof=1):.2%}")
        small = dense(196, 32, 10)
        chosen = Folding.each(LayerFolding(units=4, protect=protect),
                              LayerFolding(units=2, protect=protect), spec=small)
        figures = placed(small, chosen)
        rows.append({**row, "design": "196 → 32 → 10, INT4, a lane per neuron, LFE5U-85F",
                     **figures["utilisation"], "fmax_mhz": figures["fmax_mhz"]})
    return rows
