"""Which address the next layer knows a neuron by: its number in the sweep, or its place in a map.
"""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..convolution import Conv2dPlan
from ..plan import LayerPlan
from .streams import SpatialLayout, address_bits


class NeuronPlaces(wiring.Component):
    """Follows a sweep and says where the neurons of each step are.

    To a Linear layer a neuron is its number in the sweep, step·units + unit, which is number
    ``// ways`` of way ``% ways``. To a Conv2d layer it is its channel, y and x.

    Parameters
    ----------
    plan : LayerPlan
    ways : int
    spatial : bool
        Say the place in a map.

    Members
    -------
    advance, end : In
        A step has passed; it was the sweep's last.
    base : Out
        Address of the step's first neuron within a way, or 0.
    here : Out
        The place of the step's first neuron; present only for a Conv2d behind.

    Attributes
    ----------
    address : shape
        Of an event's address.
    addresses : int
        What ``base`` and lanes add up to is less.
    place : layout or None
        Of ``here``.
    """

    def __init__(self, plan: LayerPlan, ways: int, spatial: bool):
        self.plan = plan
        self.lanes = plan.units // ways
        members: dict[str, wiring.Member] = {"advance": In(1), "end": In(1)}
        if spatial:
            self.addresses = plan.units
            self.place = SpatialLayout(*plan.layer.output_shape)
            self.address = self.place
            members["here"] = Out(self.place)
        else:
            self.addresses = plan.steps * self.lanes
            self.place = None
            self.address = address_bits(self.addresses)
        members["base"] = Out(range(max(2, self.addresses)))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        if self.place is None:
            with m.If(self.advance):
                m.d.sync += self.base.eq(Mux(self.end, 0, self.base + self.lanes))
            return m
        plan = self.plan.synapses
        assert isinstance(plan, Conv2dPlan)
        # Innermost first: channels, in as many steps as they take, then x, then y.
        channels, _, width = plan.output_shape
        stride = min(plan.units, plan.lanes)
        x, y, channel = self.here.x, self.here.y, self.here.channel
        with m.If(self.advance):
            m.d.sync += channel.eq(channel + stride)
            with m.If(channel == channels - stride):
                m.d.sync += [channel.eq(0), x.eq(x + plan.positions)]
                with m.If(x >= width - plan.positions):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
            with m.If(self.end):
                m.d.sync += [channel.eq(0), x.eq(0), y.eq(0)]
        return m

    def resolve(self, row: data.View) -> Value | data.View:
        """The address of a single spike, from its :class:`~.router.SpikeRowLayout`."""
        if self.place is None:
            return row.base
        plan = self.plan.synapses
        assert isinstance(plan, Conv2dPlan)
        stride = min(plan.units, plan.lanes)
        # A lane of the step is a channel of one of its positions.
        lane = row.base
        offset_x = C(0)
        for position in range(1, plan.positions):
            offset_x = Mux(lane >= position * stride, position, offset_x)
        place = row.place
        fields = {
            "x": (place.x + offset_x)[: len(place.x)],
            "y": place.y,
            "channel": (place.channel + (lane - offset_x * stride))[: len(place.channel)],
        }
        return data.View(self.place, Cat(*fields.values()))
