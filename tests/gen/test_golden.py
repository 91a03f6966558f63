"""The golden model against the contract's equations, written out one neuron at a time, and against
itself where two networks must do the same."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    Neuron,
    OneToOne,
    Reset,
    Rounding,
    first_difference,
    simulate,
)
from spikewright.gen.synapses import dense

from .examples import of_everything
from .strategies import FEATURES, networks, spike_trains

ROUND = {
    Rounding.FLOOR: math.floor,
    Rounding.NEAREST: lambda x: math.floor(x + Fraction(1, 2)),
    Rounding.TOWARD_ZERO: math.trunc,
}


def golden(spec, signals):
    return simulate(spec, signals, engine="golden", membranes=True)


def pooled_by_hand(pool, signals: list[int]) -> list[int]:
    """The windows of ``pool`` over one timestep of flat signals."""
    _, height, width = pool.input_shape
    (kh, kw), (sy, sx) = pool.kernel, pool.stride
    result = []
    for c, y, x in itertools.product(*map(range, pool.output_shape)):
        window = [signals[(c * height + y * sy + j) * width + x * sx + i]
                  for j in range(kh) for i in range(kw)]
        result.append(max(window) if isinstance(pool, MaxPool2d) else sum(window))
    return result


def sums_by_hand(synapse, signals: list[int]) -> list[int]:
    """Synaptic sums of one timestep, from the definitions."""
    scale = 2**synapse.weight_shift
    if isinstance(synapse, Linear):
        return [scale * sum(int(w) * s for w, s in zip(row, signals, strict=True))
                for row in synapse.weight]
    channels, height, width = synapse.input_shape
    outputs, per_group, kh, kw = synapse.weight.shape
    (sy, sx), (py, px) = synapse.stride, synapse.padding
    result = []
    for c, y, x in itertools.product(*map(range, synapse.output_shape)):
        first = c // (outputs // synapse.groups) * (channels // synapse.groups)
        total = 0
        for k, j, i in itertools.product(range(per_group), range(kh), range(kw)):
            row, column = y * sy + j - py, x * sx + i - px
            if 0 <= row < height and 0 <= column < width:
                signal = signals[((first + k) * height + row) * width + column]
                total += scale * int(synapse.weight[c, k, j, i]) * signal
        result.append(total)
    return result


def layer_by_hand(layer: Layer, signals: list[list[int]]) -> list[list[tuple[int, int]]]:
    """(spike, membrane) of every neuron per timestep, from Python integers and fractions."""
    neuron, own, result = layer.neuron, [0] * layer.neurons, []
    parameters = {
        name: np.broadcast_to(getattr(neuron, name), layer.neurons).tolist()
        for name in ("decay", "threshold", "bias", "synapse_decay")
    }
    states = [(0, 0)] * layer.neurons
    for step in signals:
        sums = sums_by_hand(layer.synapse, pooled_by_hand(layer.pool, step) if layer.pool else step)
        if isinstance(layer.recurrent, Linear):
            back = sums_by_hand(layer.recurrent, own)
        elif layer.recurrent is not None:
            each = np.broadcast_to(layer.recurrent.weight, layer.neurons).tolist()
            back = [w * s for w, s in zip(each, own, strict=True)]
        else:
            back = [0] * layer.neurons
        row = []
        for n in range(layer.neurons):
            one = {name: values[n] for name, values in parameters.items()}
            s, m, i = neuron_by_hand(neuron, one, *states[n], sums[n] + back[n])
            states[n] = m, i
            row.append((s, m))
        own = [s for s, _ in row]
        result.append(row)
    return result


def neuron_by_hand(
    neuron: Neuron, one: dict[str, Any], m: int, i: int, total: int
) -> tuple[int, int, int]:
    """(spike, membrane, current) of one timestep; ``one`` are this neuron's parameters."""
    rounded, theta = ROUND[neuron.rounding], one["threshold"]
    x, kept = total + one["bias"], one["synapse_decay"]
    if kept is not None:
        x += rounded(Fraction(i * kept, 2**neuron.synapse_decay_fraction))
    r = theta is not None and m > theta
    u = rounded(Fraction(m * one["decay"], 2**neuron.decay_fraction)) + x
    if r and neuron.reset is Reset.SUBTRACT:
        u -= theta
    elif r and neuron.reset is Reset.ZERO_KEEP_INPUT:
        u = x
    elif r and neuron.reset is Reset.ZERO_DROP_INPUT:
        u = 0
    if neuron.membrane_bits is not None:
        limit = 2 ** (neuron.membrane_bits - 1)
        u = min(max(u, -limit), limit - 1)
    s = theta is not None and u > theta
    m = u
    if not neuron.reset_delay:
        if neuron.reset is Reset.SUBTRACT and theta is not None:
            m -= (s - r) * theta
        elif neuron.reset is not Reset.NONE:
            m -= (s - r) * m
    return int(s), m, x


