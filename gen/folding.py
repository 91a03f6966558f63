"""How much hardware each layer gets. A user's choice; what follows from it stands in plan.py."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import FoldingError
from .spec import NetworkSpec
from .widths import Widths


class Storage(enum.Enum):
    """A kind of memory for what training changes."""

    #: Block memory that the bitstream fills; cannot be changed.
    FIXED = "fixed"
    #: Block memory that the bitstream fills; can be loaded again.
    LOADABLE = "loadable"
    #: The iCE40 UltraPlus' four large memories, 16 bits × 16384 each: nothing can fill them but
    #: loading.
    SPRAM = "spram"


class Loadable(enum.Enum):
    """What of a network is to be loadable at run time."""

    NOTHING = "nothing"
    #: Weights alone: hardware is made for the neurons' parameters.
    WEIGHTS = "weights"
    #: Everything that training changes.
    ALL = "all"

    def of(self, folding: "LayerFolding") -> "LayerFolding":
        """``folding`` so that at least that can be loaded; weights that already can, stay where
        they are."""
        if self is Loadable.NOTHING:
            return folding
        fixed = folding.storage is Storage.FIXED
        return replace(folding, storage=Storage.LOADABLE if fixed else folding.storage,
                       parameters=Storage.LOADABLE if self is Loadable.ALL else folding.parameters)


class Protection(enum.Enum):
    """What guards a memory of weights against flipped bits; see :mod:`~.protection`."""

    NONE = "none"
    #: Flips are found: weights in doubt count as 0.
    PARITY = "parity"
    #: A flip is mended, two are found.
    ECC = "ecc"


@dataclass(frozen=True, kw_only=True)
class LayerFolding:
    """Hardware of one layer.

    Parameters
    ----------
    lanes
        Linear: neurons an event is added to per cycle; Conv2d: output channels per bank and cycle.
        None is all of them.
    ways
        Events added per cycle; Linear layers only.
    units
        Neurons updated per cycle in the sweep that ends a timestep. None: an eighth of the lanes,
        so that a sweep takes about as long as eight events.
    banks
        Conv2d layers only: accumulator banks in y and in x. None is full banking, ⌈kernel/stride⌉
        each, which adds all taps of an event at once.
    overlap
        Conv2d layers only: sums of even and of odd timesteps have memories of their own, so that a
        sweep takes no cycle from the events of the next timestep. Costs up to as many block
        memories again as the sums have, and a LUT or two per bit of a bank's word.
    storage
        Where the weights are; those of convolutions are fixed or loadable.
    parameters
        Where the neurons' thresholds, decays, biases and one-to-one recurrent weights are: fixed,
        which makes what all neurons share part of the logic, or loadable, where the weights are
        loaded, too. A loaded decay costs each unit a multiplier.
    slices
        Parts into which lanes and units are divided, each with its own copy of the events and of
        all control; see :class:`~.rtl.layer.SpikingLayer`. Linear: units and lanes are rounded up
        to a multiple; Conv2d: a divisor of both.
    protect
        Linear layers only: a code for the words of weights, which costs memory for its check bits
        and a cycle of latency. :class:`Protection` or its name.
    widths
        Of the layer's words, at least as wide as is proven to be needed; None is just that wide.
    """

    lanes: int | None = None
    ways: int = 1
    units: int | None = None
    banks: tuple[int, int] | None = None
    overlap: bool = False
    storage: Storage = Storage.FIXED
    slices: int = 1
    protect: Protection | str = Protection.NONE
    parameters: Storage = Storage.FIXED
    widths: Widths | None = None

    def __post_init__(self) -> None:
        if self.parameters is Storage.SPRAM:
            raise FoldingError(
                f"parameters in {Storage.SPRAM.value} storage are not built; use "
                f"{Storage.FIXED.value} or {Storage.LOADABLE.value}")
        if self.parameters is not Storage.FIXED and self.storage is Storage.FIXED:
            raise FoldingError(
                f"{self.parameters.value} parameters with {self.storage.value} weights are not "
                f"built, because weights and parameters are trained together; use storage "
                f"{Storage.LOADABLE.value} or {Storage.SPRAM.value}")
        try:
            object.__setattr__(self, "protect", Protection(self.protect))
        except ValueError:
            raise FoldingError(
                f"protect is {self.protect!r}; allowed are "
                f"{', '.join(kind.value for kind in Protection)}"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Hardware of a network: ``layers`` by name, ``default`` for those not named."""

    default: LayerFolding = LayerFolding()
    layers: tuple[tuple[str, LayerFolding], ...] = ()

    @classmethod
    def lanes(cls, *lanes: int, spec: NetworkSpec) -> "Folding":
        """One ``lanes`` value per layer of ``spec``, in order."""
        return cls.each(*(LayerFolding(lanes=n) for n in lanes), spec=spec)

    @classmethod
    def each(cls, *foldings: LayerFolding, spec: NetworkSpec) -> "Folding":
        """One folding per layer of ``spec``, in order."""
        if len(foldings) != len(spec.layers):
            raise FoldingError(
                f"{len(foldings)} foldings for {len(spec.layers)} layers; give one per layer"
            )
        return cls(layers=tuple(
            (layer.name, folding) for layer, folding in zip(spec.layers, foldings, strict=True)
        ))

    def with_widths(self, widths: Sequence[Widths | None], *, spec: NetworkSpec) -> "Folding":
        """The same with words so wide, of each layer of ``spec``, in order."""
        return Folding.each(*(replace(layer, widths=each) for layer, each in zip(
            self.of(spec), widths, strict=True)), spec=spec)

    def of(self, spec: NetworkSpec) -> tuple[LayerFolding, ...]:
        """The folding of each layer of ``spec``.

        Raises
        ------
        FoldingError
            If a layer is named that does not exist.
        """
        chosen = dict(self.layers)
        known = [layer.name for layer in spec.layers]
        for name in chosen:
            if name not in known:
                raise FoldingError(
                    f"folding names layer {name!r}; network {spec.name} has {', '.join(known)}"
                )
        return tuple(chosen.get(name, self.default) for name in known)
