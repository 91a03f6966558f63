"""Max pooling of spikes, between the neurons that fire and the queue of their spikes."""

from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..spike_pooling import SpikePoolingPlan, Window
from .block_memory import BlockMemory


class SpikePooling(wiring.Component):
    """A spike for every window with a spike, as soon as its last row has come.

    Throughput: a row per cycle, whenever it comes. Latency: a pooled row leaves in the cycle after
    the row that completes it. A timestep's last leaves before its rows are over if there is a rest
    at the border; the rest is taken and dropped.

    Parameters
    ----------
    plan : SpikePoolingPlan

    Members
    -------
    i_valid : In
    i_spikes : In, positions × lanes
        A row of the sweep. Places beyond the width must be silent.
    i_last : In
        In all rows of a timestep: the inference ends with it.
    o_valid : Out
    o_spikes : Out, places × lanes
        A pooled row, silent ones too, in the order of ``plan.order``.
    o_tick, o_last : Out
        It is the timestep's last pooled row; the inference's.
    """

    def __init__(self, plan: SpikePoolingPlan):
        self.plan = plan
        super().__init__({
            "i_valid": In(1), "i_last": In(1),
            "i_spikes": In(data.ArrayLayout(plan.lanes, plan.positions)),
            "o_valid": Out(1), "o_tick": Out(1), "o_last": Out(1),
            "o_spikes": Out(data.ArrayLayout(plan.lanes, plan.places)),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        _, height, _ = plan.pool.input_shape
        _, lines, _ = plan.pool.output_shape
        (kernel, _), (stride, _) = plan.kernel, plan.stride

        # Innermost first; phase and group count the same rows.
        block, phase, group, line, y = (
            Signal(range(count), name=name) for name, count in (
                ("block", plan.blocks), ("phase", plan.phases), ("group", plan.row_groups),
                ("line", stride), ("y", height)))
        block_end, group_end = block == plan.blocks - 1, group == plan.row_groups - 1
        y_end = y == height - 1
        with m.If(self.i_valid):
            m.d.sync += block.eq(Mux(block_end, 0, block + 1))
            with m.If(block_end):
                m.d.sync += [
                    group.eq(Mux(group_end, 0, group + 1)),
                    phase.eq(Mux(group_end | (phase == plan.phases - 1), 0, phase + 1)),
                ]
            with m.If(block_end & group_end):
                m.d.sync += [
                    y.eq(Mux(y_end, 0, y + 1)),
                    line.eq(Mux(y_end | (line == stride - 1), 0, line + 1)),
                ]

        across = self._across(m, block_end, phase, group)
        pooled = Signal.like(self.o_spikes)
        m.d.comb += pooled.eq(across)
        if kernel > 1:
            before = self._line_before(m, pooled)
            m.d.comb += pooled.eq(across.as_value() | Mux(line == 0, 0, before))
        end = (y == (lines - 1) * stride + kernel - 1) & group_end & block_end
        m.d.sync += [
            self.o_valid.eq(self.i_valid & (line == kernel - 1)),
            self.o_spikes.eq(pooled),
            self.o_tick.eq(end), self.o_last.eq(end & self.i_last),
        ]
        return m

    def _across(self, m: Module, block_end: Value, phase: Value, group: Value) -> data.View:
        """Windows that this row completes, of its own image row's spikes."""
        plan = self.plan
        across, left = Signal.like(self.o_spikes), Signal(plan.lanes)
        # A block's rest of a row is wanted when the block's turn comes again.
        rests = [Signal(plan.lanes, name=f"rest_{n}") for n in range(plan.blocks)]
        with m.Switch(phase):
            for index in range(plan.phases):
                with m.Case(index):
                    for spikes, window in zip(across, plan.completed(index), strict=False):
                        m.d.comb += spikes.eq(self._any(window, rests[0]))
                    m.d.comb += left.eq(self._any(plan.left_open(index), rests[0]))
        with m.If(self.i_valid):
            m.d.sync += [rest.eq(following) for rest, following in
                         zip(rests, [*rests[1:], left], strict=True)]
        # Windows that only places beyond the width would complete do not exist.
        existing = (plan.order[plan.row_groups * plan.blocks - 1] >= 0).tolist()
        mask = Const(sum(1 << n for n, exists in enumerate(existing) if exists), plan.units)
        silenced = Signal.like(self.o_spikes)
        m.d.comb += silenced.as_value().eq(
            Mux(group == plan.row_groups - 1, across.as_value() & mask, across.as_value()))
        return silenced

    def _any(self, window: Window, rest: Signal) -> Value:
        spikes = [self.i_spikes[position] for position in window.members]
        return reduce(or_, [*spikes, rest] if window.begun else spikes, C(0, self.plan.lanes))

    def _line_before(self, m: Module, pooled: data.View) -> Value:
        """What was pooled at this place one image row ago."""
        plan = self.plan
        depth = plan.row_groups * plan.blocks
        if depth == 1:
            before = Signal(plan.units)
            with m.If(self.i_valid):
                m.d.sync += before.eq(pooled)
            return before
        m.submodules.lines = lines = BlockMemory(plan.units, depth)
        place, following = Signal(range(depth)), Signal(range(depth))
        m.d.comb += [
            following.eq(Mux(place == depth - 1, 0, place + 1)),
            lines.read_address.eq(Mux(self.i_valid, following, place)),
            lines.write.eq(self.i_valid), lines.write_address.eq(place),
            lines.write_data.eq(pooled),
        ]
        with m.If(self.i_valid):
            m.d.sync += place.eq(following)
        return lines.read_data
