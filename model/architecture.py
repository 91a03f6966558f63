"""The net of a recipe: its layers in the notation of papers, its neurons, and how it is read.

======================  =========================================================================
``256``, ``"256"``      256 neurons, fully connected
``"16c5"``              convolution to 16 channels, kernel 5×5; ``"16c5x3"`` is 5 high and 3 wide
``"16c5s2p1g4"``        with stride 2, padding 1 and 4 groups, each if given
``"p2"``, ``"p3s2"``    average pooling of 2×2, of 3×3 with stride 2
``"m2"``, ``"m3s2"``    the same, but max pooling of spikes
======================  =========================================================================
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..gen.spec import Readout, ReadoutKind
from .fields import Part

Width = Annotated[int, Field(ge=1, le=65536)]

_CONVOLUTION = re.compile(r"(\d+)c(\d+)(?:x(\d+))?(?:s(\d+))?(?:p(\d+))?(?:g(\d+))?")
_POOLING = re.compile(r"([pm])(\d+)(?:s(\d+))?")


@dataclass(frozen=True)
class Dense:
    """Fully connected."""

    neurons: int


@dataclass(frozen=True)
class Convolution:
    """Arguments of ``torch.nn.Conv2d``."""

    channels: int
    kernel: tuple[int, int]
    stride: int
    padding: int
    groups: int


@dataclass(frozen=True)
class Pooling:
    """Arguments of ``torch.nn.AvgPool2d`` or ``MaxPool2d``."""

    kind: Literal["average", "max"]
    kernel: int
    stride: int


def parse(layer: int | str) -> Dense | Convolution | Pooling:
    """``layer`` in the notation of this module; ValueError if it is none."""
    text = str(layer).strip().lower()
    if text.isdecimal() and int(text):
        return Dense(int(text))
    if found := _CONVOLUTION.fullmatch(text):
        channels, high, wide, stride, padding, groups = (
            int(part) if part else None for part in found.groups()
        )
        if channels and high and wide != 0 and stride != 0 and groups != 0:
            return Convolution(channels, (high, wide or high), stride or 1, padding or 0,
                               groups or 1)
    if (found := _POOLING.fullmatch(text)) and int(found[2]) and found[3] != "0":
        return Pooling("average" if found[1] == "p" else "max", int(found[2]),
                       int(found[3] or found[2]))
    raise ValueError(f"{layer!r} is no layer; allowed are numbers of neurons such as 256, "
                     f"convolutions such as '16c5s2p1g4' (channels, kernel, stride, padding, "
                     f"groups), and poolings 'p2' (average) and 'm2' (max)")


class Net(Part):
    """Hidden layers and their neurons, under snnTorch's names; one more layer gives the classes."""

    #: Hidden layers, in the notation above.
    hidden: tuple[Width | str, ...] = (64,)
    neuron: Literal["leaky", "lapicque", "synaptic", "rleaky", "rsynaptic"] = "leaky"
    #: Decay of the membrane; Lapicque may have it in place of R and C. 1: no leak.
    beta: float | None = Field(default=None, ge=0, le=1)
    #: Decay of the current, of synaptic and rsynaptic.
    alpha: float | None = Field(default=None, ge=0, le=1)
    R: float | None = Field(default=None, gt=0)
    C: float | None = Field(default=None, gt=0)
    #: T of Lapicque; 1 if not given.
    time_step: float | None = Field(default=None, gt=0)
    threshold: float = Field(default=1.0, gt=0)
    reset_mechanism: Literal["subtract", "zero", "none"] = "subtract"
    reset_delay: bool = True
    #: Of rleaky and rsynaptic: every neuron to every other of its layer, or to itself alone.
    all_to_all: bool = True
    bias: bool = True

    @field_validator("hidden")
    @classmethod
    def _layers(cls, hidden: tuple[int | str, ...]) -> tuple[int | str, ...]:
        parsed = [parse(layer) for layer in hidden]
        for i, layer in enumerate(parsed):
            if isinstance(layer, Pooling) and i and isinstance(parsed[i - 1], Pooling):
                raise ValueError(f"{hidden[i]!r} follows another pooling; merge the two")
            if not isinstance(layer, Dense) and any(isinstance(p, Dense) for p in parsed[:i]):
                raise ValueError(f"{hidden[i]!r} needs maps, but a fully connected layer stands "
                                 f"before it; put convolutions and poolings first")
        return hidden

    @model_validator(mode="after")
    def _neuron(self) -> Self:
        electric = (self.R, self.C, self.time_step)
        if self.neuron != "lapicque" and (self.beta is None or electric != (None,) * 3):
            raise ValueError(f"neuron {self.neuron!r} needs beta, and has no R, C and time_step")
        if (self.neuron in ("synaptic", "rsynaptic")) != (self.alpha is not None):
            raise ValueError("neurons 'synaptic' and 'rsynaptic' need alpha, the others have none")
        if not self.all_to_all and self.neuron not in ("rleaky", "rsynaptic"):
            raise ValueError("all_to_all belongs to neurons 'rleaky' and 'rsynaptic'")
        if self.neuron == "rsynaptic" and not self.reset_delay:
            raise ValueError("snnTorch 1.0's RSynaptic cannot run without reset delay; drop "
                             "reset_delay, or use neuron 'synaptic'")
        if self.neuron == "lapicque":
            self._lapicque()
        elif self.neuron in ("rleaky", "rsynaptic") and self.all_to_all and any(
            isinstance(parse(layer), Convolution) for layer in self.hidden
        ):
            raise ValueError("convolutions recur one to one only; set all_to_all = false")
        return self

    def _lapicque(self) -> None:
        if self.beta is None and (self.R is None or self.C is None):
            raise ValueError("neuron 'lapicque' needs beta, or R and C")
        if self.beta is not None and not 0 < self.beta < 1:
            raise ValueError("beta of neuron 'lapicque' must lie between 0 and 1, both excluded")
        if None not in (self.beta, self.R, self.C):
            raise ValueError("neuron 'lapicque' takes two of beta, R and C; drop one")
        if not self.reset_delay:
            raise ValueError("neuron 'lapicque' always delays its reset; drop reset_delay, or use "
                             "neuron 'leaky'")


class Output(Part):
    """What decides."""

    #: Spikes counted; membranes of neurons that only integrate, summed over time; or the first
    #: spike.
    kind: Literal["spike-count", "membrane", "first-spike"] = "spike-count"
    #: Neurons of each class.
    population: int = Field(default=1, ge=1, le=4096)
    #: First spikes only: hardware ends the inference when one has decided.
    early_exit: bool = False
    #: Decay of membranes that only integrate; as the net's if not given.
    beta: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _beta(self) -> Self:
        if self.beta is not None and self.kind != "membrane":
            raise ValueError(f"beta belongs to kind 'membrane'; {self.kind!r} reads neurons as the "
                             f"net has them")
        if self.early_exit and self.kind != "first-spike":
            raise ValueError(f"early_exit belongs to kind 'first-spike'; {self.kind!r} needs every "
                             f"timestep")
        return self

    @property
    def contract(self) -> Readout:
        """As the contract says it."""
        return Readout(kind=ReadoutKind(self.kind), population=self.population,
                       early_exit=self.early_exit)
