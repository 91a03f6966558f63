"""The contract between training and hardware: a network in which every number is an integer.

One timestep of one neuron, with ``m`` the membrane, ``s`` the output spike, ``s'`` the signals of
the layer below behind its pooling, and ``s⁻`` the layer's own spikes of the timestep before::

    x = b + Σᵢ 2ᶠ·wᵢ·s'ᵢ + Σⱼ 2ᵍ·vⱼ·s⁻ⱼ               the second sum only in recurrent layers
    i = round(i·A / 2ᵏ) + x                          with synapse_decay; else i = x
    r = [m > θ]                                      reset, from the membrane of the step before
    u = round(m·B / 2ⁿ) − r·θ + i                    (subtract; see :class:`Reset` for the others)
    s = [u > θ]                                      strict
    m = u                                            if the reset is delayed (snnTorch's default)
    m = u − (s − r)·θ                                if not

``m = i = 0`` and ``s⁻ = 0`` before the first timestep of every inference. No reset touches ``i``.
Equations and their order are snnTorch 1.0.0's (``_neurons/leaky.py``, ``lapicque.py``,
``synaptic.py``, ``rleaky.py``, ``rsynaptic.py``): a bias is part of a Synaptic neuron's input, so
it passes through ``i``. Lapicque's input gain is folded into the weights and the bias, its
``1 − T/RC`` is B, which may be negative. The bias of a recurrent ``nn.Linear`` is added to ``b``.

What the contract cannot represent is refused with a :class:`~spikewright.gen.errors.SpecError` that
names the layer and the remedy.
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .arithmetic import Rounding
from .bounds import MembraneBounds, membrane_bounds
from .coding import Input, InputKind, Readout, ReadoutKind
from .description import describe
from .errors import SpecError
from .layers import Layer
from .neuron import Neuron, Reset
from .pooling import MaxPool2d, SumPool2d
from .synapses import Conv2d, Linear, OneToOne
from .validation import choice, shown, signals

__all__ = [
    "Conv2d", "Input", "InputKind", "Layer", "Linear", "MaxPool2d", "NetworkSpec", "Neuron",
    "OneToOne", "Readout", "ReadoutKind", "Reset", "Rounding", "SumPool2d",
]

#: Of one inference. Proving how wide membranes get takes a step for each where they never settle,
#: some seconds for the most.
TIMESTEPS = range(1, 1 << 16)


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkSpec:
    """A whole network: layers in order, how samples enter, how scores leave, how long it may last.

    Parameters
    ----------
    input_shape
        Shape of one timestep of inputs, such as (polarity, y, x). The address of an input is
        its index in the flattened shape.
    layers
        At least one; each layer's inputs are the neurons of what stands before it, and keep the
        shape (channels, y, x) from one map to the next.
    timesteps
        Most timesteps of one inference. Membrane widths are proven for that many.
    name
        An identifier; it names the generated Verilog module.
    input, readout
        :class:`Input` and :class:`Readout`; spikes in and spike counts out if not given.

    Raises
    ------
    SpecError
        Naming the layer, what was given, what is allowed and the remedy.

    Two specs are equal when their :attr:`digest` is.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    timesteps: int
    name: str = "snn"
    input: Input = field(default_factory=Input)
    readout: Readout = field(default_factory=Readout)

    #: Version of the contract's semantics and of the file format.
    VERSION: int = field(default=2, init=False, repr=False)

    def __post_init__(self) -> None:
        if not all(isinstance(n, (int, np.integer)) for n in self.input_shape):
            raise SpecError(f"input_shape is {shown(self.input_shape)}; integers are needed")
        object.__setattr__(self, "input_shape", tuple(int(n) for n in self.input_shape))
        object.__setattr__(self, "layers", tuple(self.layers))
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpecError(f"network name {shown(self.name)} is not an identifier")
        if not self.input_shape or min(self.input_shape) < 1:
            raise SpecError(f"input_shape is {self.input_shape}; every side must be at least 1")
        signals(self.input_shape, "input_shape")
        if not self.layers:
            raise SpecError("the network has no layers; at least one is needed")
        choice(self.timesteps, TIMESTEPS, "timesteps")
        for attribute, kind in (("input", Input), ("readout", Readout)):
            if not isinstance(getattr(self, attribute), kind):
                raise SpecError(f"{attribute} is {shown(getattr(self, attribute))}; an instance of "
                                f"{kind.__name__} is needed")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"two layers are named {name:.80}; every layer needs its own name")
        for layer, shape in zip(self.layers, self.signal_shapes, strict=False):
            self._check_signals(layer, shape)
        self._check_ends()
        _ = self.bounds  # refuses membranes too wide to build, naming the layer

    def _check_signals(self, layer: Layer, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        if layer.inputs != size:
            raise SpecError(
                f"layer {layer.name} has {layer.inputs} inputs, but {size} signals reach it"
            )
        if len(layer.input_shape) == len(shape) == 3 and layer.input_shape != shape:
            raise SpecError(
                f"layer {layer.name} takes signals of shape {layer.input_shape}, but {shape} "
                f"(channels, height, width) reach it; give it that input_shape"
            )

    def _check_ends(self) -> None:
        first, last = self.layers[0], self.layers[-1]
        if isinstance(first.pool, MaxPool2d):
            raise SpecError(
                f"layer {first.name}: a max pooling of the network's inputs is not represented; "
                f"pool the samples when they are encoded, or use SumPool2d"
            )
        for layer in self.layers:
            if layer.neuron.threshold is not None:
                continue
            if layer is not last:
                raise SpecError(f"layer {layer.name} has no threshold, so no spike would reach the "
                                f"layers behind it; only the last layer may do without")
            if self.readout.kind is not ReadoutKind.MEMBRANE:
                raise SpecError(
                    f"layer {layer.name} has no threshold, so it never spikes, but the readout is "
                    f"{self.readout.kind.value}; give Readout(kind=ReadoutKind.MEMBRANE)"
                )
        population = self.readout.population
        if last.neurons % population:
            works = [n for n in range(1, last.neurons + 1) if last.neurons % n == 0]
            raise SpecError(
                f"layer {last.name}: {last.neurons} neurons cannot be split into groups of "
                f"{population}; the nearest population that divides them is "
                f"{min(works, key=lambda n: abs(n - population))}"
            )

    @property
    def inputs(self) -> int:
        """Input addresses."""
        return int(np.prod(self.input_shape))

    def steps(self, signals: npt.NDArray) -> int:
        """Timesteps of an inference on input ``signals``, shaped as :class:`InputKind` says."""
        return self.timesteps if self.input.kind is InputKind.CURRENT else signals.shape[1]

    @property
    def classes(self) -> int:
        """Scores of one inference: neurons of the last layer ÷ the readout's population."""
        return self.layers[-1].neurons // self.readout.population

    @property
    def score_range(self) -> tuple[int, int]:
        """Lowest and highest score that an inference can reach, proven; they hold 0."""
        low, high = {
            ReadoutKind.SPIKE_COUNT: (0, self.readout.population),
            ReadoutKind.MEMBRANE: tuple(self.readout.population * end
                                        for end in self.bounds[-1].membrane),
            ReadoutKind.FIRST_SPIKE: (0, 1),
        }[self.readout.kind]
        return low * self.timesteps, high * self.timesteps

    @property
    def weights(self) -> int:
        """Weights of the whole network, a convolution's shared ones counted once."""
        return sum(layer.weights for layer in self.layers)

    @property
    def signal_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the signals before the first layer, between layers, and behind the last."""
        return (self.input_shape, *(layer.output_shape for layer in self.layers))

    @cached_property
    def bounds(self) -> tuple[MembraneBounds, ...]:
        """Proven ranges of every layer; see :mod:`spikewright.gen.bounds`."""
        most = [self.input.most] + [1] * (len(self.layers) - 1)
        return tuple(membrane_bounds(layer, self.timesteps, highest)
                     for layer, highest in zip(self.layers, most, strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of everything that the hardware computes with."""
        description, arrays = describe(self)
        hasher = hashlib.sha256(json.dumps(
            {"version": self.VERSION, **description}, sort_keys=True
        ).encode())
        for key in sorted(arrays):
            shape = str(arrays[key].shape).encode()
            hasher.update(key.encode() + shape + b"\0" + arrays[key].astype("<i8").tobytes())
        return hasher.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkSpec) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)
