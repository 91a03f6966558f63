"""How a sample becomes input signals, and how the last layer's activity becomes a decision."""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SpecError
from .validation import choice, member

#: Bits of the value that an input event may carry.
VALUE_BITS = range(1, 9)


class InputKind(enum.Enum):
    """What one timestep of one input is; S samples of T timesteps."""

    #: bool (S, T, inputs): a spike or none.
    EVENTS = "events"
    #: uint8 (S, T, inputs): an event carries its value, such as how often a pixel fired in a bin.
    COUNTS = "counts"
    #: uint8 (S, 1, inputs): held for all of the spec's timesteps, such as an image. Hardware
    #: receives it once and reuses its synaptic sums.
    CURRENT = "current"


@dataclass(frozen=True, kw_only=True)
class Input:
    """Input signals of a network. Only its first layer sees their values; inside it, spikes travel.

    Parameters
    ----------
    kind
        See :class:`InputKind`.
    bits
        Values are 0 to ``2ᵇ − 1``, b from 1 to 8; 1 for EVENTS. No event is sent for a 0.
    """

    kind: InputKind = InputKind.EVENTS
    bits: int = 1

    def __post_init__(self) -> None:
        member(self.kind, InputKind, "input kind")
        choice(self.bits, VALUE_BITS, "input bits")
        if self.kind is InputKind.EVENTS and self.bits != 1:
            raise SpecError(
                f"input bits is {self.bits}, but an event of {self.kind.value} is 0 or 1; give "
                f"bits=1, or InputKind.COUNTS for events that carry values"
            )

    @property
    def most(self) -> int:
        """Largest value of an input."""
        return (1 << self.bits) - 1


class ReadoutKind(enum.Enum):
    """What decides; scores are int64 (S, classes), the prediction is the highest, of equals the
    first."""

    #: Spikes, summed over time.
    SPIKE_COUNT = "spike-count"
    #: Membranes after each timestep, summed over time.
    MEMBRANE = "membrane"
    #: ``T − t`` of the first spike in timestep t = 0, 1, …; 0 if there is none. T is the spec's
    #: ``timesteps``, so a score is known when the spike is there, however long the inference.
    FIRST_SPIKE = "first-spike"


@dataclass(frozen=True, kw_only=True)
class Readout:
    """From the last layer to a score per class.

    Parameters
    ----------
    kind
        See :class:`ReadoutKind`.
    population
        Neurons per class: neuron n votes for class ``⌊n / population⌋``. Votes of spikes and
        membranes are added, of first spikes the earliest counts.
    early_exit
        Of FIRST_SPIKE only. The timestep of the first spike of all decides: classes that did not
        spike in it score 0, which leaves the prediction as it is. Hardware ends the inference when
        it is there, and drops what is left of the sample; see
        :class:`~spikewright.gen.rtl.exit.EarlyExit`.
    """

    kind: ReadoutKind = ReadoutKind.SPIKE_COUNT
    population: int = 1
    early_exit: bool = False

    def __post_init__(self) -> None:
        member(self.kind, ReadoutKind, "readout kind")
        choice(self.population, range(1, 1 << 20), "population")
        if not isinstance(self.early_exit, bool):
            raise SpecError(f"early_exit is {self.early_exit!r}; True or False is needed")
        if self.early_exit and self.kind is not ReadoutKind.FIRST_SPIKE:
            raise SpecError(
                f"early_exit is given, but a readout of {self.kind.value} needs every timestep; "
                f"leave it out, or give ReadoutKind.FIRST_SPIKE"
            )

    def scores(
        self,
        spikes: npt.NDArray[np.bool_],
        membranes: npt.NDArray[np.int64],
        timesteps: int,
    ) -> npt.NDArray[np.int64]:
        """int64 (S, classes) from the last layer's ``spikes`` and ``membranes``, (S, T, neurons);
        ``timesteps`` are the spec's."""
        match self.kind:
            case ReadoutKind.SPIKE_COUNT:
                votes = spikes.sum(axis=1, dtype=np.int64)
            case ReadoutKind.MEMBRANE:
                votes = membranes.sum(axis=1)
            case ReadoutKind.FIRST_SPIKE:
                votes = np.where(spikes.any(axis=1), timesteps - spikes.argmax(axis=1), 0)
                if self.early_exit:
                    votes = np.where(votes == votes.max(axis=1, keepdims=True), votes, 0)
        groups = votes.reshape(len(votes), -1, self.population)
        return groups.max(axis=2) if self.kind is ReadoutKind.FIRST_SPIKE else groups.sum(axis=2)
