"""A layer's neuron array: weights, membranes and neurons, and the sequence that feeds them."""

from typing import Any

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..folding import LayerPlan
from .membranes import MembraneMemory, MembraneRegisters
from .neurons import Neurons
from .streams import event_stream


class SpikeRowLayout(data.StructLayout):
    """The spikes of one row of neurons.

    Members
    -------
    spikes : lanes
    base : unsigned
        Address of the neuron in lane 0.
    tick, last : 1
        This row is the timestep's (the inference's) last.
    """

    def __init__(self, lanes: int, addresses: int):
        self.lanes = lanes
        self.addresses = addresses
        super().__init__({
            "spikes": lanes,
            "base": range(addresses) if addresses > 1 else 1,
            "tick": 1,
            "last": 1,
        })


class NeuronArray(wiring.Component):
    """Linear synapses and their neurons, event by event.

    Throughput: an operation takes ``rows`` cycles: one row of weights is added to one row of
    membranes each cycle, and if the operation carries a tick, that row fires in the same pass.
    A timestep with e events thus takes ``rows · max(1, e)`` cycles, plus ``rows`` if its tick came
    without an event; with fewer than :attr:`~.membranes.MembraneMemory.MIN_ROWS` rows, one sweep
    begins at least :attr:`~.membranes.MembraneRegisters.TICK_DISTANCE` cycles after another.
    There is no bubble between operations.

    Latency: the spikes of a row leave ``LATENCY`` cycles after its operation was issued, which is
    at the earliest one cycle after the input beat.

    Back-pressure: a sweep waits while the spike queue behind (``room``) is short; events do not.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    i : In(stream of EventLayout)
    o_valid, o_row : Out
        Rows of spikes; not a stream: the queue behind must have room. Silent rows are left out,
        but for the last of a timestep.
    room : In
        A row may be swept: the queue behind holds it, whatever is still on its way there.
    issued_tick_row, silent_row : Out
        A row was promised to the queue; a promised row was silent and will not come.
    busy, sweeping, stalled, starved : Out
        The cycle's use; exactly one of them (starved also when nothing is going on at all).
    saturated : Out
        Membranes clamped in this cycle.
    tap_valid, tap_row, tap_spikes, tap_membranes : Out
        What every neuron did, for tests and traces.
    """

    LATENCY = 2 + Neurons.FIRE_LATENCY

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        row = range(plan.rows) if plan.rows > 1 else 1
        super().__init__({
            "i": In(event_stream(plan.layer.inputs)),
            "o_valid": Out(1), "o_row": Out(SpikeRowLayout(plan.lanes, plan.layer.neurons)),
            "room": In(1), "issued_tick_row": Out(1), "silent_row": Out(1),
            "busy": Out(1), "sweeping": Out(1), "stalled": Out(1), "starved": Out(1),
            "last_row": Out(1),
            "saturated": Out(range(plan.lanes + 1)),
            "tap_valid": Out(1), "tap_row": Out(row), "tap_spikes": Out(plan.lanes),
            "tap_membranes": Out(data.ArrayLayout(signed(plan.membrane_bits), plan.lanes)),
        })

    def weight_words(self) -> list[Any]:
        """The weight memory: word row·fan_in + input holds that row's weights, lane by lane."""
        plan = self.plan
        weight = plan.layer.synapse.weight.tolist() + [[0] * plan.layer.inputs] * plan.padding
        rows = [weight[first : first + plan.lanes] for first in range(0, len(weight), plan.lanes)]
        return [list(column) for row in rows for column in zip(*row, strict=True)]

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        synapse = plan.layer.synapse

        row, address, base, issue = self._sequence(m)

        m.submodules.weights = weights = memory.Memory(
            shape=data.ArrayLayout(signed(synapse.weight_bits), plan.lanes),
            depth=plan.rows * synapse.inputs,
            init=self.weight_words(),
        )
        read = weights.read_port()
        fetched = Signal(read.data.shape(), reset_less=True)
        m.d.comb += [read.addr.eq(address), read.en.eq(issue & self._op.event)]
        m.d.sync += fetched.eq(read.data)

        # The operation travels beside its weights: issued in cycle 0, fetched in 2.
        now = Signal(data.StructLayout({
            "valid": 1, "event": 1, "tick": 1, "last": 1, "end": 1,
            "row": row.shape(), "base": base.shape(),
        }))
        m.d.comb += [
            now.valid.eq(issue), now.event.eq(self._op.event), now.tick.eq(self._op.tick),
            now.last.eq(self._op.last), now.end.eq(row == plan.rows - 1),
            now.row.eq(row), now.base.eq(base),
        ]
        in_1, in_2, in_3, in_4 = (Signal.like(now, name=f"operation_{n}") for n in range(1, 5))
        m.d.sync += [in_1.eq(now), in_2.eq(in_1), in_3.eq(in_2), in_4.eq(in_3)]

        enough = plan.rows >= MembraneMemory.MIN_ROWS
        kind = MembraneMemory if enough else MembraneRegisters
        m.submodules.membranes = membranes = kind(plan)
        m.submodules.neurons = neurons = Neurons(plan)
        m.d.comb += [
            membranes.read_row.eq(row),
            membranes.op_valid.eq(in_2.valid),
            membranes.op_row.eq(in_2.row),
            membranes.op_tick.eq(in_2.tick),
            neurons.i_valid.eq(in_2.valid & in_2.tick),
            neurons.i_row.eq(in_2.row),
            neurons.i_last.eq(in_2.last),
            neurons.i_u.eq(membranes.u),
            neurons.i_flag.eq(membranes.flag),
            membranes.store_valid.eq(neurons.store_valid),
            membranes.store_row.eq(neurons.store_row),
            membranes.store_word.eq(neurons.store_word),
            membranes.store_flag.eq(neurons.store_flag),
        ]
        for lane in range(plan.lanes):
            shifted = Mux(in_2.event, fetched[lane], 0) << synapse.weight_shift
            m.d.comb += membranes.op_weights[lane].eq(shifted)

        spikes, saturated = neurons.o_spikes, neurons.o_saturated
        if plan.padding:
            # A lane without a neuron still has the layer's bias and might fire.
            real = Mux(in_4.end, (1 << (plan.lanes - plan.padding)) - 1, (1 << plan.lanes) - 1)
            spikes, saturated = spikes & real, saturated & real
        fired = spikes.any()
        m.d.comb += [
            self.o_valid.eq(neurons.o_valid & (fired | in_4.end)),
            self.silent_row.eq(neurons.o_valid & ~(fired | in_4.end)),
            self.o_row.spikes.eq(spikes),
            self.o_row.base.eq(in_4.base),
            self.o_row.tick.eq(in_4.end),
            self.o_row.last.eq(in_4.end & in_4.last),
            self.tap_valid.eq(neurons.o_valid),
            self.tap_row.eq(neurons.o_row),
            self.tap_spikes.eq(spikes),
            self.tap_membranes.eq(neurons.o_membranes),
        ]
        if plan.layer.neuron.membrane_bits is not None:
            clamped = sum((saturated[lane] for lane in range(plan.lanes)), C(0))
            m.d.comb += self.saturated.eq(Mux(neurons.o_valid, clamped, 0))
        return m

    def _sequence(self, m: Module):
        """Takes beats apart into rows; a beat is accepted as the last row of another is issued."""
        plan = self.plan
        fan_in = plan.layer.inputs
        self._op = Signal(self.i.payload.shape())
        op_valid = Signal()
        row = Signal(range(plan.rows) if plan.rows > 1 else 1)
        base = Signal(range(plan.layer.neurons) if plan.layer.neurons > 1 else 1)
        address = Signal(range(plan.rows * fan_in) if plan.rows * fan_in > 1 else 1)
        last_row = self.last_row
        issue = Signal()
        blocked = Signal()
        m.d.comb += [
            last_row.eq(row == plan.rows - 1),
            blocked.eq(self._op.tick & ~self.room),
            issue.eq(op_valid & ~blocked),
            self.i.ready.eq(~op_valid | (issue & last_row)),
            self.issued_tick_row.eq(issue & self._op.tick),
            self.busy.eq(issue & self._op.event),
            self.sweeping.eq(issue & ~self._op.event),
            self.stalled.eq(op_valid & ~issue),
            self.starved.eq(~op_valid),
        ]
        if plan.rows < MembraneRegisters.TICK_DISTANCE:
            wait = Signal(range(MembraneRegisters.TICK_DISTANCE))
            with m.If(issue & self._op.tick):
                m.d.sync += wait.eq(MembraneRegisters.TICK_DISTANCE - 1 - row)
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
            m.d.comb += blocked.eq(self._op.tick & (~self.room | ((row == 0) & (wait != 0))))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self._op.eq(self.i.payload),
                op_valid.eq(self.i.payload.event | self.i.payload.tick),
                row.eq(0), base.eq(0), address.eq(self.i.payload.address),
            ]
        with m.Elif(issue):
            m.d.sync += [
                row.eq(row + 1), base.eq(base + plan.lanes), address.eq(address + fan_in),
            ]
            with m.If(last_row):
                m.d.sync += op_valid.eq(0)
        return row, address, base, issue
