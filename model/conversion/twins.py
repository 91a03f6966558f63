"""The quantised net that computes what a spiking net counts, and the spiking net that counts what a
quantised net computes.

Lemma 2 of arXiv 2409.08290: a neuron without leak that subtracts θ when it fires, and to which
every timestep brings ``0 ≤ i ≤ θ``, fires ``⌊(v₀ + Σₜ iₜ) / θ⌋`` times if it fires from θ on. The
contract's neuron fires *above* θ, which in integers is the same neuron one membrane step lower:
v₀ = −1. So over T timesteps, with bias b and nₛ spikes of input s::

    spikes = clip(⌊(T·b − 1 + Σₛ w·nₛ) / θ⌋, 0, T)                     a QNN's activation

The same weights, ⌈log₂(T + 1)⌉ bits; average pooling (a sum) keeps the law, max pooling does not,
because spikes of a window need not coincide. Where a sum leaves [0, θ], the neuron leaks, or resets
otherwise, the two differ; :func:`compare` measures by how much.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...gen.coding import InputKind, Readout, ReadoutKind
from ...gen.engines import checked, golden
from ...gen.errors import SpecError
from ...gen.pooling import MaxPool2d
from ...gen.spec import Layer, NetworkSpec, Neuron, Reset
from ...gen.synapses import WEIGHT_SHIFTS
from .qnn import Qnn, QnnLayer

_Ints = npt.NDArray[np.int64]

#: Spikes and sums of a batch are held below this many elements.
_BATCH_ELEMENTS = 1 << 24


def qnn_twin(spec: NetworkSpec, timesteps: int | None = None) -> Qnn:
    """The QNN with the weights of ``spec`` and as many levels as it has ``timesteps``.

    A last layer without threshold gives sums: with decay 0 they are the membranes of all timesteps
    added up, exactly; with another decay membranes weigh early spikes more.

    Raises
    ------
    SpecError
        If a layer recurs, or the first spike decides: neither has a counterpart without time.
    """
    if spec.readout.kind is ReadoutKind.FIRST_SPIKE:
        raise SpecError("the first spike decides in this network, and a QNN has no time; give a "
                        "network with a readout of spike counts or membranes")
    steps, layers = timesteps or spec.timesteps, []
    for layer in spec.layers:
        if layer.recurrent is not None:
            raise SpecError(f"layer {layer.name} recurs, and a QNN has no time; give a network "
                            f"without recurrence")
        summed = layer is spec.layers[-1] and spec.readout.kind is ReadoutKind.MEMBRANE
        theta = None if summed else layer.neuron.threshold
        bias = np.asarray(layer.neuron.bias) * steps
        layers.append(QnnLayer(
            name=layer.name, synapse=layer.synapse, pool=layer.pool, theta=theta,
            bias=bias if theta is None else bias - 1,
        ))
    return Qnn(input_shape=spec.input_shape, layers=tuple(layers), levels=steps, input=spec.input,
               population=spec.readout.population, name=spec.name)


def snn_twin(qnn: Qnn) -> NetworkSpec:
    """The network of neurons without leak that fires, in ``qnn.levels`` timesteps, as often as
    ``qnn``'s activations say, wherever Lemma 2 holds.

    The bias c of a QNN is spread over T timesteps as β each. Membranes get k bits behind the point,
    the fewest for which a β with ``c < T·β/2ᵏ ≤ c + 1`` exists, so that the floor is the same;
    ``⌈log₂ T⌉`` always suffice.

    Raises
    ------
    SpecError
        If that takes more than the contract's weight_shift allows.
    """
    layers = tuple(_spiking(layer, qnn.levels) for layer in qnn.layers)
    silent = qnn.layers[-1].theta is None
    return NetworkSpec(
        input_shape=qnn.input_shape, layers=layers, timesteps=qnn.levels, name=qnn.name,
        input=qnn.input, readout=Readout(
            kind=ReadoutKind.MEMBRANE if silent else ReadoutKind.SPIKE_COUNT,
            population=qnn.population,
        ),
    )


def _spiking(layer: QnnLayer, steps: int) -> Layer:
    bias = np.asarray(layer.bias)
    for k in range(steps.bit_length() + 1):
        # Sums have no floor to hide behind: their bias must be met exactly.
        spread = (bias if layer.theta is None else bias + 1) << k
        beta = spread // steps
        least = spread if layer.theta is None else (bias << k) + 1
        if (beta * steps >= least).all():
            break
    else:
        raise SpecError(f"layer {layer.name}: bias {bias.tolist()!r:.60} cannot be spread over "
                        f"{steps} timesteps; give multiples of {steps}, or of a power of two")
    shift = layer.synapse.weight_shift + k
    if shift not in WEIGHT_SHIFTS:
        raise SpecError(f"layer {layer.name}: a bias spread over {steps} timesteps needs "
                        f"weight_shift {shift}; allowed are up to {WEIGHT_SHIFTS[-1]}; give fewer "
                        f"levels, or a smaller weight_shift")
    synapse = replace(layer.synapse, weight_shift=shift)
    if layer.theta is None:
        neuron = Neuron(decay=0, decay_fraction=0, threshold=None, bias=beta,
                        reset=Reset.NONE)
    else:
        neuron = Neuron(decay=1, decay_fraction=0, threshold=np.asarray(layer.theta) << k,
                        bias=beta)
    return Layer(name=layer.name, synapse=synapse, neuron=neuron, pool=layer.pool)


@dataclass(frozen=True, kw_only=True)
class LayerDeviation:
    """How far a layer's spikes are from its twin's activations, over neurons × samples.

    Attributes
    ----------
    lawful
        Share to which Lemma 2 speaks: a neuron without leak that subtracts, and sums that stay
        between 0 and θ in every timestep.
    equal
        Share of spike counts that are what the twin's layer makes of the counts of the layer below:
        at least ``lawful``.
    violations
        How many to which Lemma 2 speaks are not: more than 0 refutes it.
    equal_through
        Share that are what the twin computes from the inputs on, errors of all layers together.
    mean_difference, largest_difference
        Of count − activation, both of the same counts below.
    rate, density
        s: share of timesteps with a spike; d: share of the twin's activations above 0. None of
        sums.
    """

    layer: str
    lawful: float
    equal: float
    violations: int
    equal_through: float
    mean_difference: float
    largest_difference: int
    rate: float | None
    density: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A spiking net beside its twin: ``agreement`` is the share of equal predictions; accuracies
    are None without labels."""

    layers: tuple[LayerDeviation, ...]
    agreement: float
    snn_accuracy: float | None
    qnn_accuracy: float | None


