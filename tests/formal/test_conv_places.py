"""Each event of a convolution reaches each sum that it should once, with its weight, and no other.
"""

import numpy as np
import pytest
from amaranth.hdl import Array, Cat, Module, Mux, Signal

from spikewright.gen import Conv2d, SumPool2d
from spikewright.gen.convolution import Conv2dPlan
from spikewright.gen.rtl.conv_places import EventPlaces

from .prover import Claims, RefutedError, internal
from .reachability import assert_possible, prove_unbounded
from .streams import assume_source

#: Kernels with full banking and less of it, strides, paddings, groups, blocks, pooling, values.
SETTINGS = [
    {"inputs": (1, 3, 3), "outputs": 2, "kernel": (2, 2)},
    {"inputs": (1, 3, 3), "outputs": 2, "kernel": (2, 2), "banks": (1, 2), "lanes": 1},
    {"inputs": (2, 4, 2), "outputs": 2, "kernel": (3, 2), "stride": (2, 1), "padding": (1, 1)},
    {"inputs": (2, 2, 3), "outputs": 4, "kernel": (1, 2), "groups": 2, "lanes": 1},
    {"inputs": (1, 1, 4), "outputs": 1, "kernel": (1, 3), "banks": (1, 2), "padding": (0, 2),
     "value_bits": 2},
    {"inputs": (1, 2, 2), "outputs": 1, "kernel": (2, 2), "padding": (1, 1), "pool": (1, 2)},
]


