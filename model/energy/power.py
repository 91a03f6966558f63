"""A first-order estimate of the dynamic energy of a built design on its FPGA.

``E = cycles·E_clock + cycles·cells·α·E_toggle + bits·E_memory``, per inference: cycles and memory
accesses from the counters, cells from place-and-route, activity α from a waveform.

Where the coefficients are from:

* iCE40UP5K, clock and toggles: currents of the core rail at 1.219 V, measured by tinyVision.ai
  (github.com/tinyvision-ai-inc/ice40_power). A 24-bit counter takes 388.4 µA at 6 MHz and 2184 µA
  at 48 MHz: 52.1 pJ a cycle, for the clock and next to nothing else. Seven more counters of 28
  bits, which toggle 14 bits a cycle, take 27.8 µA more at 12 MHz: 0.20 pJ a toggle, carry and local
  wires included. Their multiplier in logic, 180 cells and 351 µA, takes 0.20 pJ a cell and cycle.
* Block memories: nobody seems to have published a measurement. 10 pJ for 64 bits of an 8 KB SRAM at
  45 nm and 0.9 V (Horowitz, ISSCC 2014, doi 10.1109/ISSCC.2014.6757323), by the square of the
  voltage: 0.29 pJ a bit at 1.219 V.
* ECP5: no measurement that could be had either. It is made in 40 nm as the iCE40 is, so: the same
  by the square of the voltage (1.1 V), its clock in proportion to the part's cells.

So an estimate for the iCE40 is good to a factor of about 3, for the ECP5 of 5: judgements, not
statistics. It leaves out leakage, pins, PLLs, multipliers, glitches, and long wires. It has
nothing to do with the 22 nm model.
"""

from dataclasses import dataclass
from typing import Any

from ...gen.convolution import Conv2dPlan
from ...gen.errors import RunFolderError
from ...gen.plan import LayerPlan
from ...gen.rtl.neurons import StateLayout
from .counted import LayerCounts
from .waveform import Toggles

#: What every figure made here says of itself.
SCOPE = "modelled FPGA"

_UP5K_VOLTS, _ECP5_VOLTS = 1.219, 1.1
_UP5K_CELLS, _UP5K_CLOCK_PJ, _TOGGLE_PJ = 5280, 52.1, 0.20
_SRAM_PJ_PER_BIT = 10 / 64 / 0.9**2  # at 1 V


@dataclass(frozen=True)
class Fabric:
    """Energies of an FPGA family: a clock cycle per cell of the part, a toggle, a bit of a block
    memory; ``factor`` is how far off an estimate may be, either way. ``cells`` is what a build
    calls its logic."""

    name: str
    cells: str
    clock_pj_per_cell: float
    toggle_pj: float
    memory_pj_per_bit: float
    factor: float


ICE40 = Fabric("iCE40 UltraPlus", "logic cells", _UP5K_CLOCK_PJ / _UP5K_CELLS, _TOGGLE_PJ,
               _SRAM_PJ_PER_BIT * _UP5K_VOLTS**2, 3.0)
_SCALE = (_ECP5_VOLTS / _UP5K_VOLTS) ** 2
ECP5 = Fabric("ECP5", "LUTs", _SCALE * ICE40.clock_pj_per_cell, _SCALE * _TOGGLE_PJ,
              _SRAM_PJ_PER_BIT * _ECP5_VOLTS**2, 5.0)


@dataclass(frozen=True)
class MemoryBits:
    """Bits read and written in an inference: weights (read), sums and states (both)."""

    weights: float
    sums: float
    states: float

    @property
    def total(self) -> float:
        return self.weights + self.sums + self.states


@dataclass(frozen=True)
class Estimate:
    """Dynamic energy of an inference in pJ, by what takes it."""

    fabric: Fabric
    board: str
    clock_hz: float
    cycles: float
    activity: float
    cells: int
    clock_pj: float
    logic_pj: float
    memory_pj: float

    @property
    def total_pj(self) -> float:
        """The estimate; :attr:`range_pj` is what it may be."""
        return self.clock_pj + self.logic_pj + self.memory_pj

    @property
    def range_pj(self) -> tuple[float, float]:
        """The estimate with its uncertainty."""
        return self.total_pj / self.fabric.factor, self.total_pj * self.fabric.factor

    @property
    def milliwatts(self) -> float:
        """Dynamic power while inferences follow one another."""
        return self.total_pj * 1e-12 / (self.cycles / self.clock_hz) * 1e3

    def figures(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "scope": SCOPE, "fabric": self.fabric.name, "board": self.board,
            "clock_mhz": self.clock_hz / 1e6, "cycles": self.cycles, "cells": self.cells,
            "activity": self.activity, "clock_pj": self.clock_pj, "logic_pj": self.logic_pj,
            "memory_pj": self.memory_pj, "total_pj": self.total_pj,
            "uncertainty_factor": self.fabric.factor, "range_pj": list(self.range_pj),
            "dynamic_mw": self.milliwatts,
        }


def memory_bits(plan: LayerPlan, found: LayerCounts, samples: int) -> MemoryBits:
    """What a mean inference moves in and out of a layer's memories."""
    synapses, steps = plan.synapses, found.timesteps
    if isinstance(synapses, Conv2dPlan):
        word, weight_bits = synapses.word_bits, found.layer.synapse.weight_bits
    else:
        word, weight_bits = synapses.sum_bits, synapses.weight_bits
    cycles = found.cycles / samples
    # Sums in registers toggle, and are logic. A sweep reads each sum once and clears it.
    sums = 0.0 if synapses.in_registers else 2 * word * (
        cycles * found.adders + steps * found.layer.neurons)
    return MemoryBits(
        weights=cycles * found.adders * weight_bits, sums=sums,
        states=2.0 * steps * plan.steps * plan.units * StateLayout(plan).size,
    )


def estimate(built: dict[str, Any], cycles: float, bits: list[MemoryBits],
             switched: Toggles) -> Estimate:
    """``built``: the figures of `spikewright build`; ``cycles`` of a mean inference.

    Raises
    ------
    RunFolderError
        If the build is of a family that there are no coefficients for.
    """
    used = built["utilisation"]
    fabric = next((f for f in (ICE40, ECP5) if f.cells in used), None)
    if fabric is None:
        raise RunFolderError(f"the build for {built['board']} has neither {ICE40.cells} nor "
                             f"{ECP5.cells}; build for an iCE40 UltraPlus or an ECP5")
    cells = used[fabric.cells]
    return Estimate(
        fabric, built["board"], built["clock_mhz"] * 1e6, cycles, switched.activity,
        cells["used"],
        clock_pj=cycles * cells["available"] * fabric.clock_pj_per_cell,
        logic_pj=cycles * cells["used"] * switched.activity * fabric.toggle_pj,
        memory_pj=sum(each.total for each in bits) * fabric.memory_pj_per_bit,
    )
