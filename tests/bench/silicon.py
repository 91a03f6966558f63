"""What nextpnr makes of the promised designs, and how long an inference takes at its Fmax."""


from dataclasses import replace

from spikewright.boards.alone import measure
from spikewright.boards.build import build
from spikewright.boards.registry import find_board
from spikewright.gen import NetworkSpec, simulate
from spikewright.gen.errors import DataError
from spikewright.gen.folding import Folding, LayerFolding, Storage

from . import recordings
from .designs import dense

SEEDS = (1, 2)

#: Digits that run on the hardware itself; the others on the cycle model.
ON_HARDWARE = 200

SPRAM = (LayerFolding(lanes=16, units=4, storage=Storage.SPRAM), LayerFolding(units=2))


def placed(spec: NetworkSpec, folding: Folding, seeds: tuple[int, ...] = SEEDS) -> dict:
    """Utilisation, and Fmax of every seed, on an LFE5U-85F of speed grade 6."""
    figures = [measure(spec, folding, seed=seed) for seed in seeds]
    best = max(figures, key=lambda one: one["fmax_mhz"])
    return {**best["utilisation"], "fmax_mhz": best["fmax_mhz"],
            "fmax_of_seeds": [one["fmax_mhz"] for one in figures], "tools": best["tools"]}


def _digits(spec: NetworkSpec, folding: Folding) -> dict:
    """Accuracy and cycles of every held-back digit."""
    digits = recordings.mnist()
    model = simulate(spec, digits.spikes, engine="cycles", folding=folding)
    hardware = simulate(spec, digits.spikes[:ON_HARDWARE], engine="verilator", folding=folding)
    assert model.cycles is not None
    assert hardware.cycles is not None
    assert (hardware.cycles == model.cycles[:ON_HARDWARE]).all()
    assert (hardware.prediction == model.prediction[:ON_HARDWARE]).all()
    return {
        "digits": len(digits), "accuracy": round(model.accuracy(digits.labels), 4),
        "events": round(float(model.counters["events_in"][:, 0].mean()), 1),
        "cycles": round(float(model.cycles.mean()), 1), "most_cycles": int(model.cycles.max()),
    }


def _times(row: dict, fmax: float) -> dict:
    return {"µs": round(row["cycles"] / fmax, 3), "most_µs": round(row["most_cycles"] / fmax, 3)}


def mnist() -> list[dict]:
    spec = recordings.spec("mnist")
    rows = []
    for ways, seeds in ((4, SEEDS), (8, SEEDS[:1])):
        folding = Folding.each(LayerFolding(ways=ways, units=16),
                               LayerFolding(ways=ways, units=5), spec=spec)
        row = {"what": f"an MNIST digit, 784 → 128 → 10, INT4, {ways} ways, LFE5U-85F",
               "promised": "≤ 1 µs, ≥ 0.975", **_digits(spec, folding),
               **placed(spec, folding, seeds)}
        rows.append({**row, **_times(row, row["fmax_mhz"])})
    return rows


def full_lanes() -> list[dict]:
    spec = dense(784, 128, 10)
    folding = Folding.each(LayerFolding(units=8), LayerFolding(units=2), spec=spec)
    return [{"what": "784 → 128 → 10, INT4, 1 way, a lane per neuron, LFE5U-85F",
             "promised": "≥ 140 MHz", **placed(spec, folding)}]


def convolution() -> list[dict]:
    spec = recordings.spec("nmnist_conv")
    folding = Folding.each(*recordings.CONVOLUTIONAL, spec=spec)
    row: dict = {"what": "16C5s2–16C3–P2–8C3–P2–256–10 on 34×34×2, INT4, LFE5U-85F",
                 "promised": "≤ 500 µs a recording of 300 timesteps",
                 **placed(spec, folding, seeds=(1,))}
    try:
        samples = recordings.nmnist_milliseconds(20)
    except DataError:
        return [row]
    trace = simulate(spec, samples.spikes, engine="verilator", folding=folding)
    assert trace.cycles is not None
    row |= {"recordings": len(samples), "accuracy": trace.accuracy(samples.labels),
            "cycles": round(float(trace.cycles.mean()), 1), "most_cycles": int(trace.cycles.max())}
    return [{**row, **_times(row, row["fmax_mhz"])}]


def icebreaker() -> list[dict]:
    spec = recordings.spec("mnist")
    folding = Folding.each(*SPRAM, spec=spec)
    # Nothing loads weights into a simulation; in block memory they take the same cycles.
    filled = Folding.each(*(replace(one, storage=Storage.FIXED) for one in SPRAM), spec=spec)
    board = find_board("icebreaker")
    figures = [build(spec, board, folding, seeds=[seed]).figures for seed in SEEDS]
    best = max(figures, key=lambda one: one["fmax_mhz"]["sync"])
    fmax = best["fmax_mhz"]["sync"]
    row = {"what": "an MNIST digit, 784 → 128 → 10, INT4 weights in SPRAM, iCEBreaker with UART",
           "promised": "≤ 30 µs, ≥ 0.975", **_digits(spec, filled),
           **{name: used["used"] for name, used in best["utilisation"].items()},
           "fmax_mhz": fmax, "fmax_of_seeds": [one["fmax_mhz"]["sync"] for one in figures]}
    return [{**row, **_times(row, fmax)}]