def compare(
    spec: NetworkSpec, signals: npt.NDArray, labels: npt.NDArray[np.int64] | None = None
) -> Comparison:
    """Runs ``spec`` (golden) and its :func:`qnn_twin` on ``signals``, shaped as
    :func:`spikewright.gen.simulate` says."""
    signals = checked(spec, signals)
    steps = spec.steps(signals)
    twin = qnn_twin(spec, steps)
    widest = max(max(layer.inputs, layer.neurons) for layer in spec.layers)
    size = max(1, _BATCH_ELEMENTS // (steps * widest))
    parts = [_beside(spec, twin, signals[i : i + size]) for i in range(0, len(signals), size)]
    layers = tuple(
        _deviation(flat, steps, *(np.concatenate(rows) for rows in zip(*found, strict=True)))
        for flat, *found in zip(twin.layers, *(layers for layers, _ in parts), strict=True)
    )
    snn, qnn = (np.concatenate([part[1][which] for part in parts]) for which in (0, 1))
    accuracy = [None, None] if labels is None else [
        float((found == labels).mean()) for found in (snn, qnn)]
    return Comparison(layers=layers, agreement=float((snn == qnn).mean()),
                      snn_accuracy=accuracy[0], qnn_accuracy=accuracy[1])


_Rows = tuple[npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray]


def _beside(
    spec: NetworkSpec, twin: Qnn, signals: npt.NDArray
) -> tuple[list[_Rows], tuple[_Ints, _Ints]]:
    """For each layer (samples, neurons) of: lawful, counts, activations from the same counts below,
    activations from the inputs on. Then both predictions."""
    steps = spec.steps(signals)
    held = steps if spec.input.kind is InputKind.CURRENT else 1
    reaching, below = signals, signals.sum(axis=1, dtype=np.int64) * held
    rows: list[_Rows] = []
    through = below
    for layer, flat in zip(spec.layers, twin.layers, strict=True):
        law = lawful(layer, reaching)
        reaching, membranes, _ = golden.run_layer(layer, reaching, steps)
        through = flat.apply(through, twin.levels)
        counts = (membranes if flat.theta is None else reaching).sum(axis=1, dtype=np.int64)
        rows.append((law, counts, flat.apply(below, twin.levels), through))
        below = counts
    scores = spec.readout.scores(reaching, membranes, spec.timesteps)
    return rows, (scores.argmax(axis=1), twin.scores(through).argmax(axis=1))


def lawful(layer: Layer, signals: npt.NDArray) -> npt.NDArray[np.bool_]:
    """(samples, neurons) where Lemma 2 speaks for the neuron, when ``signals`` (samples, timesteps,
    inputs) reach the layer. Without threshold and with decay 0 there is nothing to differ."""
    neuron = layer.neuron
    plain = (layer.recurrent is None and not isinstance(layer.pool, MaxPool2d)
             and neuron.synapse_decay is None and neuron.membrane_bits is None)
    sums = layer.synapse.apply(layer.pooled(signals)) + neuron.bias
    if neuron.threshold is None:
        return np.full((len(signals), layer.neurons), plain and not np.any(neuron.decay))
    kept = np.broadcast_to(neuron.decay, layer.neurons) == 1 << neuron.decay_fraction
    inside = ((sums >= 0) & (sums <= neuron.threshold)).all(axis=1)
    return inside & kept & (plain and neuron.reset is Reset.SUBTRACT)


def _deviation(
    layer: QnnLayer, steps: int, law: npt.NDArray, counts: _Ints, local: _Ints, through: _Ints
) -> LayerDeviation:
    differences = counts - local
    return LayerDeviation(
        layer=layer.name,
        lawful=float(law.mean()),
        equal=float((differences == 0).mean()),
        violations=int(np.count_nonzero(differences[law])),
        equal_through=float((counts == through).mean()),
        mean_difference=float(differences.mean()),
        largest_difference=int(differences.flat[np.abs(differences).argmax()]),
        rate=None if layer.theta is None else float(counts.mean() / steps),
        density=None if layer.theta is None else float((through > 0).mean()),
    )
