"""The neuron pipeline alone: every membrane of a small width, for every kind of neuron."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikewright.gen import Layer, Linear, NetworkSpec, Neuron, Reset, Rounding
from spikewright.gen.engines.golden import step
from spikewright.gen.folding import Folding
from spikewright.gen.rtl.neurons import Neurons, needs_flag


def plan_of(neuron: Neuron, weight: int):
    layer = Layer(name="fc", synapse=Linear(weight=[[weight], [-weight]], weight_bits=8),
                  neuron=neuron)
    spec = NetworkSpec(input_shape=(1,), layers=(layer,), timesteps=6)
    (plan,) = Folding.lanes(2, spec=spec).plans(spec)
    return plan, spec.bounds[0].accumulated


@pytest.mark.parametrize("decay", [13, -7, 16, 0])
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", Reset)
def test_every_membrane(reset, delay, rounding, decay):
    """For each stored word u, and each flag it can have: spike and membrane equal the contract's
    step, and the word to store is what the next step starts from."""
    neuron = Neuron(decay=decay, decay_fraction=4, threshold=11, bias=-2, reset=reset,
                    reset_delay=delay, rounding=rounding)
    plan, (low, high) = plan_of(neuron, weight=60)
    cases = [(u, flag, last) for u in range(low, high + 1)
             for flag in ((0, 1) if needs_flag(neuron) else (0,)) for last in (0, 1)]
    dut = Neurons(plan)
    fired, stored = [], []

    async def bench(ctx):
        for index in range(len(cases) + Neurons.STORE_LATENCY + 1):
            if index < len(cases):
                u, flag, last = cases[index]
                ctx.set(dut.i_valid, 1)
                ctx.set(dut.i_last, last)
                ctx.set(dut.i_flag, 3 * flag)
                for lane in range(2):
                    ctx.set(dut.i_u[lane], u)
            else:
                ctx.set(dut.i_valid, 0)
            if ctx.get(dut.o_valid):
                fired.append((ctx.get(dut.o_spikes) & 1, ctx.get(dut.o_membranes[0])))
            if ctx.get(dut.store_valid):
                stored.append((ctx.get(dut.store_word[0]), ctx.get(dut.store_flag) & 1))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(fired) == len(stored) == len(cases)
    width = plan.accumulator_bits
    for (u, flag, last), (spike, m), (word, next_flag) in zip(cases, fired, stored, strict=True):
        if flag and reset is Reset.ZERO_DROP_INPUT:
            u = 0
        s = int(u > 11)
        expected = u
        if not delay and reset is Reset.SUBTRACT:
            expected = u - (s - flag) * 11
        elif not delay and reset is not Reset.NONE:
            expected = 0 if s else u
        assert (spike, m) == (s, expected), (u, flag)
        # The contract's step with no input, from this membrane, is what the stored word stands for.
        silent = np.array([0])
        _, following, _ = step(neuron, np.array([0 if last else m]), silent)
        dropped = next_flag and reset is Reset.ZERO_DROP_INPUT
        value = 0 if dropped else word
        s2 = int(value > 11)
        if not delay and reset is Reset.SUBTRACT:
            value = value - (s2 - next_flag) * 11
        elif not delay and reset is not Reset.NONE:
            value = 0 if s2 else value
        wrapped = (int(following[0]) + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))
        assert value == wrapped, (u, flag, last)
