"""One answer an inference: every class once, in order, with its exact score and the winner."""

from functools import reduce

import numpy as np
import pytest
from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, signed

from spikewright.gen import (
    Folding,
    Layer,
    Linear,
    NetworkSpec,
    Neuron,
    Readout,
    ReadoutKind,
    Reset,
)
from spikewright.gen.folding import LayerFolding
from spikewright.gen.plan import layer_plans
from spikewright.gen.rtl.readout import ScoreReadout

from .prover import Claims, RefutedError, internal
from .reachability import assert_possible, prove_unbounded
from .streams import assert_offers_without_asking, claim_source

COUNT, MEMBRANE, FIRST = (
    ReadoutKind.SPIKE_COUNT, ReadoutKind.MEMBRANE, ReadoutKind.FIRST_SPIKE)

#: kind, classes, population, units, early exit.
SHAPES = [(COUNT, 2, 1, 1, False), (COUNT, 2, 2, 2, False), (COUNT, 3, 1, 2, False),
          (MEMBRANE, 2, 1, 1, False), (FIRST, 2, 1, 1, False), (FIRST, 2, 2, 4, True)]


def readout(kind, classes, population, units, early_exit, dut=ScoreReadout) -> ScoreReadout:
    neurons = classes * population
    neuron = Neuron(decay=1, decay_fraction=1, threshold=None, reset=Reset.NONE, membrane_bits=2) \
        if kind is MEMBRANE else Neuron(decay=1, decay_fraction=1, threshold=1)
    spec = NetworkSpec(
        input_shape=(2,), timesteps=2,
        layers=(Layer(name="fc", neuron=neuron,
                      synapse=Linear(weight=np.ones((neurons, 2), np.int64), weight_bits=2)),),
        readout=Readout(kind=kind, population=population, early_exit=early_exit),
    )
    folding = Folding(default=LayerFolding(lanes=units, units=units))
    return dut(layer_plans(spec, folding)[-1], spec)


def answers(claims: Claims, dut: ScoreReadout, inside: Module):
    m, plan, i, o = claims.m, dut.plan, dut.i, dut.o
    neurons, population = plan.layer.neurons, dut.readout.population
    claim_source(claims, o)

    # Sweeps begin when there is room; at most two are under way, and only the newest can be last.
    under_way, closing, step = Signal(2), Signal(), Signal(range(plan.steps))
    begun = Signal(range(dut.timesteps + 1))
    ends = i.valid & (step == plan.steps - 1)
    claims.assume(~dut.begin | (dut.room & (under_way < 2) & (begun != dut.timesteps)))
    claims.assume(~dut.begin | dut.begin_last | (begun != dut.timesteps - 1))
    claims.assume(~i.valid | (under_way != 0))
    claims.assume((i.end == (step == plan.steps - 1)) & (i.step == step))
    # `last` is the same in all rows of a sweep, and told before the sweep behind it can begin.
    final = closing & (under_way == 1)
    claims.assume(~i.valid | (i.last == final))
    with m.If(i.valid):
        m.d.sync += step.eq(Mux(ends, 0, step + 1))
    m.d.sync += under_way.eq(under_way + dut.begin - ends)
    with m.If(dut.begin):
        m.d.sync += [begun.eq(begun + 1), closing.eq(dut.begin_last)]

    # What the contract says of each neuron, and then of each class.
    timestep = Signal(range(dut.timesteps + 1))
    words = [Signal(signed(dut.bits + 1), name=f"word_{n}") for n in range(neurons)]
    fired = [i.spikes[int(unit)] & (step == int(s)) for s, unit in (
        np.argwhere(plan.order == n)[0] for n in range(neurons))]
    spiked, frozen = Signal(), Signal()
    with m.If(i.valid):
        for n, word in enumerate(words):
            s, unit = np.argwhere(plan.order == n)[0]
            with m.If(step == int(s)):
                match dut.readout.kind:
                    case ReadoutKind.SPIKE_COUNT:
                        m.d.sync += word.eq(word + fired[n])
                    case ReadoutKind.MEMBRANE:
                        m.d.sync += word.eq(word + i.membranes[int(unit)])
                    case ReadoutKind.FIRST_SPIKE:
                        with m.If((word == 0) & fired[n] & ~frozen):
                            m.d.sync += word.eq(dut.timesteps - timestep)
        now = spiked | Cat(fired).any()
        m.d.sync += spiked.eq(now)
        with m.If(ends):
            m.d.sync += [timestep.eq(timestep + 1), frozen.eq(now & dut.readout.early_exit)]
    groups = [words[c * population : (c + 1) * population] for c in range(dut.classes)]
    if dut.readout.kind is FIRST:
        scores = [reduce(lambda a, b: Mux(a > b, a, b), group) for group in groups]
    else:
        scores = [sum(group[1:], group[0]) for group in groups]
    best, winners = scores[0], [C(0)]
    for c, score in enumerate(scores[1:], 1):
        winners.append(Mux(score > best, c, winners[-1]))
        best = Mux(score > best, score, best)

    # Beats come as promised.
    whole, index = Signal(), Signal(range(dut.classes))
    waited = Signal(range(population + 3))
    taken = o.valid & o.ready
    answered = taken & (index == dut.classes - 1)
    with m.If(ends & final):
        m.d.sync += [whole.eq(1), waited.eq(0)]
    with m.If(whole):
        m.d.sync += waited.eq(Mux(o.valid, 1, waited + 1))
    with m.If(taken):
        m.d.sync += index.eq(Mux(answered, 0, index + 1))
    with m.If(answered):
        m.d.sync += [whole.eq(0), begun.eq(0), closing.eq(0), timestep.eq(0), spiked.eq(0),
                     frozen.eq(0), *(word.eq(0) for word in words)]
    claims.always("answers whole inferences only", ~o.valid | whole)
    claims.always("answers in time", ~whole | o.valid | (waited <= population))
    claims.always("classes come in order", ~o.valid | (o.payload.index == index))
    claims.always("the last says so", ~o.valid | (o.payload.last == (index == dut.classes - 1)))
    claims.always("scores are exact", ~o.valid | (o.payload.score == Array(scores)[index]))
    claims.always("the winner has most, and is the first", ~o.valid
                  | (o.payload.winner == Array(winners)[index]))
    claims.always("a sweep may begin but behind the last", dut.room == ~closing)
    claims.always("knows that it answers", dut.answering == whole)
    if dut.readout.early_exit:
        claims.always("is decided by the first spike", dut.decided == spiked)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_inference_is_answered_once_and_right(shape):
    prove_unbounded(readout(*shape), answers)
    assert_offers_without_asking(readout(*shape))


def test_the_last_class_can_win():
    assert_possible(readout(*SHAPES[2]), answers, lambda dut: (
        dut.o.valid & dut.o.payload.last & (dut.o.payload.winner == 2) & dut.o.ready))


class Hasty(ScoreReadout):
    """Goes on to the next neuron while a beat has to wait."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += internal(m, "neuron").eq(internal(m, "neuron") + 1)
        return m


def test_a_skipped_class_is_found():
    with pytest.raises(RefutedError, match=r"scores are exact|answers in time"):
        prove_unbounded(readout(*SHAPES[0], dut=Hasty), answers)
