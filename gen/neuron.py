"""Neurons of the contract; the equations stand in :mod:`spikewright.gen.spec`."""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arithmetic import Rounding
from .errors import SpecError
from .validation import PerNeuron, choice, member, per_neuron

DECAY_FRACTIONS = range(0, 17)
MEMBRANE_BITS = range(2, 33)
#: Above every membrane that is built.
NEVER = 1 << 62


class Reset(enum.Enum):
    """What a spike does to the membrane.

    The two zero resets differ in the timestep *after* the spike: snnTorch's Leaky zeroes the old
    membrane and keeps that step's input; its Lapicque, Synaptic, RLeaky and RSynaptic make the
    membrane exactly 0 and drop the input. Without delay they coincide.
    """

    SUBTRACT = "subtract"
    ZERO_KEEP_INPUT = "zero-keep-input"
    ZERO_DROP_INPUT = "zero-drop-input"
    NONE = "none"


@dataclass(frozen=True, eq=False, kw_only=True)
class Neuron:
    """Leaky integrate-and-fire in integers, with or without a decaying input current.

    ===============  ===========================================================================
    Leaky, Lapicque  as they stand
    IF               ``decay = 2ⁿ``: no leak
    Synaptic         ``synapse_decay``: the input decays in a state of its own
    LI               ``threshold = None``, ``reset = Reset.NONE``: integrates and never fires;
                     for the last layer under a membrane readout
    ===============  ===========================================================================

    Parameters
    ----------
    decay
        B, signed. The membrane keeps ``B/2ⁿ`` of itself each timestep: ``β·2ⁿ`` for Leaky,
        ``(1 − T/RC)·2ⁿ`` for Lapicque, ``2ⁿ`` for a neuron without leak.
    decay_fraction
        n, 0 to 16.
    threshold
        θ > 0 in membrane steps; a neuron fires when its membrane is *above* it. None never fires.
    bias
        b in membrane steps, added to the input of every timestep.
    reset, reset_delay
        See :class:`Reset`; ``reset_delay=True`` resets in the timestep after the spike.
    rounding
        How ``m·B / 2ⁿ`` and ``i·A / 2ᵏ`` become integers.
    membrane_bits
        ``None``: as wide as the proven bound needs, so nothing ever saturates. A number: u is
        clamped to that many signed bits before it is compared with θ, and counted when it was.
    synapse_decay
        A, 0 to 2ᵏ: the input current keeps ``A/2ᵏ`` of itself each timestep, ``α·2ᵏ`` for
        snnTorch's Synaptic. None: no such state, the input reaches the membrane at once.
    synapse_decay_fraction
        k, 0 to 16; 0 without ``synapse_decay``.

    ``decay``, ``threshold``, ``bias`` and ``synapse_decay`` may be one integer or one per neuron;
    values per channel are given per neuron.
    """

    decay: PerNeuron
    decay_fraction: int
    threshold: PerNeuron | None
    bias: PerNeuron = 0
    reset: Reset = Reset.SUBTRACT
    reset_delay: bool = True
    rounding: Rounding = Rounding.TOWARD_ZERO
    membrane_bits: int | None = None
    synapse_decay: PerNeuron | None = None
    synapse_decay_fraction: int = 0

    #: What may be one value or one per neuron.
    PER_NEURON = ("decay", "threshold", "bias", "synapse_decay")

    def __post_init__(self) -> None:
        for name in self.PER_NEURON:
            value = getattr(self, name)
            if value is not None or name in ("decay", "bias"):
                object.__setattr__(self, name, per_neuron(value, name))
        fraction = choice(self.decay_fraction, DECAY_FRACTIONS, "decay_fraction")
        if np.any(np.abs(self.decay) > (4 << fraction)):
            raise SpecError(
                f"decay {self.decay} with {fraction} fraction bits is beyond ±4 a timestep; such a "
                f"membrane explodes; check the time constant"
            )
        member(self.reset, Reset, "reset")
        member(self.rounding, Rounding, "rounding")
        if not isinstance(self.reset_delay, bool):
            raise SpecError(f"reset_delay is {self.reset_delay!r}; True or False is needed")
        self._check_synapse_decay()
        self._check_threshold()

    def _check_synapse_decay(self) -> None:
        fraction = choice(self.synapse_decay_fraction, DECAY_FRACTIONS, "synapse_decay_fraction")
        if self.synapse_decay is None:
            if fraction:
                raise SpecError(
                    f"synapse_decay_fraction is {fraction} without a synapse_decay; give both or "
                    f"neither"
                )
            return
        low, high = np.min(self.synapse_decay), np.max(self.synapse_decay)
        if low < 0 or high > 1 << fraction:
            raise SpecError(
                f"synapse_decay spans {low} to {high}; with {fraction} fraction bits 0 to "
                f"{1 << fraction} keep 0 to all of the current; check the time constant"
            )

    def _check_threshold(self) -> None:
        bits = self.membrane_bits
        if bits is not None:
            choice(bits, MEMBRANE_BITS, "membrane_bits")
        if self.threshold is None:
            if self.reset is not Reset.NONE:
                raise SpecError(
                    f"a neuron without threshold never fires, so its reset {self.reset.value!r} "
                    f"would never happen; give reset=Reset.NONE"
                )
            return
        if np.any(np.asarray(self.threshold) <= 0):
            raise SpecError(
                f"threshold goes down to {np.min(self.threshold)}; every threshold must be at "
                f"least 1, or silent neurons would fire for ever"
            )
        if bits is not None and np.max(self.threshold) >= (1 << (bits - 1)) - 1:
            raise SpecError(
                f"threshold {np.max(self.threshold)} cannot be exceeded in {bits} membrane "
                f"bits, so the neuron would never fire; raise membrane_bits"
            )

    def per_neuron(self, name: str, neurons: int) -> npt.NDArray[np.int64]:
        """The parameter ``name`` of :attr:`PER_NEURON` as one value for each of ``neurons``.

        Without threshold it is :data:`NEVER`, without synapse decay 0: the same equations then
        hold for every neuron.
        """
        value = getattr(self, name)
        if value is None:
            value = NEVER if name == "threshold" else 0
        return np.broadcast_to(np.asarray(value, np.int64), (neurons,))
