"""The event-driven principle, as a curve: what an inference costs against the spikes that come in,
and not against the width of the layer that they come into.

Cycles are those of the cycle model; the sparsest, a middling and the densest sample of each layer
go through Amaranth's simulation of the hardware as well, and have to take as many.
"""

import numpy as np

from spikewright.gen import simulate
from spikewright.gen.folding import Folding, LayerFolding

from .designs import dense

INPUTS, TIMESTEPS, SAMPLES = 784, 8, 101

#: Neurons and lanes of the layer that is looked at; ten neurons come behind it.
LAYERS = ((32, 32), (64, 64), (128, 128), (256, 256), (256, 64))

#: The sample that is simulated besides the first and the last.
MIDDLE = 30

#: Spikes a timestep from which on sweeps hide behind them, not they behind sweeps.
MANY = 16


def measure() -> list[dict]:
    """A row for each layer: no spikes in sample 0, one in ten inputs in the last."""
    rate = np.linspace(0, 0.1, SAMPLES)[:, np.newaxis, np.newaxis]
    samples = np.random.default_rng(0).random((SAMPLES, TIMESTEPS, INPUTS)) < rate
    return [curve(neurons, lanes, samples) for neurons, lanes in LAYERS]


def curve(neurons: int, lanes: int, samples: np.ndarray) -> dict:
    """Cycles = constant + slope × spikes by least squares, and how far the worst sample is off."""
    spec = dense(INPUTS, neurons, 10, timesteps=TIMESTEPS, threshold=60)
    folding = Folding.each(LayerFolding(lanes=lanes), LayerFolding(), spec=spec)
    cycles = simulate(spec, samples, engine="cycles", folding=folding).cycles
    assert cycles is not None
    spikes = samples.sum(axis=(1, 2))
    slope, constant = np.polyfit(spikes, cycles, 1)
    beyond = (cycles - spikes * -(-neurons // lanes))[spikes >= MANY * TIMESTEPS]
    few = [0, MIDDLE, len(samples) - 1]
    simulated = simulate(spec, samples[few], engine="amaranth", folding=folding).cycles
    assert simulated is not None
    return {
        "what": f"{INPUTS} → {neurons} → 10, {lanes} lanes, {TIMESTEPS} timesteps",
        "samples": len(samples), "spikes": f"{spikes.min()} to {spikes.max()}",
        "cycles": f"{cycles.min()} to {cycles.max()}",
        "cycles_without_spikes": int(cycles[0]),
        "of_these_a_timestep": round(int(cycles[0]) / TIMESTEPS, 2),
        "cycles_a_spike": round(float(slope), 4), "constant_of_the_fit": round(float(constant), 1),
        "worst_off_the_line": round(float(np.abs(constant + slope * spikes - cycles).max()), 1),
        f"cycles_beyond_those_of_spikes_from_{MANY}_a_timestep":
            f"{beyond.min()} to {beyond.max()}",
        "simulated_differ": int((simulated != cycles[few]).sum()),
    }
