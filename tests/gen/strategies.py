"""Random networks, foldings and inputs for property tests."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Folding,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    Rounding,
    SumPool2d,
)
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.errors import FoldingError
from spikewright.gen.folding import LayerFolding, Storage
from spikewright.gen.plan import layer_plans
from spikewright.gen.spike_pooling import SpikePoolingPlan

#: What :func:`networks` draws from beyond layers of Linear synapses and neurons with threshold.
FEATURES = frozenset({
    "conv", "sum_pool", "max_pool", "overlap", "recurrent", "recurrent_conv", "recurrent_current",
    "one_to_one", "synaptic", "li", "values", "current", "readouts", "population",
})

#: Of these, what there is hardware for.
BUILT = FEATURES - {"overlap", "recurrent_conv", "recurrent_current"}


@st.composite
def neurons(draw, count: int, width: int, features: frozenset[str] = frozenset()) -> Neuron:
    """A neuron model whose thresholds are of the order ``width`` of its inputs."""
    fraction = draw(st.integers(0, 8))
    unit = 1 << fraction

    def parameter(low: int, high: int):
        one = st.integers(low, high)
        return draw(one | st.integers(0, 1 << 32).map(
            lambda seed: np.random.default_rng(seed).integers(low, high + 1, count)))

    integrator = "li" in features and draw(st.booleans())
    threshold = None if integrator else parameter(1, max(1, width))
    least = (width if threshold is None else int(np.max(threshold))).bit_length() + 2
    synaptic = {}
    if "synaptic" in features and draw(st.booleans()):
        bits = draw(st.integers(0, 6))
        synaptic = {"synapse_decay": parameter(0, 1 << bits), "synapse_decay_fraction": bits}
    return Neuron(
        decay=parameter(-3 * unit // 2, 3 * unit // 2),
        decay_fraction=fraction,
        threshold=threshold,
        bias=parameter(-width // 4, width // 4),
        reset=Reset.NONE if integrator else draw(st.sampled_from(Reset)),
        reset_delay=draw(st.booleans()),
        rounding=draw(st.sampled_from(Rounding)),
        membrane_bits=draw(st.none() | st.integers(least, least + 3)),
        **synaptic,
    )


@st.composite
def weights(draw, *shape: int):
    """Keywords of a synapse with random weights of ``shape``."""
    bits, shift = draw(st.integers(2, 8)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    weight = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
    return {"weight": weight, "weight_bits": bits, "weight_shift": shift}


@st.composite
def pools(draw, shape: tuple[int, int, int], features: frozenset[str], first: bool):
    """A pooling of maps of ``shape`` that ``features`` allow, or None."""
    kinds = [None]
    kinds += [SumPool2d] if "sum_pool" in features else []
    kinds += [MaxPool2d] if "max_pool" in features and not first else []
    kind = draw(st.sampled_from(kinds))
    if kind is None:
        return None
    kernel = tuple(draw(st.integers(1, min(side, 3))) for side in shape[1:])
    stride = tuple(
        draw(st.integers(1 if "overlap" in features else extent, max(extent, min(side, 3))))
        for side, extent in zip(shape[1:], kernel, strict=True)
    )
    return kind(input_shape=shape, kernel=kernel, stride=stride)


@st.composite
def convolutions(draw, shape: tuple[int, int, int]) -> Conv2d:
    channels, *sides = shape
    groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    kernel = [draw(st.integers(1, 3)) for _ in sides]
    # Padding is less than the kernel, and the kernel fits: K ≤ side + 2·(K − 1) always holds.
    padding = [draw(st.integers(max(0, -(-(extent - side) // 2)), extent - 1))
               for extent, side in zip(kernel, sides, strict=True)]
    return Conv2d(
        **draw(weights(groups * draw(st.integers(1, 2)), channels // groups, *kernel)),
        input_shape=shape, groups=groups, padding=tuple(padding),
        stride=tuple(draw(st.integers(1, min(side, 3))) for side in sides),
    )


@st.composite
def layers(draw, name: str, shape: tuple[int, ...], count: int,
           features: frozenset[str] = frozenset(), first: bool = False, most: int = 1) -> Layer:
    """A layer on signals of ``shape`` and at most ``most``: of ``count`` neurons, or a
    convolution."""
    maps = len(shape) == 3
    pool = draw(pools(shape, features, first)) if maps else None
    reaching = shape if pool is None else pool.output_shape
    if maps and "conv" in features and draw(st.booleans()):
        synapse = draw(convolutions(reaching))
    else:
        synapse = Linear(**draw(weights(count, int(np.prod(reaching)))))
    scale = 1 << (synapse.weight_bits + synapse.weight_shift - 1)
    fan_in = synapse.weight[0].size
    neuron = draw(neurons(synapse.neurons, scale * most * max(1, fan_in // 4), features))
    kinds = ["none", *sorted({"recurrent", "one_to_one"} & features)]
    if isinstance(synapse, Conv2d) and "recurrent_conv" not in features:
        kinds = [kind for kind in kinds if kind != "recurrent"]
    recurrent = None
    if neuron.threshold is not None:
        match draw(st.sampled_from(kinds)):
            case "recurrent":
                recurrent = Linear(**draw(weights(synapse.neurons, synapse.neurons)))
            case "one_to_one":
                each = st.integers(-scale, scale)
                recurrent = OneToOne(weight=draw(each | st.lists(
                    each, min_size=synapse.neurons, max_size=synapse.neurons).map(np.array)))
    return Layer(name=name, synapse=synapse, neuron=neuron, pool=pool, recurrent=recurrent)


@st.composite
def networks(draw, max_layers: int = 3, max_size: int = 14,
             features: frozenset[str] | set[str] = frozenset()) -> NetworkSpec:
    """A network of Linear layers of at most ``max_size`` neurons, and of ``features``, any of
    :data:`FEATURES`, mixed in."""
    features = frozenset(features)
    assert features <= FEATURES, features - FEATURES
    if features & {"conv", "sum_pool", "max_pool"} and draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    else:
        shape = (draw(st.integers(1, max_size)),)
    arriving = draw(inputs(features))
    count = draw(st.integers(1, max_layers))
    made, reaching = [], shape
    for n in range(1, count + 1):
        these = features if n == count else features - {"li"}
        if n == 1 and arriving.kind is InputKind.CURRENT and "recurrent_current" not in features:
            these -= {"recurrent"}
        made.append(draw(layers(f"fc{n}", reaching, draw(st.integers(1, max_size)), these, n == 1,
                                arriving.most if n == 1 else 1)))
        reaching = made[-1].output_shape
    return NetworkSpec(
        input_shape=shape, layers=tuple(made), timesteps=draw(st.integers(1, 6)), input=arriving,
        readout=draw(readouts(made[-1], features)),
    )


@st.composite
def inputs(draw, features: frozenset[str]) -> Input:
    kinds = [InputKind.EVENTS]
    kinds += [InputKind.COUNTS] if "values" in features else []
    kinds += [InputKind.CURRENT] if "current" in features else []
    kind = draw(st.sampled_from(kinds))
    bits = 1 if kind is InputKind.EVENTS or "values" not in features else draw(st.integers(1, 8))
    return Input(kind=kind, bits=bits)


@st.composite
def readouts(draw, last: Layer, features: frozenset[str]) -> Readout:
    kinds = list(ReadoutKind) if "readouts" in features else [ReadoutKind.SPIKE_COUNT]
    kind = draw(st.sampled_from(kinds))
    divisors = [n for n in range(1, last.neurons + 1) if last.neurons % n == 0]
    return Readout(
        kind=ReadoutKind.MEMBRANE if last.neuron.threshold is None else kind,
        population=draw(st.sampled_from(divisors)) if "population" in features else 1,
    )


@st.composite
def foldings(draw, spec: NetworkSpec, max_ways: int = 4) -> Folding:
    """Any folding of ``spec`` that can be built."""
    chosen, ways = [], range(1, max_ways + 1)
    for n, layer in enumerate(spec.layers):
        if isinstance(layer.synapse, Conv2d):
            behind = spec.layers[n + 1].pool if n + 1 < len(spec.layers) else None
            folding, units = draw(conv_foldings(layer, behind))
            chosen.append(folding)
            # The layer behind takes as many events a cycle as can be dealt out from a row.
            ways = [n for n in range(1, max_ways + 1) if units % n == 0]
        else:
            lanes = draw(st.none() | st.integers(1, layer.neurons))
            chosen.append(LayerFolding(
                lanes=lanes, units=draw(st.none() | st.integers(1, lanes or layer.neurons)),
                ways=draw(st.sampled_from(ways)),
                storage=draw(st.sampled_from([Storage.FIXED, Storage.LOADABLE])),
                slices=draw(st.integers(1, min(3, lanes or layer.neurons))),
            ))
            ways = range(1, max_ways + 1)
    folding = Folding.each(*chosen, spec=spec)
    try:
        layer_plans(spec, folding)
    except FoldingError as error:  # the ways behind a layer may leave a slice without a neuron
        assume("slices" not in str(error))
        raise
    return folding


@st.composite
def conv_foldings(draw, layer: Layer, behind) -> tuple[LayerFolding, int]:
    """A folding of a convolution, and the spikes of its rows with the pooling ``behind`` it."""
    synapse = layer.synapse
    channels = synapse.weight.shape[0] // synapse.groups
    lanes = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    banks = tuple(
        draw(st.integers(1, min(-(-kernel // stride), outputs)))
        for kernel, stride, outputs in zip(synapse.weight.shape[2:], synapse.stride,
                                           synapse.output_shape[1:], strict=True)
    )
    units = [n for n in range(1, lanes + 1) if lanes % n == 0]
    units += [lanes * n for n in range(2, banks[1] + 1) if banks[1] % n == 0]
    chosen = draw(st.sampled_from(units))
    slices = [n for n in range(1, lanes + 1) if lanes % n == 0 and chosen % n == 0]
    folding = LayerFolding(lanes=lanes, banks=banks, units=chosen, overlap=draw(st.booleans()),
                           slices=draw(st.sampled_from(slices)))
    if not isinstance(behind, MaxPool2d):
        return folding, chosen
    plan = Conv2dPlan(layer.name, synapse, sum_bits=32, lanes=lanes, banks=banks,
                      units=chosen)
    return folding, SpikePoolingPlan(plan, behind).units


@st.composite
def spike_trains(draw, spec: NetworkSpec, samples: int) -> np.ndarray:
    """Input of ``spec`` for ``samples`` inferences of all its timesteps, shaped and valued as the
    spec takes it: from silent to full, each timestep on its own."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    timesteps = 1 if spec.input.kind is InputKind.CURRENT else spec.timesteps
    density = rng.choice([0.0, 0.05, 0.3, 0.7, 1.0], (samples, timesteps, 1))
    spikes = rng.random((samples, timesteps, spec.inputs)) < density
    if spec.input.kind is InputKind.EVENTS:
        return spikes
    return spikes * rng.integers(1, spec.input.most, spikes.shape, np.uint8, endpoint=True)