@settings(deadline=None)
@given(st.data())
def test_equals_the_equations(data):
    spec = data.draw(networks(max_size=6, max_layers=2, features=FEATURES))
    signals = data.draw(spike_trains(spec, 2))
    trace = golden(spec, signals)
    for sample in range(2):
        reaching = np.broadcast_to(signals[sample], (spec.steps(signals), spec.inputs)).tolist()
        for layer, spikes, membranes in zip(spec.layers, trace.spikes, trace.membranes,
                                            strict=True):
            expected = layer_by_hand(layer, reaching)
            assert spikes[sample].tolist() == [[s for s, _ in row] for row in expected]
            assert membranes[sample].tolist() == [[m for _, m in row] for row in expected]
            reaching = [[s for s, _ in row] for row in expected]


def with_layers(spec, change):
    return replace(spec, layers=tuple(change(layer) for layer in spec.layers))


def assert_same(a, b):
    """Spikes, membranes, scores and predictions agree; counters may not."""
    assert first_difference(replace(a, counters={}), replace(b, counters={})) is None


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_convolution_equals_its_matrix(data):
    spec = data.draw(networks(features=FEATURES - {"overlap"}))

    def as_linear(layer):
        if not isinstance(layer.synapse, Conv2d):
            return layer
        matrix = dense(layer.synapse) >> layer.synapse.weight_shift
        return replace(layer, synapse=Linear(weight=matrix, weight_shift=layer.synapse.weight_shift,
                                             weight_bits=layer.synapse.weight_bits))

    flat = with_layers(spec, as_linear)
    signals = data.draw(spike_trains(spec, 4))
    assert_same(golden(spec, signals), golden(flat, signals))
    assert spec.bounds == flat.bounds


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_one_to_one_equals_a_diagonal(data):
    spec = data.draw(networks(max_layers=2, features={"one_to_one", "synaptic", "conv"}))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    own = {layer.name: rng.integers(-128, 128, layer.neurons) for layer in spec.layers}
    one = with_layers(spec, lambda layer: replace(
        layer, recurrent=OneToOne(weight=own[layer.name])))
    full = with_layers(spec, lambda layer: replace(
        layer, recurrent=Linear(weight=np.diag(own[layer.name]), weight_bits=8)))
    signals = data.draw(spike_trains(spec, 4))
    assert_same(golden(one, signals), golden(full, signals))


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_counts_of_one_bit_are_events(data):
    spec = data.draw(networks(max_layers=2, features=FEATURES - {"values", "current"}))
    signals = data.draw(spike_trains(spec, 4))
    counts = replace(spec, input=Input(kind=InputKind.COUNTS, bits=1))
    a, b = golden(spec, signals), golden(counts, signals)
    assert first_difference(a, b) is None


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_held_input_equals_its_frame_repeated(data):
    spec = data.draw(networks(max_layers=2, features=FEATURES))
    held = replace(spec, input=Input(kind=InputKind.CURRENT, bits=spec.input.bits))
    counts = replace(spec, input=Input(kind=InputKind.COUNTS, bits=spec.input.bits))
    frame = data.draw(spike_trains(held, 4))
    repeated = np.repeat(frame, spec.timesteps, axis=1)
    a, b = golden(held, frame), golden(counts, repeated)
    assert_same(a, b)
    # Its events are sent, and its sums made, once.
    sent, each = a.counters["events_in"][:, 0], b.counters["events_in"][:, 0]
    assert (sent * spec.timesteps == each).all()


def test_batches_do_not_change_the_result(monkeypatch):
    spec = of_everything()
    images = np.random.default_rng(1).integers(0, 4, (7, 1, spec.inputs))
    whole = golden(spec, images)
    assert all(0.02 < spikes.mean() < 0.9 for spikes in whole.spikes[:-1])
    monkeypatch.setattr("spikewright.gen.engines.golden._BATCH_BYTES", 1)
    monkeypatch.setattr("spikewright.gen.synapses._PATCH_BYTES", 1)
    assert first_difference(whole, golden(spec, images)) is None
