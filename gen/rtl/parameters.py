"""Where a layer's threshold, decay and bias come from: constants when they can be, else a ROM."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from ..arithmetic import signed_bits
from ..folding import LayerPlan


class LayerParameters(wiring.Component):
    """Parameters of the neurons of one row, one cycle after the row number.

    A parameter that all neurons share is a constant and costs nothing. The others stand in one ROM
    of ``rows`` words, unless the layer has a single row.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    row : In
    """

    NAMES = ("threshold", "decay", "bias")

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        neuron = plan.layer.neuron
        self._columns = {
            name: [int(v) for v in neuron.per_neuron(name, plan.layer.neurons)]
            for name in self.NAMES
        }
        padding = {"threshold": max(self._columns["threshold"]), "decay": 0, "bias": 0}
        for name, column in self._columns.items():
            constant = isinstance(getattr(neuron, name), int)
            column += [column[0] if constant else padding[name]] * plan.padding
        self._stored = [
            name for name in self.NAMES
            if plan.rows > 1 and not isinstance(getattr(neuron, name), int)
        ]
        self._shape = data.StructLayout({
            name: data.ArrayLayout(
                signed(signed_bits(min(self._columns[name]), max(self._columns[name]))), plan.lanes
            )
            for name in self._stored
        })
        self._word = Signal(self._shape)
        super().__init__({"row": In(range(plan.rows) if plan.rows > 1 else 1)})

    def constant(self, name: str, lane: int) -> int | None:
        """The value of ``name`` in ``lane`` if it is the same in every row, else None."""
        return None if name in self._stored else self._columns[name][lane]

    def value(self, name: str, lane: int) -> Value:
        """``name`` of the neuron in ``lane`` of the row given one cycle ago, signed."""
        if name in self._stored:
            return self._word[name][lane]
        return Const.cast(self._columns[name][lane])

    def elaborate(self, platform):
        m = Module()
        if self._stored:
            words = []
            for row in range(self.plan.rows):
                first = row * self.plan.lanes
                words.append({
                    name: self._columns[name][first : first + self.plan.lanes]
                    for name in self._stored
                })
            m.submodules.rom = rom = memory.Memory(
                shape=self._shape, depth=self.plan.rows, init=words
            )
            port = rom.read_port()
            m.d.comb += [port.addr.eq(self.row), self._word.eq(port.data)]
        return m
