"""All-to-all synapses give the sweep exact sums, whoever waits for whom."""

import pytest
from amaranth.hdl import Array, Module, Mux, Signal, signed

from spikewright.gen import Folding
from spikewright.gen.folding import LayerFolding
from spikewright.gen.linear import LinearPlan
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.linear import LinearSynapses

from ..gen.examples import one_layer
from .prover import Claims, RefutedError, internal, prove
from .streams import assume_source

#: inputs, neurons, lanes, units, ways: sums in registers, in memory of 2 rows and of 4; with lanes
#: left over, with several steps to a row, with several ways.
SHAPES = [(3, 2, 2, 1, 1), (3, 4, 2, 2, 1), (2, 4, 1, 1, 1), (2, 3, 2, 1, 1), (4, 4, 2, 1, 2)]


def synapses(inputs: int, neurons: int, lanes: int, units: int, ways: int) -> LinearSynapses:
    folding = Folding(default=LayerFolding(lanes=lanes, units=units, ways=ways))
    return LinearSynapses(layer_plans(one_layer(inputs, neurons), folding)[0].synapses)


def surroundings(claims: Claims, dut: LinearSynapses):
    """A source of addresses that exist, and a sweep that steps when it likes; it may ask to keep
    the sums, but not in the middle of a sweep. Returns the number of the step."""
    m, plan, sums = claims.m, dut.plan, dut.sums
    assume_source(claims, dut.i)
    for way in range(plan.ways):
        address = dut.i.payload.slots[way].address
        claims.assume(address * plan.ways + way < plan.layer.inputs)
    step = Signal(range(plan.steps + 1))
    with m.If(sums.step):
        m.d.sync += step.eq(Mux(step == plan.steps - 1, 0, step + 1))
    claims.assume(~sums.step | sums.available | (step != 0))
    claims.assume((step == 0) | (sums.keep == claims.past(sums.keep)))
    return step


def accounts(claims: Claims, dut: LinearSynapses, inside: Module):
    """Every beat is worked on for as many cycles as promised, and no cycle is unaccounted for."""
    m, plan, activity = claims.m, dut.plan, dut.activity
    surroundings(claims, dut)
    holds, left = Signal(), Signal(range(plan.rows + 1))
    any_event = sum(slot.event for slot in dut.i.payload.slots) != 0
    with m.If(activity.busy):
        m.d.sync += [left.eq(left - 1), holds.eq(left != 1)]
    with m.If(dut.i.valid & dut.i.ready):
        m.d.sync += [holds.eq(1), left.eq(Mux(any_event, plan.rows, 1))]
    used = activity.busy + activity.taking + activity.stalled + activity.starved
    claims.always("each cycle has one use", used == 1)
    claims.always("works only on beats", ~activity.busy | holds)
    claims.always("rests only without beats", ~activity.starved | ~holds)
    claims.always("accepts without a bubble",
                  dut.i.ready == (~holds | (activity.busy & (left == 1))))

    # Strengthening: it knows how far it is.
    some = internal(inside, "any_event")
    claims.always("counts down", ~holds | (left == Mux(some, plan.rows - dut._row, 1)))
    claims.always("is somewhere", ~holds | ((left >= 1) & (left <= plan.rows)))


def exact(claims: Claims, dut: LinearSynapses, inside: Module):
    """Sums every event with its weights, timestep by timestep; there are at most four of them
    between the beats that enter and the sweep."""
    m, plan, sums = claims.m, dut.plan, dut.sums
    step = surroundings(claims, dut)
    weight = plan.layer.synapse.weight
    expected = [[Signal(signed(plan.sum_bits), name=f"expected_{t}_{n}")
                 for n in range(plan.steps * plan.units)] for t in range(4)]
    ending, entering, sweeping = Signal(4), Signal(2), Signal(2)
    slots = [dut.i.payload.slots[way] for way in range(plan.ways)]
    released = sums.step & (step == plan.steps - 1) & ~sums.keep
    with m.If(dut.i.valid & dut.i.ready):
        for t in range(4):
            with m.If(entering == t):
                for n in range(plan.layer.neurons):
                    columns = [Array(weight[n, way :: plan.ways].tolist())
                               for way in range(plan.ways)]
                    m.d.sync += expected[t][n].eq(expected[t][n] + sum(
                        Mux(slot.event, column[slot.address], 0)
                        for slot, column in zip(slots, columns, strict=True)))
                m.d.sync += ending.bit_select(t, 1).eq(dut.i.payload.last)
        with m.If(dut.i.payload.tick):
            m.d.sync += entering.eq(entering + 1)
    with m.If(released):
        m.d.sync += sweeping.eq(sweeping + 1)
        for t in range(4):
            with m.If(sweeping == t):
                m.d.sync += [value.eq(0) for value in expected[t]]
    claims.always("offers what is finished", ~sums.available | (entering != sweeping))
    claims.always("ends with the inference",
                  ~sums.available | (sums.last == ending.bit_select(sweeping, 1)))
    asked, answers = sums.step, [
        Array([Array([values[s * plan.units + unit] for s in range(plan.steps)])[step]
               for values in expected])[sweeping] for unit in range(plan.units)
    ]
    for _ in range(plan.latency):
        asked, answers = claims.past(asked), [claims.past(answer) for answer in answers]
    wrong = sum(sums.sums[unit] != answer for unit, answer in enumerate(answers))
    claims.always("sums are exact", ~asked | (wrong == 0))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_beat_takes_the_cycles_it_should(shape):
    prove(synapses(*shape), accounts, steps=3)


@pytest.mark.parametrize(("shape", "cycles"), [
    *((shape, 11) for shape in SHAPES[::2]),
    *(pytest.param(shape, 14, marks=pytest.mark.slow) for shape in SHAPES),
])
def test_sums_are_exact_in_the_first_cycles(shape, cycles):
    prove(synapses(*shape), exact, steps=cycles, from_reset=True)


def test_a_single_wrong_weight_is_found(monkeypatch):
    right = LinearPlan.weight_words

    def wrong(self, way):
        words = right(self, way)
        words[-1][-1] += 1 if words[-1][-1] < 7 else -1
        return words

    monkeypatch.setattr(LinearPlan, "weight_words", wrong)
    with pytest.raises(RefutedError, match="sums are exact"):
        prove(synapses(*SHAPES[1]), exact, steps=11, from_reset=True)
