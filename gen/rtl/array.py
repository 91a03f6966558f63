"""A layer's neurons: their states, and the sweep over them that ends a timestep."""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan import LayerPlan
from .block_memory import BlockMemory
from .loading import LoadSignature
from .neurons import Neurons, StateLayout
from .parameters import parameters
from .sums import SumsSignature


class SpikesSignature(wiring.Signature):
    """What the neurons of one step did, step after step of a sweep; not a stream.

    Members
    -------
    valid : Out
    spikes : Out, units
    membranes : Out, units × signed
        As snnTorch returns them.
    step : Out
    end, last : Out
        The sweep's, the inference's last step.
    """

    def __init__(self, plan: LayerPlan):
        super().__init__({
            "valid": Out(1), "step": Out(range(plan.steps)), "end": Out(1), "last": Out(1),
            "spikes": Out(plan.units),
            "membranes": Out(data.ArrayLayout(signed(plan.membrane_bits), plan.units)),
        })


class NeuronArray(wiring.Component):
    """Sweeps over the neurons when a timestep's sums are available.

    Throughput: a sweep takes ``plan.steps`` cycles, one after another without a pause, and begins
    ``plan.sweep_cycles`` cycles after the one before at the earliest. Latency: spikes leave
    ``plan.synapses.latency + plan.fire_latency`` cycles after their step.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    sums : In(SumsSignature)
    o : Out(SpikesSignature)
    room : In
        A sweep may begin.
    cut : In
        Of sums that are swept over several times, the next sweep to begin is the last.
    begin, begin_last : Out
        One does; it is the inference's last.
    saturated : Out
        Membranes clamped in this cycle.
    load, full, settling : In, Out, Out
        As of :class:`~.neurons.Neurons`; only between inferences.
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        super().__init__({
            "sums": In(SumsSignature(plan.units, plan.synapses.sum_bits)),
            "o": Out(SpikesSignature(plan)),
            "room": In(1), "cut": In(1), "begin": Out(1), "begin_last": Out(1),
            "saturated": Out(range(plan.units + 1)),
            "load": In(LoadSignature()), "full": Out(1), "settling": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        m.submodules.neurons = self.neurons = neurons = Neurons(plan)
        wiring.connect(m, wiring.flipped(self.load), neurons.load)
        m.d.comb += [self.full.eq(neurons.full), self.settling.eq(neurons.settling)]
        layout = data.ArrayLayout(StateLayout(plan), plan.units)
        # A state is stored before it is read again, a sweep later; see LayerPlan.sweep_cycles.
        m.submodules.states = self.states = states = BlockMemory(
            layout, plan.steps, self._initial_states())

        issued = self._sequence(m)
        # The states are read so that they meet the sums.
        stages: list[Any] = [issued]
        for n in range(plan.synapses.latency):
            later = Signal(issued.shape(), name=f"issued_{n + 1}")
            m.d.sync += later.eq(stages[-1])
            stages.append(later)
        now = stages[plan.synapses.latency]
        state = Signal(layout, reset_less=True)
        m.d.sync += state.eq(states.read_data)
        m.d.comb += [
            states.read_address.eq(stages[plan.synapses.latency - 2].step),
            neurons.i_valid.eq(now.valid), neurons.i_step.eq(now.step),
            neurons.i_last.eq(now.last), neurons.i_sums.eq(self.sums.sums),
            neurons.i_state.eq(state),
            states.write.eq(neurons.store_valid),
            states.write_address.eq(neurons.store_step),
            states.write_data.eq(neurons.store_state),
        ]

        spikes, saturated = neurons.o_spikes, neurons.o_saturated
        if plan.padded:
            # A unit without a neuron still has a bias, and in a convolution sums, and might fire.
            real = Signal(plan.units)
            self._mark_real(m, real, neurons.o_step)
            spikes, saturated = spikes & real, saturated & real
        m.d.comb += [
            self.o.valid.eq(neurons.o_valid), self.o.step.eq(neurons.o_step),
            self.o.end.eq(neurons.o_step == plan.steps - 1), self.o.last.eq(neurons.o_last),
            self.o.spikes.eq(spikes), self.o.membranes.eq(neurons.o_membranes),
        ]
        if plan.layer.neuron.membrane_bits is not None:
            clamped = sum((saturated[unit] for unit in range(plan.units)), C(0))
            m.d.comb += self.saturated.eq(Mux(neurons.o_valid, clamped, 0))
        return m

    def _initial_states(self) -> list[Any]:
        layout = StateLayout(self.plan)
        biases = parameters(self.plan)["bias"].tolist()
        return [[layout.initial(bias) for bias in row] for row in biases]

    def _mark_real(self, m: Module, real: Signal, step: Value):
        """Which units have a neuron in ``step``; most steps are alike."""
        plan = self.plan
        patterns: dict[int, list[int]] = {}
        for number, row in enumerate(plan.order):
            pattern = sum(int(neuron >= 0) << unit for unit, neuron in enumerate(row))
            patterns.setdefault(pattern, []).append(number)
        common = max(patterns, key=lambda pattern: len(patterns[pattern]))
        with m.Switch(step):
            for pattern, steps in patterns.items():
                if pattern != common:
                    with m.Case(*steps):
                        m.d.comb += real.eq(pattern)
            with m.Default():
                m.d.comb += real.eq(common)

    def _sequence(self, m: Module) -> data.View:
        """Steps through a sweep, as often as the same sums are swept."""
        plan = self.plan
        step, sweep = Signal(range(plan.steps)), Signal(range(max(2, plan.sweeps)))
        # Cycles since the sweep's begin; what others wait for comes straight from registers.
        elapsed = Signal(range(plan.sweep_cycles))
        idle, stepping = Signal(init=1), Signal()
        issued = Signal(data.StructLayout({"valid": 1, "step": range(plan.steps), "last": 1}))
        final = C(1)
        if plan.sweeps > 1:
            cut = Signal()  # the same in all steps of a sweep
            with m.If(~self.sums.step | (step == plan.steps - 1)):
                m.d.sync += cut.eq(self.cut)
            final = cut | (sweep == plan.sweeps - 1)
        m.d.comb += [
            self.begin.eq(idle & self.sums.available & self.room),
            self.begin_last.eq(self.sums.last & final),
            self.sums.step.eq(self.begin | stepping),
            self.sums.keep.eq(~final),
            issued.valid.eq(self.sums.step), issued.step.eq(step),
            issued.last.eq(self.begin_last),
        ]
        with m.If(self.begin | ~idle):
            m.d.sync += [elapsed.eq(elapsed + 1), idle.eq(0)]
            with m.If(elapsed == plan.sweep_cycles - 1):
                m.d.sync += [elapsed.eq(0), idle.eq(1)]
        with m.If(self.sums.step):
            m.d.sync += [step.eq(step + 1), stepping.eq(1)]
            with m.If(step == plan.steps - 1):
                m.d.sync += [
                    step.eq(0), stepping.eq(0), sweep.eq(Mux(final, 0, sweep + 1)),
                ]
        return issued
