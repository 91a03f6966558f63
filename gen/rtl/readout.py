"""What the network answers: a score for every class, and which class has most."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..coding import ReadoutKind
from ..plan import LayerPlan
from ..spec import NetworkSpec
from .array import SpikesSignature
from .neurons import exceeds
from .streams import result_stream


def answer_latency(neurons: int) -> int:
    """Cycles from an inference's last step to its last result beat, if all are taken at once."""
    return neurons + 1


class ScoreReadout(wiring.Component):
    """Sums up an inference per neuron, straight from the sweeps of the last layer, then sends one
    result beat per class.

    ============  ================================================================================
    SPIKE_COUNT   a neuron's spikes
    MEMBRANE      its membranes after each timestep, summed
    FIRST_SPIKE   ``timesteps`` − t of its first spike in timestep t = 0, 1, …; 0 without one
    ============  ================================================================================

    With early exit, spikes after the timestep of the first one count no more.

    A class's score is the sum, for first spikes the highest, of its ``population`` neurons.

    Throughput: one step of a sweep per cycle. Latency: the first class is offered
    ``population + 1`` cycles after the inference's last step, and each takes ``population``
    cycles.

    Parameters
    ----------
    plan : LayerPlan
        Of the last layer.
    spec : NetworkSpec

    Members
    -------
    i : In(SpikesSignature)
    begin, begin_last : In
        A sweep begins; it is the inference's last.
    room : Out
        A sweep may begin: no result is being waited for.
    o : Out(stream of ResultLayout)
    answering : Out
        The result stands.
    decided : Out
        With early exit: a neuron has spiked. Falls when the result has been taken.

    Attributes
    ----------
    bits
        Width of a score, signed: ``plan.widths.score``.
    """

    def __init__(self, plan: LayerPlan, spec: NetworkSpec):
        self.plan = plan
        self.readout = spec.readout
        self.timesteps = spec.timesteps
        self.classes = spec.classes
        self.bits = plan.widths.score
        super().__init__({
            "i": In(SpikesSignature(plan)),
            "begin": In(1), "begin_last": In(1), "room": Out(1), "answering": Out(1),
            "decided": Out(1),
            "o": Out(result_stream(self.classes, self.bits)),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        # A rotation a step brings every unit's word in front of it, and after a sweep all are home.
        scores = Signal(data.ArrayLayout(data.ArrayLayout(signed(self.bits), plan.units),
                                         plan.steps))
        answering = self.answering
        closing = Signal()
        m.d.comb += self.room.eq(~closing)
        updated = self._updated(m, scores[0])
        with m.If(self.i.valid):
            m.d.sync += [scores[n].eq(scores[n + 1]) for n in range(plan.steps - 1)]
            m.d.sync += scores[plan.steps - 1].eq(updated)
            with m.If(self.i.end & self.i.last):
                m.d.sync += answering.eq(1)
        with m.If(self.begin & self.begin_last):
            m.d.sync += closing.eq(1)

        words = {int(neuron): scores[step][unit] for step, row in enumerate(plan.order)
                 for unit, neuron in enumerate(row) if neuron >= 0}
        word, fetched, taken = Signal(signed(self.bits)), Signal(), Signal()
        neuron = Signal(range(plan.layer.neurons + 1))
        with m.If(self.answering & (~fetched | taken)):
            with m.Switch(neuron):
                for number, value in words.items():
                    with m.Case(number):
                        m.d.sync += word.eq(value)
            m.d.sync += [fetched.eq(neuron != plan.layer.neurons), neuron.eq(neuron + 1)]
        with m.If(self._answer(m, word, fetched, taken)):
            m.d.sync += [scores.eq(0), answering.eq(0), closing.eq(0), neuron.eq(0), fetched.eq(0),
                         self.decided.eq(0)]
        return m

    def _updated(self, m: Module, words: data.View) -> Value:
        plan = self.plan
        updated = Signal(words.shape())
        left = Signal(range(self.timesteps + 1), init=self.timesteps)
        frozen = self._frozen(m) if self.readout.early_exit else C(0)
        for unit in range(plan.units):
            word, spike = words[unit], self.i.spikes[unit]
            match self.readout.kind:
                case ReadoutKind.SPIKE_COUNT:
                    value = word + spike
                case ReadoutKind.MEMBRANE:
                    value = word + self.i.membranes[unit]
                case ReadoutKind.FIRST_SPIKE:
                    value = Mux((word == 0) & spike & ~frozen, left, word)
            m.d.comb += updated[unit].eq(value)
        if self.readout.kind is ReadoutKind.FIRST_SPIKE:
            with m.If(self.i.valid & self.i.end):
                m.d.sync += left.eq(Mux(self.i.last, self.timesteps, left - 1))
        return updated.as_value()

    def _frozen(self, m: Module) -> Signal:
        """An earlier timestep decided."""
        frozen = Signal()
        spiked = self.decided | self.i.spikes.any()
        with m.If(self.i.valid):
            m.d.sync += self.decided.eq(spiked)
            with m.If(self.i.end):
                m.d.sync += frozen.eq(spiked & ~self.i.last)
        return frozen

    def _answer(self, m: Module, word: Value, fetched: Value, taken: Signal) -> Value:
        """Turns neurons' words into classes' scores and the best of them; whether the last of these
        is taken."""
        payload = self.o.payload
        population = self.readout.population
        member = Signal(range(max(2, population)))
        group, most = Signal(signed(self.bits)), Signal(signed(self.bits))
        index, winner = Signal.like(payload.index), Signal.like(payload.index)
        score, better = Signal(signed(self.bits)), Signal()
        complete = member == population - 1
        if population == 1:
            m.d.comb += score.eq(word)
        elif self.readout.kind is ReadoutKind.FIRST_SPIKE:
            m.d.comb += score.eq(Mux((member != 0) & (group > word), group, word))
        else:
            m.d.comb += score.eq(Mux(member == 0, 0, group) + word)
        m.d.comb += [
            better.eq((index == 0) | exceeds(score, most)),
            self.o.valid.eq(fetched & complete),
            payload.index.eq(index), payload.score.eq(score),
            payload.winner.eq(Mux(better, index, winner)),
            payload.last.eq(index == self.classes - 1),
            taken.eq(fetched & (~complete | self.o.ready)),
        ]
        with m.If(taken):
            m.d.sync += [group.eq(score), member.eq(member + 1)]
            with m.If(complete):
                m.d.sync += [
                    member.eq(0), winner.eq(payload.winner), most.eq(Mux(better, score, most)),
                    index.eq(Mux(payload.last, 0, index + 1)),
                ]
        return self.o.valid & self.o.ready & payload.last
