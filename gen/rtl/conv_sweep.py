"""In which order a sweep takes a convolution's sums out of their banks."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan


class SumSweep(wiring.Component):
    """Turns the steps of sweeps into takes of sum rows, and what the banks hand out into sums.

    Never waits. The order is y, then groups of ``plan.positions`` neighbours in x, then blocks of
    channels; see :class:`~.convolution.Conv2dPlan`.

    Parameters
    ----------
    plan : Conv2dPlan

    Members
    -------
    step, keep : In
        See :class:`~.sums.SumsSignature`.
    take : Out
        In the cycle of the step, with ``plan.overlap`` a cycle later: all banks read at
        ``address``.
    address : Out
        The half in the lowest bit.
    clear : Out, banks in y × banks in x
        With ``take``: the bank belongs to the sum row, which is not kept.
    release : Out
        In the cycle of the step: it is the sweep's last and does not keep.
    half : Out
        Which the sweep takes.
    taken : In, banks in y × banks in x × lanes × signed
        Two cycles after ``take``.
    sums : Out, units × signed
        ``plan.latency`` cycles after the step, in the unit of the accumulators.
    """

    def __init__(self, plan: Conv2dPlan):
        self.plan = plan
        rows, columns = plan.rows.banks, plan.columns.banks
        self.word = data.ArrayLayout(signed(plan.word_bits), plan.lanes)
        super().__init__({
            "step": In(1), "keep": In(1),
            "take": Out(1), "address": Out(range(plan.sum_words)),
            "clear": Out(data.ArrayLayout(columns, rows)),
            "release": Out(1), "half": Out(1),
            "taken": In(data.ArrayLayout(data.ArrayLayout(self.word, columns), rows)),
            "sums": Out(data.ArrayLayout(signed(plan.word_bits), plan.units)),
        })

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        parts = plan.columns.banks // plan.positions

        # Innermost first: steps of a sum row, blocks of channels, parts of the banks in x, ...
        piece = Signal(range(plan.row_steps))
        block = Signal(range(plan.blocks))
        part = Signal(range(parts))
        group = Signal(range(plan.row_groups))
        row = Signal(range(plan.rows.banks))
        y = Signal(range(plan.output_shape[1]))
        column_base, row_base = (Signal(range(plan.sum_words // 2), name=name)
                                 for name in ("column_base", "row_base"))
        piece_end, block_end, part_end, group_end, row_end, y_end = (
            signal == count - 1 for signal, count in (
                (piece, plan.row_steps), (block, plan.blocks), (part, parts),
                (group, plan.row_groups), (row, plan.rows.banks), (y, plan.output_shape[1]),
            )
        )
        columns = plan.columns.slots * plan.blocks
        with m.If(self.step):
            m.d.sync += piece.eq(Mux(piece_end, 0, piece + 1))
            with m.If(piece_end):
                m.d.sync += block.eq(Mux(block_end, 0, block + 1))
            with m.If(piece_end & block_end):
                m.d.sync += [
                    part.eq(Mux(part_end | group_end, 0, part + 1)),
                    group.eq(Mux(group_end, 0, group + 1)),
                ]
                with m.If(~group_end):
                    following = column_base + plan.blocks
                    m.d.sync += column_base.eq(Mux(part_end, following, column_base))
                with m.Elif(y_end):
                    m.d.sync += [y.eq(0), row.eq(0), row_base.eq(0), column_base.eq(0)]
                with m.Elif(row_end):
                    m.d.sync += [
                        y.eq(y + 1), row.eq(0),
                        row_base.eq(row_base + columns), column_base.eq(row_base + columns),
                    ]
                with m.Else():
                    m.d.sync += [y.eq(y + 1), row.eq(row + 1), column_base.eq(row_base)]
        with m.If(self.release):
            m.d.sync += self.half.eq(~self.half)
        m.d.comb += [
            self.release.eq(self.step & ~self.keep & piece_end & block_end & group_end & y_end),
        ]
        # Banks that the events share want their address at once, or the events would wait longer.
        domain = m.d.sync if plan.overlap else m.d.comb
        domain += [
            self.take.eq(self.step & (piece == 0)),
            self.address.eq(Cat(self.half, (column_base + block)[:len(column_base)])),
        ]
        for index in range(plan.rows.banks):
            for part_index in range(parts):
                here = ~self.keep & (row == index) & (part == part_index)
                first = part_index * plan.positions
                domain += self.clear[index][first : first + plan.positions].eq(
                    here.replicate(plan.positions))

        # Bank column p·P + n holds position n of part p.
        now = data.StructLayout({
            "step": 1, "take": 1, "row": row.shape(), "part": part.shape(),
        })
        steps = [Signal(now, name=f"step_{n}") for n in range(plan.latency)]
        m.d.comb += [steps[0].step.eq(self.step), steps[0].take.eq(self.step & (piece == 0)),
                     steps[0].row.eq(row), steps[0].part.eq(part)]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(steps)]
        arriving = steps[-1]
        size = plan.positions * self.word.size
        taken = self.taken.as_value().word_select(arriving.row, plan.columns.banks * self.word.size)
        taken = taken.word_select(arriving.part, size)
        sums = Signal(size, reset_less=True)
        with m.If(arriving.take):
            m.d.sync += sums.eq(taken)
        with m.Elif(arriving.step):
            m.d.sync += sums.eq(sums >> plan.units * plan.word_bits)
        m.d.comb += self.sums.as_value().eq(sums)
        return m
