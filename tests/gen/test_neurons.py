"""The neuron pipeline alone: every membrane of a small width, for every kind of neuron."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import (
    Folding,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    Rounding,
)
from spikewright.gen.engines.golden import current, step
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import LayerPlan, layer_plans
from spikewright.gen.rtl.neurons import Neurons, needs_flag

#: What arrives at the two neurons.
WEIGHTS = [[9, -9], [9, -9]]


def spec_of(neuron: Neuron, recurrent: OneToOne | None, timesteps: int) -> NetworkSpec:
    layer = Layer(name="fc", synapse=Linear(weight=WEIGHTS, weight_bits=8), neuron=neuron,
                  recurrent=recurrent)
    kind = ReadoutKind.SPIKE_COUNT if neuron.threshold is not None else ReadoutKind.MEMBRANE
    return NetworkSpec(input_shape=(2,), layers=(layer,), timesteps=timesteps,
                       readout=Readout(kind=kind))


def run(plan: LayerPlan, cases):
    """Two neurons alike through ``cases`` (state, sum, last), a case a cycle. Returns what fires,
    (spike, membrane, saturated), and what is stored, in the documented cycles."""
    dut = Neurons(plan)
    fired, stored = [], []

    async def bench(ctx):
        for cycle in range(len(cases) + plan.store_latency):
            ctx.set(dut.i_valid, cycle < len(cases))
            if cycle < len(cases):
                state, arriving, last = cases[cycle]
                for unit in range(2):
                    ctx.set(dut.i_state[unit], state)
                    ctx.set(dut.i_sums[unit], arriving >> plan.synapses.sum_shift)
                ctx.set(dut.i_last, last)
            assert ctx.get(dut.o_valid) == (0 <= cycle - plan.fire_latency < len(cases))
            if ctx.get(dut.o_valid):
                fired.append((ctx.get(dut.o_spikes) & 1, ctx.get(dut.o_membranes[0]),
                              ctx.get(dut.o_saturated) & 1))
            assert ctx.get(dut.store_valid) == (cycle >= plan.store_latency)
            if ctx.get(dut.store_valid):
                stored.append({name: ctx.get(dut.store_state[0][name])
                               for name in dut.state.elem_shape.members})
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return fired, stored


def fire(neuron: Neuron, u: int, flag: int):
    """What the contract makes of u, in a neuron that was above threshold before if ``flag``:
    (spike, membrane, saturated)."""
    if flag and neuron.reset is Reset.ZERO_DROP_INPUT:
        u = 0
    saturated = 0
    if neuron.membrane_bits is not None:
        limit = 1 << (neuron.membrane_bits - 1)
        clamped = min(max(u, -limit), limit - 1)
        saturated, u = int(clamped != u), clamped
    theta = 0 if neuron.threshold is None else int(neuron.threshold)
    s = int(neuron.threshold is not None and u > theta)
    if not neuron.reset_delay and s != flag and neuron.reset is Reset.SUBTRACT:
        u -= (s - flag) * theta
    elif not neuron.reset_delay and neuron.reset in (Reset.ZERO_KEEP_INPUT, Reset.ZERO_DROP_INPUT):
        u = 0 if s else u
    return s, u, saturated


KINDS = {
    "floor": {"decay": 13, "rounding": Rounding.FLOOR},
    "nearest": {"decay": -7, "rounding": Rounding.NEAREST},
    "clamped": {"decay": 13, "rounding": Rounding.TOWARD_ZERO, "membrane_bits": 5},
    "fires": {"decay": 16},
    "forgets": {"decay": 0, "bias": 0},
    "synaptic": {"decay": 11, "synapse_decay": 5, "synapse_decay_fraction": 3, "bias": 3},
    "one_to_one": {"decay": 13},
    "synaptic_one_to_one": {"decay": 11, "synapse_decay": 1, "synapse_decay_fraction": 2},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_every_membrane(reset, delay, kind):
    """Every u, with every flag and some currents: spike and membrane are the contract's, and from
    the state that is stored follows, whatever arrives, the contract's next timestep."""
    own = OneToOne(weight=-4) if "one_to_one" in kind else None
    neuron = Neuron(**{"decay_fraction": 4, "threshold": 5, "bias": -2, "reset": reset,
                       "reset_delay": delay, **KINDS[kind]})
    check_every_membrane(neuron, own)


def test_every_membrane_that_never_fires():
    check_every_membrane(Neuron(decay=13, decay_fraction=4, threshold=None, bias=2,
                                reset=Reset.NONE, membrane_bits=5), None)


def check_every_membrane(neuron: Neuron, own: OneToOne | None):
    # What can be after five timesteps fits in the words of seven whatever comes next.
    (bounds,) = spec_of(neuron, own, 5).bounds
    folding = Folding(default=LayerFolding(lanes=2, units=2))
    (plan,) = layer_plans(spec_of(neuron, own, 7), folding)
    low, high = bounds.accumulated
    lowest, highest = bounds.membrane
    currents = [None] if bounds.currents is None else [*bounds.currents, 0]
    flags = (0, 1) if needs_flag(neuron) else (0,)
    cases = [(u, flag, i, last) for u in range(low, high + 1) for flag in flags for i in currents
             for last in (0, 1) if lowest <= fire(neuron, u, flag)[1] <= highest]
    assert len(cases) > 30
    states = []
    for u, flag, i, last in cases:
        state = {"word": u if i is None else u - i}
        state |= {"flag": flag} if len(flags) > 1 else {}
        state |= {} if i is None else {"current": i}
        states.append((state, 0, last))
    fired, stored = run(plan, states)
    assert fired == [fire(neuron, u, flag) for u, flag, _, _ in cases]

    arriving = np.random.default_rng(0).choice([-9, 0, 9], len(cases)).tolist()
    fired_next, _ = run(plan, [(state, x, 0) for state, x in zip(stored, arriving, strict=True)])
    for (_, _, i, last), (spike, m, _), x, found in zip(cases, fired, arriving, fired_next,
                                                        strict=True):
        if last:
            spike = m = i = 0
        x += neuron.bias + (own.weight * spike if own is not None else 0)
        i = current(neuron, np.array([i or 0]), np.array([x]))
        s, following, saturated = step(neuron, np.array([m]), i)
        assert found == (s[0], following[0], saturated[0]), (m, i)
