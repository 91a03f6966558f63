"""How long a network may do nothing that shows, and be in order all the same."""

from collections.abc import Sequence

from .plan import LayerPlan
from .rtl.readout import answer_latency
from .rtl.router import queue_latency


def longest_silence(plans: Sequence[LayerPlan]) -> int:
    """A bound on the cycles in which no layer takes a beat, no sweep begins and no result beat
    leaves, while the network has an input beat or a whole inference to work on, and its results
    are taken.

    After any of these, a layer can be busy unseen with one beat, one timestep's end and one sweep,
    because a second of each would show when it begins:

    * the beat takes ``event_cycles``; before that it may wait for the sums that a sweep of
      ``steps`` releases, and during that lose ``takes`` cycles to the sweep;
    * its timestep's end passes ``front`` cycles, of which a sweep takes ``takes`` again, and
      ``available_cycles``; then its sweep waits for the one before, ``sweep_cycles`` at most;
    * spikes of a sweep reach the queue behind ``steps`` and ``latency`` cycles after its begin, and
      leave it a queue's latency later, as own spikes do; the layer behind takes them when it is
      done with what it has, which is the first case again.

    Behind the last layer, an answer takes :func:`~.rtl.readout.answer_latency` at most. The bound
    is the sum of all, with the slowest layer in each place; it need not be tight.
    """
    def slowest(of) -> int:
        return max(of(plan) for plan in plans)

    return (
        slowest(lambda plan: 2 * (plan.synapses.event_cycles + plan.synapses.takes + plan.steps))
        + slowest(lambda plan: plan.synapses.front + plan.synapses.available_cycles
                  + plan.synapses.takes + plan.sweep_cycles)
        + slowest(lambda plan: plan.steps + plan.latency + plan.rows.latency
                  + queue_latency(plan.units))
        + answer_latency(plans[-1].layer.neurons)
    )
