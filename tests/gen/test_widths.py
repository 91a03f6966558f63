"""Words that hold every training of a network, and only those of it."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikewright.gen import Folding, first_difference, simulate
from spikewright.gen.arithmetic import signed_bits
from spikewright.gen.coding import Readout, ReadoutKind
from spikewright.gen.errors import FoldingError
from spikewright.gen.folding_options import from_json, to_json
from spikewright.gen.plan import layer_plans
from spikewright.gen.widths import proven_widths, spare_widths

from .examples import of_everything, two_layers
from .strategies import BUILT, networks, spike_trains


def trained(spec, rng, *, spread=2.5, threshold=40):
    """``spec`` with other weights, biases and thresholds of the same kind."""
    def other(layer):
        largest = (1 << layer.synapse.weight_bits - 1) - 1
        weight = np.rint(rng.normal(0, spread, layer.synapse.weight.shape)).astype(int)
        return replace(
            layer, synapse=replace(layer.synapse, weight=np.clip(weight, -largest, largest)),
            neuron=replace(layer.neuron, threshold=int(rng.integers(1, threshold)),
                           bias=rng.integers(-largest, largest + 1, layer.neurons)))

    return replace(spec, layers=tuple(map(other, spec.layers)))


def test_trainings_have_the_same_widths():
    rng = np.random.default_rng(1)
    spec = two_layers(inputs=200, hidden=64, classes=10)
    found = [trained(spec, rng, spread=rng.uniform(1, 4)) for _ in range(20)]
    assert len({spare_widths(each) for each in found}) == 1
    assert len({proven_widths(each) for each in found}) > 10


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_spare_widths_hold_what_is_proven(data):
    spec = data.draw(networks(features=BUILT))
    for spare, proven in zip(spare_widths(spec), proven_widths(spec), strict=True):
        assert spare.holds(proven)
        assert spare | proven == spare
        assert {name for name, bits in asdict(spare).items() if bits} == {
            name for name, bits in asdict(proven).items() if bits}


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_wider_words_change_nothing(data):
    """Spikes, membranes, scores and cycles; any width may be wider alone."""
    spec = data.draw(networks(features=BUILT, max_layers=2, max_size=8))
    wide = [replace(each, **{
        name: bits + data.draw(st.integers(0, 3)) for name, bits in asdict(each).items() if bits})
        for each in proven_widths(spec)]
    spikes = data.draw(spike_trains(spec, 2))
    narrow, wider = (
        simulate(spec, spikes, engine="amaranth", membranes=True, folding=folding)
        for folding in (Folding(), Folding().with_widths(wide, spec=spec)))
    assert first_difference(narrow, wider) is None
    np.testing.assert_array_equal(narrow.scores, wider.scores)
    for name, counts in narrow.counters.items():
        np.testing.assert_array_equal(counts, wider.counters[name], err_msg=name)


@pytest.mark.parametrize("spec", [of_everything(), two_layers()], ids=["everything", "linear"])
def test_spare_widths_are_built_and_remembered(spec):
    folding = Folding().with_widths(spare_widths(spec), spec=spec)
    for plan, spare in zip(layer_plans(spec, folding), spare_widths(spec), strict=True):
        assert plan.widths == spare
    assert from_json(spec, to_json(spec, folding)) == folding


def test_membrane_scores_are_as_wide_as_membranes_allow():
    spec = replace(two_layers(), readout=Readout(kind=ReadoutKind.MEMBRANE))
    last = spare_widths(spec)[-1]
    limit = spec.timesteps << last.membrane - 1
    assert last.score == signed_bits(-limit, limit - 1)


def test_words_that_are_too_narrow_are_refused_by_name():
    spec = two_layers()
    widths = list(proven_widths(spec))
    widths[1] = replace(widths[1], membrane=widths[1].membrane - 1)
    assert widths[1].short(proven_widths(spec)[1]) == {
        "membrane": (widths[1].membrane, widths[1].membrane + 1)}
    with pytest.raises(FoldingError, match=rf"layer {spec.layers[1].name}: .* membrane "
                                           rf"{widths[1].membrane + 1} bits \(given: "):
        layer_plans(spec, Folding().with_widths(widths, spec=spec))


def test_weights_of_one_sign_are_held_all_the_same():
    """More than is taken for any training: what is proven counts."""
    spec = two_layers(inputs=80)
    layer = spec.layers[0]
    largest = (1 << layer.synapse.weight_bits - 1) - 1
    lopsided = replace(spec, layers=(replace(layer, synapse=replace(
        layer.synapse, weight=np.full_like(layer.synapse.weight, largest))), *spec.layers[1:]))
    assert spare_widths(spec)[0].sums < spare_widths(lopsided)[0].sums
    assert spare_widths(lopsided)[0].sums == proven_widths(lopsided)[0].sums
