"""Where a layer's thresholds, decays and biases come from: constants if they can be, else a ROM.

On a platform with :mod:`.tables`, whose contents can be exchanged in a finished bitstream, what
training changes is no constant: thresholds, biases, and a neuron's weight on itself.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from ..arithmetic import signed_bits
from ..plan import LayerPlan
from ..synapses import OneToOne
from .tables import Tables, in_tables

#: Parameters that training changes, and no more of the hardware than the others.
TRAINED = ("threshold", "bias", "recurrent")

#: A ROM of more bits is a memory everywhere.
_TABLE_BITS = 1024


def parameters(plan: LayerPlan) -> dict[str, npt.NDArray[np.int64]]:
    """Every parameter of a layer's neurons, (steps, units) in the order of the sweep; a unit
    without a neuron gets what another has."""
    layer = plan.layer
    values = {name: getattr(layer.neuron, name) for name in layer.neuron.PER_NEURON}
    if isinstance(layer.recurrent, OneToOne):
        values["recurrent"] = layer.recurrent.weight
    return {
        name: np.broadcast_to(np.asarray(value, np.int64), (layer.neurons,))[
            np.maximum(plan.order, 0)]
        for name, value in values.items() if value is not None
    }


def parameter_layout(plan: LayerPlan, exchanged: bool = False) -> data.StructLayout:
    """A word of the ROM: the parameters that some unit has in more than one value, unit by unit;
    nothing if there are none. ``exchanged``: as wide as ``plan.widths`` says."""
    varying = {name: column for name, column in parameters(plan).items()
               if (column != column[0]).any()}
    return data.StructLayout({
        name: data.ArrayLayout(_shape(plan, name, column, exchanged), plan.units)
        for name, column in varying.items()
    })


def _shape(plan: LayerPlan, name: str, column: npt.NDArray[np.int64], exchanged: bool) -> Shape:
    bits = signed_bits(int(column.min()), int(column.max()))
    return signed(max(bits, getattr(plan.widths, name)) if exchanged else bits)


class LayerParameters(wiring.Component):
    """Parameters of the neurons of one step, one cycle after its number.

    A parameter that all neurons of a unit share is a constant and costs nothing. The others stand
    in one ROM of ``steps`` words.

    Parameters
    ----------
    plan : LayerPlan
    exchanged : bool
        Those of :data:`TRAINED` are in tables of the chip instead of constants, and a small ROM is,
        too. What ``plan.widths`` has no bits for is 0 everywhere, and stays a constant.

    Members
    -------
    step : In
    """

    def __init__(self, plan: LayerPlan, exchanged: bool = False):
        self.plan, self.exchanged = plan, exchanged
        self._columns = parameters(plan)
        self._shape = parameter_layout(plan, exchanged)
        self._stored = list(self._shape.members)
        self._word = Signal(self._shape)
        #: What is in tables, and the same in every step: one value, or one for each unit.
        self._steady = {
            name: Signal(data.ArrayLayout(_shape(plan, name, column, True),
                                          1 if (column == column[0, 0]).all() else plan.units),
                         name=name)
            for name, column in self._columns.items()
            if exchanged and name in TRAINED and name not in self._stored
            and getattr(plan.widths, name)
        }
        super().__init__({"step": In(range(plan.steps))})

    def constant(self, name: str, unit: int) -> int | None:
        """The value of ``name`` in ``unit`` if the hardware is made for it, else None."""
        if name in self._stored or name in self._steady:
            return None
        return int(self._columns[name][0, unit])

    def steady(self, name: str) -> bool:
        """Whether ``name`` is the same in every step."""
        return name not in self._stored

    def value(self, name: str, unit: int) -> Value:
        """``name`` of the neuron in ``unit`` of the step given one cycle ago, signed."""
        if name in self._stored:
            return self._word[name][unit]
        if name in self._steady:
            values = self._steady[name]
            return values[min(unit, len(values) - 1)]
        constant = int(self._columns[name][0, unit])
        return C(constant, signed(signed_bits(constant, constant)))

    def elaborate(self, platform):
        m = Module()
        if self._stored:
            words: list[Any] = [
                {name: self._columns[name][step].tolist() for name in self._stored}
                for step in range(self.plan.steps)
            ]
            if self.exchanged and (self._shape.size * len(words) <= _TABLE_BITS
                                   or in_tables(platform, self._shape.size, len(words))):
                self._tables(m, words)
            else:
                self._memory(m, words)
        for name, signal in self._steady.items():
            word = signal.shape().const(self._columns[name][0, : len(signal)].tolist())
            m.submodules[name] = tables = Tables([word.as_bits()], signal.shape().size)
            m.d.comb += signal.as_value().eq(tables.data)
        return m

    def _memory(self, m: Module, words: list[Any]):
        # Kept as an attribute so that simulations can look inside.
        m.submodules.rom = self.rom = memory.Memory(
            shape=self._shape, depth=self.plan.steps, init=words
        )
        port = self.rom.read_port()
        m.d.comb += [port.addr.eq(self.step), self._word.eq(port.data)]

    def _tables(self, m: Module, words: list[Any]):
        m.submodules.tables = tables = Tables(
            [self._shape.const(word).as_bits() for word in words], self._shape.size)
        m.d.comb += tables.address.eq(self.step)
        m.d.sync += self._word.as_value().eq(tables.data)
