"""Samples as beats: the order, the packing into ways, and what an event carries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikewright.gen import Conv2d, Folding, Input, InputKind, Layer, Linear, NetworkSpec, Neuron
from spikewright.gen.beats import addresses, beats
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import LayerPlan, layer_plans
from spikewright.gen.rtl.streams import EventLayout, SpatialLayout


def first_plan(synapse, input: Input | None = None, ways: int = 1) -> LayerPlan:
    layer = Layer(name="fc", synapse=synapse,
                  neuron=Neuron(decay=1, decay_fraction=1, threshold=1))
    shape = synapse.input_shape if isinstance(synapse, Conv2d) else (synapse.inputs,)
    spec = NetworkSpec(input_shape=shape, layers=(layer,), timesteps=9, input=input or Input())
    return layer_plans(spec, Folding(default=LayerFolding(ways=ways)))[0]


def linear(inputs: int) -> Linear:
    return Linear(weight=np.ones((2, inputs)), weight_bits=2)


def test_ways_take_turns_and_ticks_ride_on_the_last_events():
    sample = np.zeros((3, 7), bool)
    sample[0, [0, 1, 2, 3, 6]] = True
    sample[2, 5] = True
    empty = {"event": 0}

    def event(address):
        return {"event": 1, "address": address}

    assert list(beats(first_plan(linear(7), ways=3), sample)) == [
        {"slots": [event(0), event(0), event(0)], "tick": 0, "last": 0},
        {"slots": [event(1), empty, empty], "tick": 0, "last": 0},
        {"slots": [event(2), empty, empty], "tick": 1, "last": 0},
        {"slots": [empty, empty, empty], "tick": 1, "last": 0},
        {"slots": [empty, empty, event(1)], "tick": 1, "last": 1},
    ]


@given(st.data())
def test_beats_are_the_sample(data):
    """Every event once, with its value, in its timestep; as many beats as the fullest way has."""
    inputs, ways = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 5))
    kind = data.draw(st.sampled_from([InputKind.COUNTS, InputKind.CURRENT]))
    bits = data.draw(st.integers(1, 8))
    plan = first_plan(linear(inputs), Input(kind=kind, bits=bits), ways)
    shape = (1 if kind is InputKind.CURRENT else data.draw(st.integers(1, 4)), inputs)
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    sample = rng.integers(0, 1 << bits, shape) * (rng.random(shape) < rng.choice([0, 0.3, 1]))
    back, count, counts = np.zeros_like(sample), 0, []
    t = 0
    for beat in beats(plan, sample):
        count += 1
        for way, slot in enumerate(beat["slots"]):
            if slot["event"]:
                assert ("value" in slot) == (bits > 1)
                assert back[t, slot["address"] * ways + way] == 0
                back[t, slot["address"] * ways + way] = slot.get("value", 1)
        assert beat["last"] == (beat["tick"] and t == len(sample) - 1)
        if beat["tick"]:
            counts.append(count)
            t, count = t + 1, 0
    assert (back == sample).all()
    assert count == 0
    assert counts == [max(1, *(np.count_nonzero(step[way::ways]) for way in range(ways)))
                      for step in sample]


def test_places_of_a_map():
    """Of a convolution's inputs: fields of an event, and the same packed into a number."""
    plan = first_plan(Conv2d(weight=np.ones((1, 3, 2, 2)), weight_bits=2, input_shape=(3, 4, 5)))
    sample = np.zeros((1, 60), bool)
    sample[0, [0, 23, 59]] = True
    places = [beat["slots"][0]["address"] for beat in beats(plan, sample)]
    assert places == [{"channel": 0, "y": 0, "x": 0}, {"channel": 1, "y": 0, "x": 3},
                      {"channel": 2, "y": 3, "x": 4}]
    layout = SpatialLayout(3, 4, 5)
    assert [layout.const(place).as_bits() for place in places] == addresses(
        plan.source)[[0, 23, 59]].tolist()


def test_beats_are_payloads():
    """The layout of the stream takes them as they are."""
    plan = first_plan(linear(6), Input(kind=InputKind.COUNTS, bits=4), ways=2)
    (beat,) = beats(plan, np.array([[0, 7, 9, 0, 0, 0]]))
    payload = EventLayout(2, 2, 4).const(beat)
    assert [(slot.event, slot.address, slot.value) for slot in payload.slots] == [
        (1, 1, 9), (1, 0, 7)]
    assert (payload.tick, payload.last) == (1, 1)
