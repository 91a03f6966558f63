"""Neurons through one timestep: fire, reset, leak."""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arithmetic import Rounding, signed_digits
from ..neuron import Neuron, Reset
from ..plan import LayerPlan
from ..synapses import OneToOne
from .loading import LoadSignature
from .parameters import LayerParameters
from .tables import table_cell


def needs_flag(neuron: Neuron) -> bool:
    """Whether a neuron must remember, beside its membrane, that it was above threshold.

    With a delayed reset that drops the input it does, until that input has passed; with an
    undelayed subtraction it does because snnTorch then resets a membrane that is *still* above
    threshold only once. In all other cases the reset is in the stored membrane already.
    """
    if neuron.reset_delay:
        return neuron.reset is Reset.ZERO_DROP_INPUT
    return neuron.reset is Reset.SUBTRACT


class StateLayout(data.StructLayout):
    """What a neuron remembers from one timestep to the next.

    Members
    -------
    word : signed
        What u will be if nothing arrives: the leaked and reset membrane and, unless there is a
        synaptic current, what is added in every timestep.
    flag : 1
        See :func:`needs_flag`; present only if needed.
    current : signed
        What i will be if nothing arrives; present only with a synaptic current.
    """

    def __init__(self, plan: LayerPlan):
        members: dict[str, Any] = {"word": signed(plan.accumulator_bits)}
        if needs_flag(plan.layer.neuron):
            members["flag"] = 1
        if plan.current_bits:
            members["current"] = signed(plan.current_bits)
        super().__init__(members)

    def initial(self, bias: int) -> dict[str, int]:
        """The state before an inference: nothing but the bias has arrived."""
        if "current" in self.members:
            return {"word": 0, "current": bias}
        return {"word": bias}


def multiply(m: Value, constant: int) -> Value:
    """``m · constant`` as shifted additions, one per canonical signed digit after the first."""
    product: Value = C(0, signed(1))
    for shift, sign in reversed(signed_digits(constant)):
        product = product + (m << shift) if sign > 0 else product - (m << shift)
    return product


def exceeds(a: Value, b: Value) -> Value:
    """``a > b``, as the sign of a difference: an adder's carry is slow to leave it, a sum is not.
    """
    return (b - a)[-1]


