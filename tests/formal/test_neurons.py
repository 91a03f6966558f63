"""The neuron step is the contract's for every input and every state that any inference reaches, and
no word outgrows the bound that its width comes from.

The contract is written out here in integers that are wide enough for anything.
"""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal, Value, signed

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
from spikewright.gen.bounds import MembraneBounds
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.neurons import Neurons, _Unit, needs_flag

from .prover import Claims, RefutedError, prove
from .reachability import prove_unbounded

#: Weights of a small neuron, whose sums are −2 … 3, and of one of a real net: 784 inputs, INT4.
SMALL, REAL = [1, 1, 1, -2], [7, -7] * 392


def neurons(own=None, timesteps=20, weights=SMALL, contract_bits=16, **settings) -> Neurons:
    """A neuron, and of how many bits the contract's integers are."""
    neuron = Neuron(**{"decay": 3, "decay_fraction": 2, "threshold": 2, **settings})
    layer = Layer(name="fc", neuron=neuron,
                  synapse=Linear(weight=np.array([weights]), weight_bits=4),
                  recurrent=None if own is None else OneToOne(weight=own))
    kind = ReadoutKind.MEMBRANE if neuron.threshold is None else ReadoutKind.SPIKE_COUNT
    spec = NetworkSpec(input_shape=(len(weights),), timesteps=timesteps, layers=(layer,),
                       readout=Readout(kind=kind))
    dut = Neurons(layer_plans(spec, Folding())[0])
    dut.bounds, dut.timesteps, dut.wide = spec.bounds[0], timesteps, signed(contract_bits)
    return dut


def rounded(value: Value, factor: int, fraction: int, rounding: Rounding) -> Value:
    product = value * factor
    if fraction == 0:
        return product
    match rounding:
        case Rounding.FLOOR:
            offset = 0
        case Rounding.NEAREST:
            offset = 1 << (fraction - 1)
        case Rounding.TOWARD_ZERO:
            offset = Mux(product < 0, (1 << fraction) - 1, 0)
    return (product + offset) >> fraction


def equals_the_contract(claims: Claims, dut: Neurons, inside: Module):
    m, plan, bounds = claims.m, dut.plan, dut.bounds
    neuron, own = plan.layer.neuron, plan.layer.recurrent
    theta = 0 if neuron.threshold is None else int(neuron.threshold)
    bias = int(neuron.bias)

    def wide(m: Module, value, name: str) -> Signal:
        signal = Signal(dut.wide, name=name)
        m.d.comb += signal.eq(value)
        return signal

    # One timestep after the other; what the neuron stores comes back to it.
    phase, t = Signal(range(plan.store_latency + 1)), Signal(range(dut.timesteps))
    begins, ends = phase == 0, phase == plan.store_latency
    last = claims.any(1, "last")
    claims.assume(begins | (last == claims.past(last)))
    claims.assume(last | (t != dut.timesteps - 1))
    total = Signal(signed(plan.synapses.sum_bits))
    state = Signal(dut.state, init=[dut.state.elem_shape.initial(bias)])
    m.d.comb += total.eq(dut.i_sums[0])
    claims.assume((total >= bounds.sums[0]) & (total <= bounds.sums[1]))
    claims.assume(begins | (total == claims.past(total)))
    claims.assume((dut.i_valid == begins) & (dut.i_last == last))
    claims.assume(dut.i_state.as_value() == state.as_value())
    m.d.sync += phase.eq(Mux(ends, 0, phase + 1))
    with m.If(ends):
        m.d.sync += [t.eq(Mux(last, 0, t + 1)), state.eq(dut.store_state)]

    # The contract.
    membrane, current = Signal(dut.wide, name="m"), Signal(dut.wide, name="i")
    spiked = Signal(name="s")

    def decayed(value, what="decay"):
        return rounded(value, int(getattr(neuron, what)), getattr(neuron, f"{what}_fraction"),
                       neuron.rounding)

    fires = neuron.threshold is not None
    r = wide(m, (membrane > theta) if fires else 0, "r")[0]
    arriving = wide(m, bias + Mux(spiked, 0 if own is None else int(own.weight), 0), "arriving")
    kept_current = decayed(current, "synapse_decay") if plan.current_bits else 0
    ahead = wide(m, kept_current + arriving, "ahead")
    i = wide(m, ahead + total, "i_after")
    leaked = wide(m, decayed(membrane), "leaked")
    match neuron.reset:
        case Reset.SUBTRACT:
            kept = leaked - Mux(r, theta, 0)
        case Reset.ZERO_KEEP_INPUT:
            kept = Mux(r, 0, leaked)
        case _:
            kept = leaked
    unclamped = wide(m, Mux(r & (neuron.reset is Reset.ZERO_DROP_INPUT), 0, kept + i), "u_before")
    u = unclamped
    if neuron.membrane_bits is not None:
        low, high = -(1 << (neuron.membrane_bits - 1)), (1 << (neuron.membrane_bits - 1)) - 1
        u = wide(m, Mux(u < low, low, Mux(u > high, high, u)), "u")
    s = wide(m, (u > theta) if fires else 0, "fired")[0]
    if neuron.reset_delay or neuron.reset is Reset.NONE:
        after = u
    elif neuron.reset is Reset.SUBTRACT:
        after = wide(m, u - Mux(s, theta, 0) + Mux(r, theta, 0), "m_after")
    else:
        after = wide(m, Mux(s, 0, u), "m_after")
    with m.If(ends):
        m.d.sync += [membrane.eq(Mux(last, 0, after)), current.eq(Mux(last, 0, i)),
                     spiked.eq(s & ~last)]

    fired = phase == plan.fire_latency
    claims.always("spikes as the contract", ~fired | (dut.o_valid & (dut.o_spikes[0] == s)))
    claims.always("has the contract's membrane", ~fired | (dut.o_membranes[0] == after))
    claims.always("tells of its last timestep", ~fired | (dut.o_last == last))
    claims.always("stores in time", dut.store_valid == ends)
    if neuron.membrane_bits is not None:
        claims.always("tells when it clamps", ~fired | (dut.o_saturated[0] == (u != unclamped)))

    # Every width of the hardware comes from one of these.
    _bounded(claims, "u before clamping", unclamped, bounds.accumulated)
    _bounded(claims, "u", u, bounds.membrane)
    _bounded(claims, "m", after, bounds.membrane)
    if bounds.currents is not None:
        _bounded(claims, "i", i, bounds.currents)

    # Strengthening: what it stores is what the contract's state will become.
    stored = state[0]
    word = (kept if plan.current_bits else kept + ahead)
    claims.always("stores the coming membrane", stored.word == word)
    if needs_flag(neuron):
        claims.always("remembers the reset", stored.flag == r)
    if plan.current_bits:
        claims.always("stores the coming current", stored.current == ahead)


