"""What synapses tell the counters."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class SynapseActivity(wiring.Signature):
    """What synapses did in a cycle: exactly one of the first four.

    Parameters
    ----------
    most : int
        Most synaptic operations of a cycle.
    most_words : int
        Most words of protected weights that a cycle reads; 0 if none are protected.

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
    mended, rejected
        Words of weights, read for events, in which flips were mended, or found and not mended;
        some cycles late. Present only with ``most_words``.
    """

    def __init__(self, most: int, most_words: int = 0):
        self.most = most
        self.most_words = most_words
        members = {
            "busy": Out(1), "taking": Out(1), "stalled": Out(1), "starved": Out(1),
            "synops": Out(range(most + 1)),
        }
        if most_words:
            members |= {name: Out(range(most_words + 1)) for name in ("mended", "rejected")}
        super().__init__(members)
