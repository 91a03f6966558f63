"""Where a layer's thresholds, decays and biases come from: constants if they can be, else a ROM."""

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from ..arithmetic import signed_bits
from ..plan import LayerPlan
from ..synapses import OneToOne


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


def parameter_layout(plan: LayerPlan) -> data.StructLayout:
    """A word of the ROM: the parameters that some unit has in more than one value, unit by unit;
    nothing if there are none."""
    varying = {name: column for name, column in parameters(plan).items()
               if (column != column[0]).any()}
    return data.StructLayout({
        name: data.ArrayLayout(
            signed(signed_bits(int(column.min()), int(column.max()))), plan.units)
        for name, column in varying.items()
    })


class LayerParameters(wiring.Component):
    """Parameters of the neurons of one step, one cycle after its number.

    A parameter that all neurons of a unit share is a constant and costs nothing. The others stand
    in one ROM of ``steps`` words.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    step : In
    """

    def __init__(self, plan: LayerPlan):
        self.plan = plan
        self._columns = parameters(plan)
        self._shape = parameter_layout(plan)
        self._stored = list(self._shape.members)
        self._word = Signal(self._shape)
        super().__init__({"step": In(range(plan.steps))})

    def constant(self, name: str, unit: int) -> int | None:
        """The value of ``name`` in ``unit`` if it is the same in every step, else None."""
        return None if name in self._stored else int(self._columns[name][0, unit])

    def value(self, name: str, unit: int) -> Value:
        """``name`` of the neuron in ``unit`` of the step given one cycle ago, signed."""
        if name in self._stored:
            return self._word[name][unit]
        constant = int(self._columns[name][0, unit])
        return C(constant, signed(signed_bits(constant, constant)))

    def elaborate(self, platform):
        m = Module()
        if self._stored:
            words: list[Any] = [
                {name: self._columns[name][step].tolist() for name in self._stored}
                for step in range(self.plan.steps)
            ]
            # Kept as an attribute so that simulations can look inside.
            m.submodules.rom = self.rom = memory.Memory(
                shape=self._shape, depth=self.plan.steps, init=words
            )
            port = self.rom.read_port()
            m.d.comb += [port.addr.eq(self.step), self._word.eq(port.data)]
        return m
