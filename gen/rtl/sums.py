"""How a timestep's synaptic sums pass from the accumulators to the neurons that sweep over them."""

from amaranth import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class SumsSignature(wiring.Signature):
    """Sums of one timestep, fetched ``units`` neurons at a time; seen from the accumulators.

    A sweep is a fixed number of steps, in the hardware order of the neurons. They need not follow
    one another at once. The last of them releases the sums, unless it asks to keep them.

    Parameters
    ----------
    units : int
        Neurons per step.
    bits : int
        Width of a sum.

    Members
    -------
    available : Out
        A finished timestep's sums stand ready and have not been released.
    last : Out
        With ``available``: this timestep ends the inference.
    step : In
        Fetch the next ``units`` sums; only while ``available``.
    keep : In
        The same in all steps of a sweep: these sums will be swept again.
    sums : Out, units × signed
        What the step ``latency`` cycles ago asked for, as the plan of the synapses says.
    """

    def __init__(self, units: int, bits: int):
        self.units = units
        self.bits = bits
        super().__init__({
            "available": Out(1), "last": Out(1),
            "step": In(1), "keep": In(1),
            "sums": Out(data.ArrayLayout(signed(bits), units)),
        })
