"""Which address the next layer knows a neuron by: its number in the sweep, or its place in a map.
"""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan import SpikeRows
from .streams import SpatialLayout, address_bits


class NeuronPlaces(wiring.Component):
    """Follows the rows of a timestep and says where their spikes are.

    To a Linear layer a signal is its number, row·units + unit, which is number ``// ways`` of way
    ``% ways``. To a Conv2d layer it is its channel, y and x.

    Parameters
    ----------
    rows : SpikeRows
    ways : int
    spatial : bool
        Say the place in a map.

    Members
    -------
    advance, end : In
        A row has passed; it was the timestep's last.
    base : Out
        Address of the row's first signal within a way, or 0.
    here : Out
        The place of the row's first signal; present only for a Conv2d behind.

    Attributes
    ----------
    address : shape
        Of an event's address.
    addresses : int
        What ``base`` and lanes add up to is less.
    place : layout or None
        Of ``here``.
    """

    def __init__(self, rows: SpikeRows, ways: int, spatial: bool):
        self.rows = rows
        self.lanes = rows.units // ways
        members: dict[str, wiring.Member] = {"advance": In(1), "end": In(1)}
        if spatial:
            assert rows.shape is not None
            self.addresses = rows.units
            self.place = SpatialLayout(*rows.shape)
            self.address = self.place
            members["here"] = Out(self.place)
        else:
            self.addresses = rows.rows * self.lanes
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
        rows = self.rows
        # Innermost first: blocks of channels, then x, then y.
        block, group = Signal(range(rows.blocks)), Signal(range(len(rows.xs)))
        block_end, group_end = block == rows.blocks - 1, group == len(rows.xs) - 1
        with m.If(self.advance):
            m.d.sync += block.eq(Mux(block_end, 0, block + 1))
            with m.If(block_end):
                m.d.sync += group.eq(Mux(group_end, 0, group + 1))
                with m.If(group_end):
                    m.d.sync += self.here.y.eq(self.here.y + 1)
            with m.If(self.end):
                m.d.sync += [block.eq(0), group.eq(0), self.here.y.eq(0)]
        m.d.comb += self.here.channel.eq(block * rows.lanes)
        with m.Switch(group):
            for index, x in enumerate(rows.xs):
                with m.Case(index):
                    m.d.comb += self.here.x.eq(x)
        return m

    def resolve(self, row: data.View) -> Value | data.View:
        """The address of a single spike, from its :class:`~.router.SpikeRowLayout`."""
        if self.place is None:
            return row.base
        # A unit of the row is a channel of one of its positions.
        lanes = self.rows.lanes
        position = C(0)
        for n in range(1, self.rows.units // lanes):
            position = Mux(row.base >= n * lanes, n, position)
        fields = {
            "x": (row.place.x + position)[: len(row.place.x)],
            "y": row.place.y,
            "channel": (row.place.channel + (row.base - position * lanes))[
                : len(row.place.channel)],
        }
        return data.View(self.place, Cat(*fields.values()))
