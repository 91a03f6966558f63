"""Neurons through one timestep as hardware of proven widths computes it, whatever its words hold.

:mod:`~..engines.golden` needs no widths, because no sum outgrows them. A flipped bit can make one
that does; hardware then wraps around, in the places in which :class:`~..rtl.neurons.Neurons` cuts a
word off, and so does this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arithmetic import Rounding
from ..neuron import Reset
from ..plan import LayerPlan
from ..rtl.neurons import needs_flag

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def wrap(values: _Ints, bits: int) -> _Ints:
    """``values`` as two's complement words of ``bits`` bits hold them."""
    unused = 64 - bits
    return (values << unused) >> unused


@dataclass
class States:
    """What neurons remember, each (samples, neurons): see :class:`~..rtl.neurons.StateLayout`."""

    word: _Ints
    flag: _Bools | None
    current: _Ints | None


class WrappingNeurons:
    """The neurons of a layer.

    Parameters
    ----------
    plan : LayerPlan
    parameters : mapping
        Of each neuron, (neurons,), every name of :attr:`~..neuron.Neuron.PER_NEURON` that the
        neurons have, and ``recurrent`` with one-to-one synapses.
    """

    def __init__(self, plan: LayerPlan, parameters: Mapping[str, _Ints]):
        self.plan = plan
        self.neuron = plan.layer.neuron
        self.parameters = parameters

    def initial(self, samples: int) -> States:
        """Before an inference: nothing but the bias has arrived."""
        shape = (samples, self.plan.layer.neurons)
        bias = np.broadcast_to(self.parameters["bias"], shape).copy()
        flag = np.zeros(shape, np.bool_) if needs_flag(self.neuron) else None
        if self.plan.current_bits:
            return States(np.zeros(shape, np.int64), flag, wrap(bias, self.plan.current_bits))
        return States(wrap(bias, self.plan.accumulator_bits), flag, None)

    def step(self, states: States, arrived: _Ints) -> tuple[_Bools, _Ints, _Bools, States]:
        """Spikes, membranes as snnTorch returns them, where u was clamped, and the next states, of
        neurons in ``states`` whose synapses got ``arrived``."""
        neuron, plan = self.neuron, self.plan
        current = None
        if states.current is not None:
            current = arrived = wrap(states.current + arrived, plan.current_bits)
        u = wrap(states.word + arrived, plan.accumulator_bits)
        spikes, m, clamped = self._fire(u, states.flag)
        due = spikes
        if not neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            due = m > self.parameters["threshold"]
        leaked = self._leak("decay", m, neuron.decay_fraction, plan.leaked_bits)
        arriving = self.parameters["bias"]
        if "recurrent" in self.parameters:
            arriving = arriving + spikes * self.parameters["recurrent"]
        if neuron.reset is Reset.ZERO_KEEP_INPUT and neuron.reset_delay:
            leaked = np.where(due, 0, leaked)
        if neuron.reset is Reset.SUBTRACT:
            leaked = leaked - due * self.parameters["threshold"]
        if current is None:
            word, kept = wrap(leaked + arriving, plan.accumulator_bits), None
        else:
            word = wrap(leaked, plan.accumulator_bits)
            kept = self._leak("synapse_decay", current, neuron.synapse_decay_fraction,
                              plan.leaked_current_bits)
            kept = wrap(kept + arriving, plan.current_bits)
        flag = due if needs_flag(neuron) else None
        return spikes, m, clamped, States(word, flag, kept)

    def _fire(self, u: _Ints, flag: _Bools | None) -> tuple[_Bools, _Ints, _Bools]:
        neuron = self.neuron
        if neuron.reset is Reset.ZERO_DROP_INPUT and neuron.reset_delay:
            assert flag is not None
            u = np.where(flag, 0, u)
        clamped = np.zeros(u.shape, np.bool_)
        if neuron.membrane_bits is not None:
            limit = 1 << (neuron.membrane_bits - 1)
            inside = np.clip(u, -limit, limit - 1)
            clamped, u = inside != u, inside
        spikes = np.zeros(u.shape, np.bool_)
        if neuron.threshold is not None:
            spikes = u > self.parameters["threshold"]
        if not neuron.reset_delay and neuron.reset is not Reset.NONE:
            if neuron.reset is Reset.SUBTRACT:
                assert flag is not None
                change = spikes.astype(np.int64) - flag
                u = u - change * self.parameters["threshold"]
            else:
                u = np.where(spikes, 0, u)
        return spikes, wrap(u, self.plan.membrane_bits), clamped

    def _leak(self, name: str, value: _Ints, fraction: int, bits: int) -> _Ints:
        """``round(value·factor / 2ⁿ)``, of a product of ``bits + fraction`` bits."""
        product = wrap(value * self.parameters[name], bits + fraction)
        if fraction == 0:
            return product
        match self.neuron.rounding:
            case Rounding.FLOOR:
                return product >> fraction
            case Rounding.NEAREST:
                return (product >> fraction) + (product >> (fraction - 1) & 1)
            case Rounding.TOWARD_ZERO:
                part = product & ((1 << fraction) - 1)
                return (product >> fraction) + ((product < 0) & (part != 0))