def plan_of(*, inputs, outputs, kernel, stride=(1, 1), padding=(0, 0), groups=1, lanes=None,
            banks=None, pool=None, value_bits=0, seed=0) -> Conv2dPlan:
    channels, height, width = inputs
    weight = np.random.default_rng(seed).integers(-2, 2, (outputs, channels // groups, *kernel))
    window = None if pool is None else SumPool2d(
        input_shape=(channels, height * pool[0], width * pool[1] + 1), kernel=pool)
    return Conv2dPlan("conv", Conv2d(
        weight=weight, weight_bits=2, input_shape=inputs, stride=stride, padding=padding,
        groups=groups), sum_bits=3, lanes=lanes, banks=banks, value_bits=value_bits, pool=window)


def assume_places_exist(claims: Claims, address, shape):
    channels, height, width = shape
    claims.assume((address.channel < channels) & (address.y < height) & (address.x < width))


def taps(axis, outputs: int) -> Array:
    """By the definition of a convolution: [output][coordinate] → tap of the kernel, −1 if none."""
    def tap(output, coordinate):
        position, within = divmod(coordinate, axis.pool_stride)
        place = position + axis.padding - output * axis.stride
        hit = within < axis.pool and position < axis.inputs and 0 <= place < axis.kernel
        return place if hit else -1

    return Array([Array([tap(output, coordinate) for coordinate in range(axis.signal)])
                  for output in range(outputs)])


def reaches(claims: Claims, dut: EventPlaces, inside: Module):
    """Looks at one block of channels at one place of the output, whichever it is."""
    m, plan, i, o = claims.m, dut.plan, dut.i, dut.o
    _, height, width = plan.output_shape
    assume_source(claims, i)
    assume_places_exist(claims, i.payload.slots[0].address, plan.signal_shape)
    block, y, x = (claims.fixed(max(1, (count - 1).bit_length()), name) for name, count in (
        ("block", plan.blocks), ("y", height), ("x", width)))
    claims.assume((block < plan.blocks) & (y < height) & (x < width))

    # Beats and their operations, cycle by cycle.
    beat, holds, done = Signal(i.payload.shape()), Signal(), Signal(range(plan.event_cycles))
    half = Signal()
    event = beat.slots[0].event
    final = ~event | (done == plan.event_cycles - 1)
    issue = holds & dut.advance & dut.free.bit_select(half, 1)
    with m.If(issue):
        m.d.sync += [done.eq(Mux(final, 0, done + 1)), holds.eq(~final),
                     half.eq(half ^ (final & beat.tick))]
    with m.If(i.valid & i.ready):
        m.d.sync += [beat.eq(i.payload), holds.eq(1)]
    claims.always("accepts without a bubble", i.ready == (~holds | (issue & final)))
    claims.always("issues when it can", (dut.issue == issue) & (dut.waiting == holds))

    # What it has to do to the place that is looked at.
    address = beat.slots[0].address
    tap_y, tap_x = taps(plan.rows, height)[y][address.y], taps(plan.columns, width)[x][address.x]
    channels = plan.signal_shape[0]
    group = Array([c * plan.synapse.groups // channels for c in range(channels)])[address.channel]
    group_of_block = Array([b // plan.group_blocks for b in range(plan.blocks)])[block]
    block_in_group = Array([b % plan.group_blocks for b in range(plan.blocks)])[block]
    wanted = event & (tap_y >= 0) & (tap_x >= 0) & (group == group_of_block)
    word = ((tap_y * plan.columns.kernel + tap_x) * channels + address.channel) \
        * plan.group_blocks + block_in_group
    now = {
        "issued": issue, "event": issue & event, "first": done == 0, "final": final,
        "end": issue & final & beat.tick, "last": beat.last, "half": half,
        "wanted": wanted, "word": word,
    }
    if plan.value_bits:
        now["value"] = beat.slots[0].value
    for stage in range(2):
        later = {name: Signal.like(Mux(1, value, value), name=f"{name}_{stage}")
                 for name, value in now.items()}
        with m.If(dut.advance):
            m.d.sync += [later[name].eq(value) for name, value in now.items()]
        now = later

    head, banks = o.head, [[o.banks[row][column] for column in range(plan.columns.banks)]
                           for row in range(plan.rows.banks)]
    claims.always("every event is worked on", head.event == now["event"])
    claims.always("every timestep ends once", head.end == now["end"])
    claims.always("the inference ends with it", ~now["end"] | (head.last == now["last"]))
    claims.always("timesteps take turns", ~now["issued"] | (head.half == now["half"]))
    if plan.value_bits:
        claims.always("goes with its value", ~now["event"] | (head.value == now["value"]))
    place = (((y // plan.rows.banks) * plan.columns.slots + x // plan.columns.banks)
             * plan.blocks + block)
    hit, weight = Signal(), Signal(len(banks[0][0].weight))
    for row, columns in enumerate(banks):
        for column, bank in enumerate(columns):
            with m.If((y % plan.rows.banks == row) & (x % plan.columns.banks == column)):
                m.d.comb += [weight.eq(bank.weight),
                             hit.eq(bank.valid & (bank.sum == Cat(now["half"], place)))]
    before = Signal()
    earlier = before & ~now["first"]
    with m.If(dut.advance & now["event"]):
        m.d.sync += before.eq(hit | earlier)
    valid = Cat(bank.valid for columns in banks for bank in columns)
    claims.always("adds only what the event brings, and once",
                  ~hit | (now["event"] & now["wanted"] & ~earlier))
    claims.always("adds with the right weight", ~hit | (weight == now["word"]))
    claims.always("adds all that the event brings",
                  ~(now["event"] & now["final"]) | ((hit | earlier) == now["wanted"]))
    claims.always("adds nothing without an event", head.event | ~valid.any())
    claims.always("counts what it adds", ~head.event | (
        o.synops == sum((bit for bit in valid[1:]), valid[0]) * plan.lanes))


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_event_reaches_its_sums_once(settings):
    prove_unbounded(EventPlaces(plan_of(**settings)), reaches)


def test_an_event_can_take_its_last_operation():
    assert_possible(EventPlaces(plan_of(**SETTINGS[1])), reaches, lambda dut: (
        dut.o.head.event & dut.o.head.end & dut.o.head.half & dut.i.valid & dut.i.ready))


class Impatient(EventPlaces):
    """Takes a pass that had to wait for done."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        turn = internal(m, "turn_y")
        with m.If(self.waiting & ~self.issue & self.advance):
            m.d.sync += turn.eq(turn + 1)
        return m


def test_a_left_out_pass_is_found():
    # A pass is missed, or the beat done too soon; which claim falls first is up to the search.
    with pytest.raises(RefutedError, match=r"adds all that the event brings|without a bubble"):
        prove_unbounded(Impatient(plan_of(**SETTINGS[1])), reaches)