class Neurons(wiring.Component):
    """The equations of :mod:`spikewright.gen.spec` for ``units`` neurons per cycle.

    Throughput: one step per cycle. Latency: spikes and membranes ``plan.fire_latency`` cycles, the
    state to store ``plan.store_latency`` cycles after ``i_valid``. Never stalls.

    The stages are *current* (only where the synapses have a decay of their own), *sum*, *fire*
    (clamp, compare, undelayed reset), *leak* (multiply by the decay, round) and *store* (delayed
    reset, bias).

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i_valid, i_step, i_last : In
        Neurons whose timestep ends; ``i_last`` when the inference ends with it.
    i_sums : In, units × signed
        What arrived in the timestep.
    i_state : In, units × StateLayout
    o_valid, o_step, o_last : Out
    o_spikes : Out, units
    o_membranes : Out, units × signed
        The membrane as snnTorch returns it.
    o_saturated : Out, units
        u was clamped.
    store_valid, store_step : Out
    store_state : Out, units × StateLayout
    load, full : In, Out
        As of :class:`~.parameters.LayerParameters`; only while no neurons are updated. The neurons
        of a step whose bias was loaded begin with it.
    settling : Out
        Not all of them do yet.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        self.state = data.ArrayLayout(StateLayout(plan), plan.units)
        super().__init__({
            "i_valid": In(1), "i_step": In(range(plan.steps)), "i_last": In(1),
            "i_sums": In(data.ArrayLayout(signed(plan.synapses.sum_bits), plan.units)),
            "i_state": In(self.state),
            "o_valid": Out(1), "o_step": Out(range(plan.steps)), "o_last": Out(1),
            "o_spikes": Out(plan.units),
            "o_membranes": Out(data.ArrayLayout(signed(plan.membrane_bits), plan.units)),
            "o_saturated": Out(plan.units),
            "store_valid": Out(1), "store_step": Out(range(plan.steps)),
            "store_state": Out(self.state),
            "load": In(LoadSignature()), "full": Out(1), "settling": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.parameters = self.parameters = parameters = LayerParameters(
            self.plan, exchanged=table_cell(platform) is not None)
        loads = self.plan.loads_parameters
        now = Signal(data.StructLayout({
            "valid": 1, "step": range(self.plan.steps), "last": 1,
            **({"begin": 1} if loads else {})}))
        m.d.comb += [now.valid.eq(self.i_valid), now.step.eq(self.i_step),
                     now.last.eq(self.i_last)]
        wiring.connect(m, wiring.flipped(self.load), parameters.load)
        m.d.comb += self.full.eq(parameters.full)
        stages: list[Any] = [now]
        for n in range(self.plan.store_latency):
            later = Signal(now.shape(), name=f"stage_{n + 1}")
            m.d.sync += later.eq(stages[-1])
            stages.append(later)
        fired, stored = stages[self.plan.fire_latency], stages[self.plan.store_latency]
        stores = stored.valid
        if loads:
            # As at the end of an inference, but nobody sees it.
            with m.If(parameters.written):
                m.d.comb += [now.begin.eq(1), now.last.eq(1), now.step.eq(parameters.written_step)]
            stores = stored.valid | stored.begin
            m.d.comb += self.settling.eq(
                parameters.settling | Cat(stage.begin for stage in stages).any())
        m.d.comb += [
            # They are needed in the fire stage, one cycle after they are asked for.
            parameters.step.eq(stages[self.plan.fire_latency - 2].step),
            self.o_valid.eq(fired.valid), self.o_step.eq(fired.step), self.o_last.eq(fired.last),
            self.store_valid.eq(stores), self.store_step.eq(stored.step),
        ]
        for index in range(self.plan.units):
            m.submodules[f"unit_{index}"] = unit = _Unit(self.plan, parameters, index)
            m.d.comb += [
                unit.i_sum.eq(self.i_sums[index]),
                unit.i_state.eq(self.i_state[index]),
                unit.i_last.eq(stored.last),
                self.o_spikes[index].eq(unit.o_spike),
                self.o_membranes[index].eq(unit.o_membrane),
                self.o_saturated[index].eq(unit.o_saturated),
                self.store_state[index].eq(unit.store_state),
            ]
        return m


class _Unit(wiring.Component):
    """One neuron of :class:`Neurons`; ``i_last`` belongs to the store stage."""

    def __init__(self, plan: LayerPlan, parameters: LayerParameters, index: int):
        self.plan = plan
        self.parameters = parameters
        self.index = index
        self.state = StateLayout(plan)
        super().__init__({
            "i_sum": In(signed(plan.synapses.sum_bits)), "i_state": In(self.state),
            "i_last": In(1),
            "o_spike": Out(1), "o_membrane": Out(signed(plan.membrane_bits)), "o_saturated": Out(1),
            "store_state": Out(self.state),
        })

    def elaborate(self, platform):
        m = Module()
        self._m = m
        neuron = self.plan.layer.neuron
        arrived = self.i_sum << self.plan.synapses.sum_shift
        word = self.i_state.word
        flag = self.i_state.flag if needs_flag(neuron) else C(0)
        current = None
        if neuron.synapse_decay is not None:
            current = Signal(signed(self.plan.current_bits), reset_less=True)
            m.d.sync += current.eq(self.i_state.current + arrived)
            word, flag, arrived = self._later(word, "word"), self._later(flag, "flag"), current
        u = Signal(signed(self.plan.accumulator_bits), reset_less=True)
        m.d.sync += u.eq(word + arrived)
        flag = self._later(flag, "flag_fire")

        # Parameters read from the ROM belong to the fire stage; later stages need them later.
        theta = self._parameter("threshold", 0)
        spike, membrane = self._fire(neuron, u, flag, theta)
        m.d.sync += [self.o_spike.eq(spike), self.o_membrane.eq(membrane)]

        due = self.o_spike
        if not neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            due = exceeds(self.o_membrane, self._parameter("threshold", 1))
        leaked, round_up = self._leak("decay", self.o_membrane, neuron.decay_fraction,
                                      self.plan.leaked_bits)
        due = self._later(due, "reset_due")
        bias = self._parameter("bias", 2)
        if current is None:
            arriving, lowered = self._arriving(self._parameter("threshold", 1))
            self._store_word(neuron, leaked, round_up, due, arriving, lowered, bias)
        else:
            arriving, _ = self._arriving(C(0))
            lowered = C(0) - self._parameter("threshold", 2)
            self._store_word(neuron, leaked, round_up, due, C(0), lowered, C(0))
            for n in range(2):
                current = self._later(current, f"current_{n}")
            leaked, round_up = self._leak("synapse_decay", current, neuron.synapse_decay_fraction,
                                          self.plan.leaked_current_bits)
            kept = self._sum(leaked, round_up, arriving)
            m.d.comb += self.store_state.current.eq(Mux(self.i_last, bias, kept))
        if needs_flag(neuron):
            m.d.comb += self.store_state.flag.eq(due & ~self.i_last)
        return m

    def _later(self, value: Value, name: str) -> Signal:
        delayed = Signal(Value.cast(value).shape(), name=name, reset_less=True)
        self._m.d.sync += delayed.eq(value)
        return delayed

    def _parameter(self, name: str, stages: int) -> Value:
        """``name`` as it is needed so many stages behind the fire stage; 0 if there is none."""
        if name == "threshold" and self.plan.layer.neuron.threshold is None:
            return C(0)
        value = self.parameters.value(name, self.index)
        if not self.parameters.steady(name):
            for n in range(stages):
                value = self._later(value, f"{name}_{stages}_{n}")
        return value

    def _arriving(self, theta: Value) -> tuple[Value, Value]:
        """What is added in every timestep, and that less ``theta``, for the store stage; computed
        in the leak stage, because the store stage has its own sum."""
        bias = self._parameter("bias", 1)
        arriving = bias
        if isinstance(self.plan.layer.recurrent, OneToOne):
            arriving = Mux(self.o_spike, bias + self._parameter("recurrent", 1), bias)
        elif isinstance(bias, Const) and isinstance(theta, Const):
            return bias, bias - theta  # constants are there at any stage
        return self._later(arriving, "arriving"), self._later(arriving - theta, "lowered")

    def _fire(self, neuron: Neuron, u: Value, flag: Value, theta: Value):
        if neuron.reset is Reset.ZERO_DROP_INPUT and neuron.reset_delay:
            u = Mux(flag, 0, u)
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            low, high = u < -limit, u > limit - 1
            self._m.d.sync += self.o_saturated.eq(low | high)
            u = Mux(low, C(-limit, signed(neuron.membrane_bits)),
                    Mux(high, C(limit - 1, signed(neuron.membrane_bits)), u))
        spike = Signal()
        if neuron.threshold is not None:
            self._m.d.comb += spike.eq(exceeds(u, theta))
        if neuron.reset_delay or neuron.reset is Reset.NONE:
            return spike, u
        if neuron.reset is Reset.SUBTRACT:
            return spike, Mux(spike == flag, u, Mux(spike, u - theta, u + theta))
        return spike, Mux(spike, 0, u)

    def _leak(self, name: str, value: Value, fraction: int, bits: int) -> tuple[Signal, Signal]:
        """⌊value·factor / 2ⁿ⌋ and what rounding adds to it, 0 or 1, one stage later."""
        constant = self.parameters.constant(name, self.index)
        product = Signal(signed(bits + fraction), name=f"{name}_product")
        self._m.d.comb += product.eq(
            value * self._parameter(name, 1) if constant is None else multiply(value, constant)
        )
        rounding = self.plan.layer.neuron.rounding
        round_up = C(0)
        if fraction and rounding is Rounding.NEAREST:
            round_up = product[fraction - 1]
        elif fraction and rounding is Rounding.TOWARD_ZERO:
            round_up = product[-1] & product[:fraction].any()
        return (self._later((product >> fraction)[:bits].as_signed(), f"{name}_leaked"),
                self._later(round_up, f"{name}_round_up"))

    @staticmethod
    def _sum(kept: Value, carry: Value, offset: Value) -> Value:
        """``kept + offset + carry``, the first and last signed, by one adder: the bit below the
        lowest carries in."""
        low, high = Cat(C(1, 1), kept).as_signed(), Cat(carry, offset).as_signed()
        return (low + high) >> 1

    def _store_word(self, neuron: Neuron, leaked: Value, round_up: Value, due: Value,
                    arriving: Value, lowered: Value, initial: Value):
        offset = arriving
        if neuron.reset is Reset.SUBTRACT:
            offset = Mux(due, lowered, arriving)
        elif neuron.reset is Reset.ZERO_KEEP_INPUT and neuron.reset_delay:
            leaked, round_up = Mux(due, 0, leaked), round_up & ~due
        following = self._sum(leaked, round_up, offset)
        self._m.d.comb += self.store_state.word.eq(Mux(self.i_last, initial, following))
