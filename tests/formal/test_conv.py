"""Convolutional synapses give the sweep exact sums, whoever waits for whom."""

import numpy as np
import pytest
from amaranth.hdl import Array, Module, Mux, Signal, signed

from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.rtl.conv import Conv2dSynapses

from .prover import Claims, RefutedError, prove
from .reachability import assert_possible, prove_unbounded
from .streams import assume_source
from .test_conv_places import assume_places_exist, plan_of

#: One bank and one block; two banks, with values; two blocks that take turns, and a padding.
SETTINGS = [
    {"inputs": (1, 1, 2), "outputs": 1, "kernel": (1, 1)},
    {"inputs": (1, 1, 3), "outputs": 1, "kernel": (1, 2), "value_bits": 2},
    {"inputs": (1, 1, 2), "outputs": 2, "kernel": (1, 2), "padding": (0, 1), "lanes": 1},
]


def surroundings(claims: Claims, dut: Conv2dSynapses):
    """A source of places that exist, and a sweep that steps when it likes; it may ask to keep the
    sums, but not in the middle of a sweep. Returns the number of the step and the release."""
    m, plan, sums = claims.m, dut.plan, dut.sums
    assume_source(claims, dut.i)
    assume_places_exist(claims, dut.i.payload.slots[0].address, plan.signal_shape)
    step = Signal(range(plan.steps + 1))
    with m.If(sums.step):
        m.d.sync += step.eq(Mux(step == plan.steps - 1, 0, step + 1))
    claims.assume(~sums.step | sums.available | (step != 0))
    claims.assume((step == 0) | (sums.keep == claims.past(sums.keep)))
    return step, sums.step & (step == plan.steps - 1) & ~sums.keep


def accounts(claims: Claims, dut: Conv2dSynapses, inside: Module):
    """Every beat is worked on for as many cycles as promised, no cycle is unaccounted for, and
    timesteps are offered once and in order."""
    m, plan, activity, sums, beat = claims.m, dut.plan, dut.activity, dut.sums, dut.i.payload
    _, released = surroundings(claims, dut)
    taken = dut.i.valid & dut.i.ready
    holds, left = Signal(), Signal(range(plan.event_cycles + 1))
    with m.If(activity.busy):
        m.d.sync += [left.eq(left - 1), holds.eq(left != 1)]
    with m.If(taken):
        m.d.sync += [holds.eq(1), left.eq(Mux(beat.slots[0].event, plan.event_cycles, 1))]
    used = activity.busy + activity.taking + activity.stalled + activity.starved
    claims.always("each cycle has one use", used == 1)
    claims.always("works only on beats", ~activity.busy | holds)
    claims.always("rests only without beats", ~activity.starved | ~holds)
    claims.always("accepts without a bubble",
                  dut.i.ready == (~holds | (activity.busy & (left == 1))))

    # Of four timesteps at most, which end the inference.
    ending, entering, sweeping = Signal(4), Signal(2), Signal(2)
    with m.If(taken & beat.tick):
        m.d.sync += [ending.bit_select(entering, 1).eq(beat.last), entering.eq(entering + 1)]
    m.d.sync += sweeping.eq(sweeping + released)
    claims.always("offers what is finished", ~sums.available | (entering != sweeping))
    claims.always("ends with the inference",
                  ~sums.available | (sums.last == ending.bit_select(sweeping, 1)))
    claims.always("offers until it is taken", ~claims.past(sums.available & ~released)
                  | sums.available)


def exact(claims: Claims, dut: Conv2dSynapses, inside: Module):
    """Sums what one neuron, whichever it is, gets in each timestep, from the contract's weights."""
    m, plan, sums, beat = claims.m, dut.plan, dut.sums, dut.i.payload
    step, released = surroundings(claims, dut)
    signals, neurons = int(np.prod(plan.signal_shape)), plan.synapse.neurons
    weights = plan.synapse.apply(np.eye(signals, dtype=np.int64))
    order = list(plan.neurons())
    neuron = claims.fixed(max(1, (neurons - 1).bit_length()), "neuron")
    claims.assume(neuron < neurons)
    _, height, width = plan.signal_shape
    slot = beat.slots[0]
    signal = (slot.address.channel * height + slot.address.y) * width + slot.address.x
    weight = Array([Array(row) for row in weights.T.tolist()])[neuron][signal]
    amount = weight * slot.value if plan.value_bits else weight
    expected = [Signal(signed(plan.sum_bits), name=f"expected_{t}") for t in range(4)]
    entering, sweeping = Signal(2), Signal(2)
    with m.If(dut.i.valid & dut.i.ready):
        for t in range(4):
            with m.If((entering == t) & slot.event):
                m.d.sync += expected[t].eq(expected[t] + amount)
        m.d.sync += entering.eq(entering + beat.tick)
    with m.If(released):
        m.d.sync += sweeping.eq(sweeping + 1)
        for t in range(4):
            with m.If(sweeping == t):
                m.d.sync += expected[t].eq(0)
    for unit in range(plan.units):
        here = Array([max(0, row[unit]) for row in order])[step] == neuron
        asked = sums.step & here & ~Array([row[unit] < 0 for row in order])[step]
        answer = Array(expected)[sweeping]
        for _ in range(plan.latency):
            asked, answer = claims.past(asked), claims.past(answer)
        claims.always(f"sums of unit {unit} are exact", ~asked | (sums.sums[unit] == answer))


@pytest.mark.parametrize("settings", [
    SETTINGS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in SETTINGS[1:])])
def test_every_beat_takes_the_cycles_it_should(settings):
    prove_unbounded(Conv2dSynapses(plan_of(**settings)), accounts)


def test_a_third_timestep_can_wait():
    assert_possible(Conv2dSynapses(plan_of(**SETTINGS[0])), accounts, lambda dut: (
        dut.activity.stalled & dut.sums.available & dut.sums.last))


@pytest.mark.parametrize(("settings", "cycles"), [
    *((settings, 13) for settings in SETTINGS),
    *(pytest.param(settings, 18, marks=pytest.mark.slow) for settings in SETTINGS),
])
def test_sums_are_exact_in_the_first_cycles(settings, cycles):
    prove(Conv2dSynapses(plan_of(**settings)), exact, steps=cycles, from_reset=True)


def test_a_single_wrong_weight_is_found(monkeypatch):
    right = Conv2dPlan.weights

    def wrong(self):
        words = list(right(self))
        words[-1][-1] ^= 1
        return iter(words)

    monkeypatch.setattr(Conv2dPlan, "weights", wrong)
    with pytest.raises(RefutedError, match="are exact"):
        prove(Conv2dSynapses(plan_of(**SETTINGS[1])), exact, steps=16, from_reset=True)
