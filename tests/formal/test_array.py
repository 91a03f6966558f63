"""Sweeps take every step of every timestep once and in order, whenever sums and room come."""

import pytest
from amaranth.hdl import Module, Mux, Signal

from spikewright.gen import Folding, Input, InputKind
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.array import NeuronArray

from ..gen.examples import one_layer, two_layers
from .prover import Claims, RefutedError, internal
from .reachability import assert_possible, prove_unbounded

#: neurons, lanes, units, held input: one step a sweep, several, more than the neurons' pipeline has
#: stages, and several sweeps of the same sums.
SHAPES = [(2, 2, 2, False), (3, 2, 1, False), (8, 1, 1, False), (2, 1, 1, True)]


def array(neurons, lanes, units, held, dut=NeuronArray) -> NeuronArray:
    spec = two_layers(1, neurons, 1, 3, input=Input(kind=InputKind.CURRENT)) if held \
        else one_layer(1, neurons)
    folding = Folding(layers={spec.layers[0].name: LayerFolding(lanes=lanes, units=units)})
    return dut(layer_plans(spec, folding)[0])


def sweeps(claims: Claims, dut: NeuronArray, inside: Module):
    m, plan, sums, o = claims.m, dut.plan, dut.sums, dut.o
    # Sums stay until a sweep that does not keep them has taken its last step.
    step, sweep = Signal(range(plan.steps)), Signal(range(max(2, plan.sweeps)))
    ends = sums.step & (step == plan.steps - 1)
    with m.If(sums.step):
        m.d.sync += step.eq(Mux(ends, 0, step + 1))
    claims.assume(~claims.past(sums.available & ~(ends & ~sums.keep)) | (
        sums.available & (sums.last == claims.past(sums.last))))
    with m.If(ends):
        m.d.sync += sweep.eq(Mux(sums.keep, sweep + 1, 0))

    claims.always("a sweep is a step in every cycle until it is whole",
                  (step == 0) | sums.step)
    claims.always("begins only when it may",
                  ~(sums.step & (step == 0)) | (sums.available & dut.room))
    claims.always("tells that it begins", dut.begin == (sums.step & (step == 0)))
    claims.always("keeps sums as long as they are swept", ~sums.step | ~sums.keep
                  | (sweep != plan.sweeps - 1))
    if plan.sweeps == 1:
        claims.always("keeps nothing", ~sums.step | ~sums.keep)
        claims.always("tells the last sweep", ~dut.begin | (dut.begin_last == sums.last))
    claims.always("asks to keep in all steps or none",
                  ~sums.step | (step == 0) | (sums.keep == claims.past(sums.keep)))

    # What was begun leaves as it was begun, `plan.latency` cycles later.
    now = [sums.step, step, sums.last & ~sums.keep]
    for _ in range(plan.latency):
        now = [claims.past(value) for value in now]
    claims.always("every step leaves once", o.valid == now[0])
    claims.always("in order", ~o.valid | (o.step == now[1]))
    claims.always("a sweep ends with its last step",
                  ~o.valid | (o.end == (now[1] == plan.steps - 1)))
    claims.always("the inference ends with its last sweep", ~o.valid | (o.last == now[2]))

    # A state is stored before it is read again.
    states = inside.submodules.states
    looked_at = claims.fixed(max(1, (plan.steps - 1).bit_length()), "looked_at")
    read = sums.step & (step == looked_at)
    for _ in range(plan.synapses.latency - 2):
        read = claims.past(read)
    owed = Signal()
    written = states.write & (states.write_address == looked_at)
    m.d.sync += owed.eq((owed & ~written) | read)
    claims.always("no state is read before it is stored", ~(read & owed))
    claims.always("no state is stored unasked", ~written | owed)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_is_taken_once_and_in_order(shape):
    prove_unbounded(array(*shape), sweeps)


def test_sweeps_can_follow_one_another():
    assert_possible(array(*SHAPES[2]), sweeps, lambda dut: dut.begin & dut.o.valid & ~dut.o.last)


class Early(NeuronArray):
    """Begins again a cycle too early."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        elapsed = internal(m, "elapsed")
        with m.If(elapsed == self.plan.sweep_cycles - 3):
            m.d.sync += elapsed.eq(self.plan.sweep_cycles - 1)
        return m


def test_a_sweep_too_early_is_found():
    with pytest.raises(RefutedError, match="no state is"):
        prove_unbounded(array(*SHAPES[1], dut=Early), sweeps)
