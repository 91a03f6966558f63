"""One row of neurons through one timestep: fire, reset, leak."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arithmetic import Rounding, signed_digits
from ..folding import LayerPlan
from ..spec import Neuron, Reset
from .parameters import LayerParameters


def needs_flag(neuron: Neuron) -> bool:
    """Whether a neuron must remember, beside its membrane, that it was above threshold.

    With a delayed reset that drops the input it does, until that input has passed; with an
    undelayed subtraction it does because snnTorch then resets a membrane that is *still* above
    threshold only once. In all other cases the reset is in the stored membrane already.
    """
    if neuron.reset_delay:
        return neuron.reset is Reset.ZERO_DROP_INPUT
    return neuron.reset is Reset.SUBTRACT


def multiply(m: Value, constant: int) -> Value:
    """``m · constant`` as shifted additions, one per canonical signed digit after the first."""
    product: Value = C(0, signed(1))
    for shift, sign in reversed(signed_digits(constant)):
        product = product + (m << shift) if sign > 0 else product - (m << shift)
    return product


class Neurons(wiring.Component):
    """The equations of :mod:`spikewright.gen.spec` for ``lanes`` neurons per cycle.

    Throughput: one row per cycle. Latency: spikes and membranes :attr:`FIRE_LATENCY` cycles, the
    word to store :attr:`STORE_LATENCY` cycles after ``i_valid``. Never stalls.

    The three stages are *fire* (clamp, compare, undelayed reset), *leak* (multiply by the decay,
    round) and *store* (delayed reset, bias). The stored word is what the membrane will be at the
    end of the next timestep if nothing arrives, so that events only ever add to it.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i_valid, i_row, i_last : In
        A row whose timestep ends; ``i_last`` when the inference ends with it.
    i_u : In, lanes × signed
        Stored word plus all weights that arrived.
    i_flag : In, lanes
        See :func:`needs_flag`.
    o_valid, o_row, o_last : Out
    o_spikes : Out, lanes
    o_membranes : Out, lanes × signed
        The membrane as snnTorch returns it.
    o_saturated : Out, lanes
        u was clamped.
    store_valid, store_row : Out
    store_word : Out, lanes × signed
    store_flag : Out, lanes
    """

    FIRE_LATENCY = 2
    STORE_LATENCY = 3

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        row = range(plan.rows) if plan.rows > 1 else 1
        words = data.ArrayLayout(signed(plan.accumulator_bits), plan.lanes)
        super().__init__({
            "i_valid": In(1), "i_row": In(row), "i_last": In(1),
            "i_u": In(words), "i_flag": In(plan.lanes),
            "o_valid": Out(1), "o_row": Out(row), "o_last": Out(1),
            "o_spikes": Out(plan.lanes),
            "o_membranes": Out(data.ArrayLayout(signed(plan.membrane_bits), plan.lanes)),
            "o_saturated": Out(plan.lanes),
            "store_valid": Out(1), "store_row": Out(row),
            "store_word": Out(words), "store_flag": Out(plan.lanes),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.parameters = parameters = LayerParameters(self.plan)
        m.d.comb += parameters.row.eq(self.i_row)

        fire_valid, fire_row, fire_last = Signal(), Signal.like(self.i_row), Signal()
        store_last = Signal()
        m.d.sync += [
            fire_valid.eq(self.i_valid), fire_row.eq(self.i_row), fire_last.eq(self.i_last),
            self.o_valid.eq(fire_valid), self.o_row.eq(fire_row), self.o_last.eq(fire_last),
            self.store_valid.eq(self.o_valid), self.store_row.eq(self.o_row),
            store_last.eq(self.o_last),
        ]
        for lane in range(self.plan.lanes):
            m.submodules[f"lane_{lane}"] = unit = _Lane(self.plan, parameters, lane)
            m.d.comb += [
                unit.i_u.eq(self.i_u[lane]),
                unit.i_flag.eq(self.i_flag[lane]),
                unit.i_last.eq(store_last),
                self.o_spikes[lane].eq(unit.o_spike),
                self.o_membranes[lane].eq(unit.o_membrane),
                self.o_saturated[lane].eq(unit.o_saturated),
                self.store_word[lane].eq(unit.store_word),
                self.store_flag[lane].eq(unit.store_flag),
            ]
        return m


class _Lane(wiring.Component):
    """One neuron of :class:`Neurons`; ``i_last`` belongs to the store stage."""

    def __init__(self, plan: LayerPlan, parameters: LayerParameters, lane: int):
        self.plan = plan
        self.parameters = parameters
        self.lane = lane
        super().__init__({
            "i_u": In(signed(plan.accumulator_bits)), "i_flag": In(1), "i_last": In(1),
            "o_spike": Out(1), "o_membrane": Out(signed(plan.membrane_bits)), "o_saturated": Out(1),
            "store_word": Out(signed(plan.accumulator_bits)), "store_flag": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        neuron = self.plan.layer.neuron
        theta, factor, bias = (self.parameters.value(name, self.lane)
                               for name in LayerParameters.NAMES)
        u = Signal(signed(self.plan.accumulator_bits), reset_less=True)
        flag = Signal(reset_less=True)
        m.d.sync += [u.eq(self.i_u), flag.eq(self.i_flag)]

        spike, membrane = self._fire(m, neuron, u, flag, theta)
        m.d.sync += [self.o_spike.eq(spike), self.o_membrane.eq(membrane)]

        # Parameters read from the ROM belong to the fire stage; later stages need them later.
        def later(value: Value, name: str) -> Value:
            if self.parameters.constant(name, self.lane) is not None:
                return value
            delayed = Signal.like(value, reset_less=True)
            m.d.sync += delayed.eq(value)
            return delayed

        theta, bias, factor = (later(theta, "threshold"), later(bias, "bias"),
                               later(factor, "decay"))
        leaked, round_up, reset_due = self._leak(m, neuron, factor, theta)
        theta, bias = later(theta, "threshold"), later(bias, "bias")
        self._store(m, neuron, leaked, round_up, reset_due, theta, bias)
        return m

    def _fire(self, m: Module, neuron: Neuron, u: Value, flag: Value, theta: Value):
        if neuron.reset is Reset.ZERO_DROP_INPUT and neuron.reset_delay:
            u = Mux(flag, 0, u)
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            low, high = u < -limit, u > limit - 1
            m.d.sync += self.o_saturated.eq(low | high)
            u = Mux(low, C(-limit, signed(neuron.membrane_bits)),
                    Mux(high, C(limit - 1, signed(neuron.membrane_bits)), u))
        spike = Signal()
        m.d.comb += spike.eq(u > theta)
        if neuron.reset_delay or neuron.reset is Reset.NONE:
            return spike, u
        if neuron.reset is Reset.SUBTRACT:
            return spike, Mux(spike == flag, u, Mux(spike, u - theta, u + theta))
        return spike, Mux(spike, 0, u)

    def _leak(self, m: Module, neuron: Neuron, factor: Value, theta: Value):
        """⌊m·B / 2ⁿ⌋, what rounding adds to it (0 or 1), and whether a delayed reset is due."""
        constant = self.parameters.constant("decay", self.lane)
        membrane, fraction = self.o_membrane, neuron.decay_fraction
        product = Signal(signed(self.plan.leaked_bits + fraction))
        m.d.comb += product.eq(
            membrane * factor if constant is None else multiply(membrane, constant)
        )
        round_up = C(0)
        if fraction and neuron.rounding is Rounding.NEAREST:
            round_up = product[fraction - 1]
        elif fraction and neuron.rounding is Rounding.TOWARD_ZERO:
            round_up = product[-1] & product[:fraction].any()
        due = self.o_spike
        if not neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            due = membrane > theta
        leaked = Signal(signed(self.plan.leaked_bits), reset_less=True)
        rounded_up, reset_due = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            leaked.eq(product >> fraction), rounded_up.eq(round_up), reset_due.eq(due),
        ]
        return leaked, rounded_up, reset_due

    def _store(self, m: Module, neuron: Neuron, leaked: Value, round_up: Value, reset_due: Value,
               theta: Value, bias: Value):
        offset = bias
        if neuron.reset is Reset.SUBTRACT:
            offset = Mux(reset_due, bias - theta, bias)
        elif neuron.reset is Reset.ZERO_KEEP_INPUT and neuron.reset_delay:
            leaked, round_up = Mux(reset_due, 0, leaked), round_up & ~reset_due
        # One adder: the bit below the lowest carries the rounding in.
        terms = [Signal(signed(len(term) + 1), name=name)
                 for term, name in ((leaked, "kept"), (offset, "offset"))]
        m.d.comb += [signal.eq(term) for signal, term in zip(terms, (leaked, offset), strict=True)]
        following = (Cat(C(1, 1), terms[0]).as_signed()
                     + Cat(round_up, terms[1]).as_signed()) >> 1
        m.d.comb += self.store_word.eq(Mux(self.i_last, bias, following))
        if needs_flag(neuron):
            m.d.comb += self.store_flag.eq(reset_due & ~self.i_last)