def _bounded(claims: Claims, name: str, value: Value, ends: tuple[int, int]):
    claims.always(f"{name} is within its bound", (value >= ends[0]) & (value <= ends[1]))


RESETS = [{"reset": reset, "reset_delay": delay} for reset in Reset for delay in (True, False)
          if reset is not Reset.NONE or delay]
SETTINGS = [
    *RESETS,
    *({"rounding": rounding, "bias": -1} for rounding in Rounding),
    {"membrane_bits": 3, "bias": 1}, {"membrane_bits": 4, "reset": Reset.ZERO_DROP_INPUT},
    {"own": -2}, {"own": 1, "synapse_decay": 1, "synapse_decay_fraction": 2, "timesteps": 4},
    {"decay": -1, "decay_fraction": 1}, {"decay": 1, "decay_fraction": 0, "timesteps": 4},
    {"threshold": None, "reset": Reset.NONE, "timesteps": 5},
]

#: Two states a neuron, which takes minutes.
CURRENTS = [{"synapse_decay": 1, "synapse_decay_fraction": 1, "bias": 1, **reset}
            for reset in RESETS]

#: As trained nets have them: sums of 784 INT4 weights, β = 15/16 or 230/256. Inferences are so long
#: that the bounds hold for any length, which induction needs.
AS_TRAINED = [
    {"decay": 15, "decay_fraction": 4, "threshold": 60, **settings}
    for settings in ({}, {"reset": Reset.ZERO_KEEP_INPUT}, {"reset": Reset.ZERO_DROP_INPUT},
                     {"reset_delay": False}, {"rounding": Rounding.TOWARD_ZERO, "bias": -9},
                     {"decay": 230, "decay_fraction": 8}, {"membrane_bits": 12}, {"own": -20},
                     {"threshold": None, "reset": Reset.NONE})
]


def _name(settings):
    return "-".join(f"{name}={getattr(value, 'value', value)}" for name, value in settings.items())


@pytest.mark.parametrize("settings", SETTINGS, ids=_name)
def test_every_step_is_the_contracts(settings):
    prove_unbounded(neurons(**settings), equals_the_contract)


@pytest.mark.slow
@pytest.mark.parametrize("settings", CURRENTS, ids=_name)
def test_every_step_with_a_current_is_the_contracts(settings):
    prove_unbounded(neurons(**settings), equals_the_contract, seconds=1200)


@pytest.mark.slow
@pytest.mark.parametrize("settings", AS_TRAINED, ids=_name)
def test_every_step_at_the_widths_of_a_trained_net_is_the_contracts(settings):
    """By induction: longer than the pipeline, so that what is in it came from a state like this."""
    dut = neurons(weights=REAL, timesteps=2000, contract_bits=32, **settings)
    prove(dut, equals_the_contract, steps=dut.plan.store_latency + 8)


def test_a_bound_too_tight_by_one_is_found():
    dut = neurons(timesteps=3)
    low, high = dut.bounds.membrane
    dut.bounds = MembraneBounds(sums=dut.bounds.sums, currents=None,
                                accumulated=dut.bounds.accumulated, membrane=(low, high - 1))
    with pytest.raises(RefutedError, match="u is within its bound"):
        prove_unbounded(dut, equals_the_contract)


def test_a_threshold_off_by_one_is_found(monkeypatch):
    parameter = _Unit._parameter
    monkeypatch.setattr(_Unit, "_parameter", lambda self, name, stages: parameter(
        self, name, stages) + (name == "threshold" and stages == 0))
    with pytest.raises(RefutedError, match="spikes as the contract"):
        prove_unbounded(neurons(), equals_the_contract)
