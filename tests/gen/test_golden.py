"""The golden model against the contract's equations, written out one neuron at a time."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.gen import Layer, Reset, Rounding, simulate

from .strategies import networks, spike_trains

ROUND = {
    Rounding.FLOOR: math.floor,
    Rounding.NEAREST: lambda x: math.floor(x + Fraction(1, 2)),
    Rounding.TOWARD_ZERO: math.trunc,
}


def neuron_by_hand(layer: Layer, n: int, spikes: np.ndarray) -> list[tuple[int, int]]:
    """(spike, membrane) of neuron ``n`` per timestep, from Python integers and fractions."""
    def value(parameter):
        return int(np.broadcast_to(parameter, layer.neurons)[n])

    neuron, m, result = layer.neuron, 0, []
    theta, bias = value(neuron.threshold), value(neuron.bias)
    for step in spikes:
        current = bias + sum(int(w) * 2**layer.synapse.weight_shift
                             for w, s in zip(layer.synapse.weight[n], step, strict=True) if s)
        r = m > theta
        leaked = ROUND[neuron.rounding](Fraction(m * value(neuron.decay), 2**neuron.decay_fraction))
        u = leaked + current
        if r and neuron.reset is Reset.SUBTRACT:
            u -= theta
        elif r and neuron.reset is Reset.ZERO_KEEP_INPUT:
            u = current
        elif r and neuron.reset is Reset.ZERO_DROP_INPUT:
            u = 0
        if neuron.membrane_bits is not None:
            limit = 2 ** (neuron.membrane_bits - 1)
            u = min(max(u, -limit), limit - 1)
        s = u > theta
        m = u
        if not neuron.reset_delay:
            if neuron.reset is Reset.SUBTRACT:
                m -= (s - r) * theta
            elif neuron.reset is not Reset.NONE:
                m -= (s - r) * m
        result.append((s, m))
    return result


@settings(deadline=None)
@given(st.data())
def test_equals_the_equations(data):
    spec = data.draw(networks(max_size=6))
    spikes = data.draw(spike_trains(spec, 2))
    trace = simulate(spec, spikes, engine="golden", membranes=True)
    for sample in range(2):
        arriving = spikes[sample]
        for index, layer in enumerate(spec.layers):
            for n in range(layer.neurons):
                expected = neuron_by_hand(layer, n, arriving)
                assert trace.spikes[index][sample, :, n].tolist() == [s for s, _ in expected]
                assert trace.membranes[index][sample, :, n].tolist() == [m for _, m in expected]
            arriving = trace.spikes[index][sample]


def test_batches_do_not_change_the_result(monkeypatch):
    import spikewright.gen.engines.golden as golden

    from .examples import two_layers

    spec = two_layers()
    spikes = np.random.default_rng(1).random((7, spec.timesteps, spec.inputs)) < 0.3
    whole = simulate(spec, spikes, engine="golden", membranes=True)
    monkeypatch.setattr(golden, "_BATCH_BYTES", 1)
    single = simulate(spec, spikes, engine="golden", membranes=True)
    assert (whole.scores == single.scores).all()
    for a, b in zip(whole.membranes, single.membranes, strict=True):
        assert (a == b).all()
