"""A max pooling answers every row, window by window, whatever spikes and however rows are paced."""

import numpy as np
import pytest
from amaranth.hdl import Array, Module, Mux, Signal

from spikewright.gen import Conv2d, MaxPool2d
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.rtl.pooling import SpikePooling
from spikewright.gen.spike_pooling import SpikePoolingPlan

from .prover import Claims, RefutedError, internal
from .reachability import assert_possible, prove_unbounded

#: channels, height, width, positions of a row, lanes, kernel, stride: windows inside rows, across
#: rows, with rests at both borders, with gaps between them, and of several blocks of channels.
SHAPES = [
    (1, 2, 4, 2, 1, (2, 2), (2, 2)), (1, 3, 5, 2, 1, (2, 2), (2, 2)),
    (1, 2, 5, 2, 1, (1, 3), (1, 3)), (2, 3, 3, 1, 1, (2, 2), (2, 2)),
    (2, 3, 4, 2, 2, (1, 2), (2, 2)), (1, 4, 4, 1, 1, (2, 1), (3, 2)),
]


def pooling(channels, height, width, positions, lanes, kernel, stride, dut=SpikePooling):
    synapse = Conv2d(weight=np.ones((channels, 1, 1, 2)), weight_bits=2,
                     input_shape=(1, height, width + 1))
    source = Conv2dPlan("conv", synapse, sum_bits=8, lanes=lanes, banks=(1, positions),
                        units=lanes * positions)
    pool = MaxPool2d(input_shape=source.output_shape, kernel=kernel, stride=stride)
    made = dut(SpikePoolingPlan(source, pool))
    made.steps = list(source.neurons())
    return made


def pools(claims: Claims, dut: SpikePooling, inside: Module):
    """Looks at one pooled signal, whichever it is."""
    m, plan, steps = claims.m, dut.plan, dut.steps
    signals = int(np.prod(plan.pool.output_shape))
    looked_at = claims.fixed(max(1, (signals - 1).bit_length()), "looked_at")
    claims.assume(looked_at < signals)
    # What the pooling of one neuron alone reaches, by the contract.
    member_of = plan.pool.apply(np.eye(int(np.prod(plan.pool.input_shape)), dtype=bool))
    masks = Array([Array([
        sum(1 << unit for unit, neuron in enumerate(row) if neuron >= 0 and member_of[neuron, s])
        for row in steps]) for s in range(signals)])
    exist = Array([sum(1 << unit for unit, neuron in enumerate(row) if neuron >= 0)
                   for row in steps])

    step, spiked, last = Signal(range(len(steps))), Signal(), Signal()
    claims.assume((dut.i_spikes.as_value() & ~exist[step]) == 0)
    claims.assume(~dut.i_valid | (step == 0) | (dut.i_last == last))
    now = (dut.i_spikes.as_value() & masks[looked_at][step]).any()
    with m.If(dut.i_valid):
        m.d.sync += [step.eq(Mux(step == len(steps) - 1, 0, step + 1)), last.eq(dut.i_last),
                     spiked.eq(now | (spiked & (step != 0)))]

    # The timestep before must have sent all its rows, the last of them now at the latest.
    row, later = Signal(range(plan.rows + 1)), Signal()
    begins = dut.i_valid & (step == 0)
    m.d.sync += [row.eq(Mux(begins, 0, row + dut.o_valid)), later.eq(later | begins)]
    claims.always("sends all rows of a timestep",
                  ~(begins & later) | (row + dut.o_valid == plan.rows))
    claims.always("sends no other row", ~dut.o_valid | (row != plan.rows))
    for unit in range(plan.units):
        here = Array([*plan.order[:, unit].tolist(), -1])[row]
        spike = dut.o_spikes.as_value()[unit]
        claims.always(f"place {unit} tells its window",
                      ~dut.o_valid | (here != looked_at) | (spike == spiked))
        claims.always(f"place {unit} without a window is silent",
                      ~dut.o_valid | (here >= 0) | ~spike)
    claims.always("ticks with the last row",
                  ~dut.o_valid | (dut.o_tick == (row == plan.rows - 1)))
    claims.always("ends with the inference", ~dut.o_valid | (dut.o_last == (dut.o_tick & last)))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_window_is_told_once(shape):
    prove_unbounded(pooling(*shape), pools)


def test_a_timestep_can_end():
    assert_possible(pooling(*SHAPES[1]), pools, lambda dut: dut.o_valid & dut.o_last)


class Stuck(SpikePooling):
    """Does not follow the lines of an inference's last timestep."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.i_valid & self.i_last):
            m.d.sync += internal(m, "line").eq(internal(m, "line"))
        return m


def test_rows_that_are_not_sent_are_found():
    with pytest.raises(RefutedError, match="sends all rows"):
        prove_unbounded(pooling(*SHAPES[1], dut=Stuck), pools)
