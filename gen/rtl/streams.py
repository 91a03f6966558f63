"""What travels between components: beats of spikes and ticks, and beats of results."""

from typing import Any

from amaranth import signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream


class SlotLayout(data.StructLayout):
    """One address event of a beat.

    Parameters
    ----------
    address : shape
        Of the address: unsigned, or a layout of its fields.
    value_bits : int
        Width of the event's value; 0 if every event is a plain spike.

    Members
    -------
    event : 1
        The slot holds a spike; without it, the others mean nothing.
    address : address
        Which input or neuron spiked.
    value : unsigned
        How much the event weighs; present only with ``value_bits``.
    """

    def __init__(self, address: ShapeLike, value_bits: int = 0):
        members: dict[str, Any] = {"event": 1, "address": address}
        if value_bits:
            members["value"] = value_bits
        super().__init__(members)


class EventLayout(data.StructLayout):
    """One beat: up to ``ways`` address events of one timestep, or its end, or both.

    Parameters
    ----------
    address : shape
        Of a slot's address. With more than one way, slot w carries the addresses ≡ w (mod ways),
        divided by ``ways``, so that each slot has a bank of the weight memory to itself.
    ways : int
        Events per beat.
    value_bits : int
        See :class:`SlotLayout`.

    Members
    -------
    slots : ways × SlotLayout
    tick : 1
        The timestep ends after this beat's events, if it has any.
    last : 1
        With ``tick``: the inference ends too, and every membrane starts anew.
    """

    def __init__(self, address: ShapeLike, ways: int = 1, value_bits: int = 0):
        self.ways = ways
        self.slot = SlotLayout(address, value_bits)
        super().__init__({
            "slots": data.ArrayLayout(self.slot, ways),
            "tick": 1,
            "last": 1,
        })


class SpatialLayout(data.StructLayout):
    """The address of a signal of shape (channels, height, width), for layers that need its place.

    Members
    -------
    x, y, channel : unsigned
        ``x`` in the lowest bits.
    """

    def __init__(self, channels: int, height: int, width: int):
        super().__init__({
            "x": address_bits(width), "y": address_bits(height), "channel": address_bits(channels),
        })


def address_bits(addresses: int) -> int:
    """Width of an unsigned word for 0 … addresses − 1, at least 1."""
    return max(1, (addresses - 1).bit_length())


class ResultLayout(data.StructLayout):
    """One beat of an inference's result: the score of one class, classes in order.

    Members
    -------
    index : unsigned
        Class.
    score : signed
        See :class:`~.readout.ScoreReadout`.
    winner : unsigned
        Class with the highest score among 0 … index, the lowest among equals; with ``last``, the
        prediction.
    last : 1
        This is the highest class.
    """

    def __init__(self, classes: int, score_bits: int):
        super().__init__({
            "index": address_bits(classes),
            "score": signed(score_bits),
            "winner": address_bits(classes),
            "last": 1,
        })


def event_stream(address: ShapeLike, ways: int = 1, value_bits: int = 0) -> stream.Signature:
    """Stream of :class:`EventLayout` beats."""
    return stream.Signature(EventLayout(address, ways, value_bits))


def result_stream(classes: int, score_bits: int) -> stream.Signature:
    """Stream of :class:`ResultLayout` beats."""
    return stream.Signature(ResultLayout(classes, score_bits))
