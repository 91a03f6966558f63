"""How much of the memories' bandwidth becomes synaptic operations, counted by the hardware."""

import numpy as np
import numpy.typing as npt

from spikewright.gen import Conv2d, Layer, Linear, NetworkSpec, Neuron, simulate
from spikewright.gen.folding import Folding, LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.pooling import SumPool2d

from . import recordings
from .designs import dense

LINEAR = {
    "full lanes": LayerFolding(units=16),
    "full lanes, 4 ways": LayerFolding(ways=4, units=16),
    "16 lanes": LayerFolding(lanes=16, units=2),
    "1 lane": LayerFolding(lanes=1),
}


def adders(spec: NetworkSpec, folding: Folding, layer: int) -> int:
    """Sums that a layer can update in a cycle: lanes × ways, or lanes × banks."""
    return layer_plans(spec, folding)[layer].synapses.most_synops


def measured(what: str, spec: NetworkSpec, folding: Folding,
             samples: npt.NDArray, promised: float) -> dict:
    """The busiest layer's synaptic operations ÷ (adders × cycles) over whole inferences."""
    trace = simulate(spec, samples, engine="verilator", folding=folding)
    assert trace.cycles is not None
    synops = trace.counters["synops"].sum(axis=0)
    occupied = (trace.counters["busy"] + trace.counters["sweeping"]
                + trace.counters["stalled"]).sum(axis=0)
    busiest = int(occupied.argmax())
    cycles = int(trace.cycles.sum())
    count = adders(spec, folding, busiest)
    return {
        "what": what, "layer": spec.layers[busiest].name, "adders": count,
        "synaptic_operations": int(synops[busiest]), "cycles": cycles,
        "utilisation": round(int(synops[busiest]) / (count * cycles), 4), "promised": promised,
    }


def utilisation() -> list[dict]:
    rng = np.random.default_rng(0)
    rows = []
    spec = dense(784, 128, timesteps=8)
    stream = rng.random((2, 8, 784)) < 0.5
    for what, folding in LINEAR.items():
        rows.append(measured(f"784 → 128, half of the inputs each timestep, {what}", spec,
                             Folding.each(folding, spec=spec), stream, 0.95))
    spec = _convolution()
    frame = np.ones((1, 1, spec.inputs), np.bool_)
    rows.append(measured("3×3 convolution of a full 16×64×64 frame, 9 banks", spec,
                         Folding.each(LayerFolding(units=6), LayerFolding(), spec=spec), frame,
                         0.95))
    for what, network, folding, samples in recordings.nmnist():
        rows.append(measured(what, network, folding, samples, 0.90))
    return rows


def _convolution() -> NetworkSpec:
    rng = np.random.default_rng(0)
    synapse = Conv2d(weight=rng.integers(-8, 8, (2, 16, 3, 3)), weight_bits=4,
                     input_shape=(16, 64, 64), padding=(1, 1))
    return NetworkSpec(
        name="conv3x3", input_shape=synapse.input_shape, timesteps=1,
        layers=(Layer(name="conv", synapse=synapse,
                      neuron=Neuron(decay=15, decay_fraction=4, threshold=400)),
                Layer(name="out", synapse=Linear(weight=np.ones((2, 2)), weight_bits=2),
                      pool=SumPool2d(input_shape=synapse.output_shape, kernel=(64, 64)),
                      neuron=Neuron(decay=15, decay_fraction=4, threshold=400))),
    )
