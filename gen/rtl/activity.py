"""What synapses tell the counters."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class SynapseActivity(wiring.Signature):
    """What synapses did in a cycle: exactly one of the first four.

    Parameters
    ----------
    most : int
        Most synaptic operations of a cycle.

    Members
    -------
    busy
        A beat was worked on: events were added, or a bare tick was taken.
    taking
        The sums were read for the sweep, and no event could be added.
    stalled
        A beat waited, because the sums of timesteps before had not been released.
    starved
        There was no beat.
    synops
        Synaptic operations, some cycles late.
    """

    def __init__(self, most: int):
        self.most = most
        super().__init__({
            "busy": Out(1), "taking": Out(1), "stalled": Out(1), "starved": Out(1),
            "synops": Out(range(most + 1)),
        })
