"""What travels between components: beats of spikes and ticks, and beats of results."""

from amaranth import *
from amaranth.lib import data, stream


class EventLayout(data.StructLayout):
    """One beat: an address event, the end of a timestep, or an event that is the timestep's last.

    Parameters
    ----------
    addresses
        Number of different addresses.

    Members
    -------
    address : unsigned
        Which input or neuron spiked; meaningless unless ``event``.
    event : 1
        The beat carries a spike.
    tick : 1
        The timestep ends after this beat's event, if it has one.
    last : 1
        With ``tick``: the inference ends too, and every membrane starts anew.

    A beat with neither ``event`` nor ``tick`` is allowed and means nothing. Letting the last event
    of a timestep carry its tick means that a layer sweeps its neurons in the very cycles in which
    it adds that event, so a timestep with spikes costs nothing beyond its spikes.
    """

    def __init__(self, addresses: int):
        self.addresses = addresses
        super().__init__({
            "address": range(addresses) if addresses > 1 else 1,
            "event": 1,
            "tick": 1,
            "last": 1,
        })


class ResultLayout(data.StructLayout):
    """One beat of an inference's result: the spike count of one class, classes in order.

    Members
    -------
    index : unsigned
        Class.
    count : unsigned
        Its spikes in the inference.
    winner : unsigned
        Class with most spikes among 0 … index, the lowest among equals; with ``last``, the
        prediction.
    last : 1
        This is the highest class.
    """

    def __init__(self, classes: int, timesteps: int):
        index = range(classes) if classes > 1 else 1
        super().__init__({
            "index": index,
            "count": range(timesteps + 1),
            "winner": index,
            "last": 1,
        })


def event_stream(addresses: int) -> stream.Signature:
    """Stream of :class:`EventLayout` beats."""
    return stream.Signature(EventLayout(addresses))


def result_stream(classes: int, timesteps: int) -> stream.Signature:
    """Stream of :class:`ResultLayout` beats."""
    return stream.Signature(ResultLayout(classes, timesteps))
