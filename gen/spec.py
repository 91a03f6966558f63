"""The contract between training and hardware: a network in which every number is an integer.

One timestep of one neuron, with ``m`` the membrane, ``s`` the output spike and ``s'`` the spikes of
the layer below::

    r = [m > θ]                                   reset, from the membrane of the step before
    u = round(m·B / 2ⁿ) − r·θ + b + Σᵢ 2ᶠ·wᵢ·s'ᵢ    (subtract; see :class:`Reset` for the others)
    s = [u > θ]                                   strict
    m = u                                         if the reset is delayed (snnTorch's default)
    m = u − (s − r)·θ                             if not

``m = 0`` before the first timestep of every inference. Equations and their order are snnTorch
1.0.0's (``_neurons/leaky.py``, ``_neurons/lapicque.py``); Lapicque's input gain is folded into the
weights and the bias, its ``1 − T/RC`` is B, which may be negative.

What the contract cannot represent is refused with a :class:`~spikewright.gen.errors.SpecError` that
names the layer and the remedy.
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import Rounding
from .bounds import MembraneBounds, membrane_bounds
from .errors import SpecError
from .layers import Layer, Linear, Neuron, PerNeuron, Reset, choice

__all__ = ["Layer", "Linear", "NetworkSpec", "Neuron", "Reset", "Rounding", "describe"]

#: Marks files of this contract.
FORMAT = "spikewright-network"


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkSpec:
    """A whole network: layers in order, and how long an inference may last.

    Parameters
    ----------
    input_shape
        Shape of one timestep of input spikes, such as (polarity, y, x). The address of an input is
        its index in the flattened shape.
    layers
        At least one; each layer's fan-in is the size of what stands before it.
    timesteps
        Most timesteps of one inference. Membrane widths are proven for that many.
    name
        An identifier; it names the generated Verilog module.

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

    #: Version of the contract's semantics and of the file format.
    VERSION: int = field(default=1, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(int(n) for n in self.input_shape))
        object.__setattr__(self, "layers", tuple(self.layers))
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpecError(f"network name {self.name!r} is not an identifier")
        if not self.input_shape or min(self.input_shape) < 1:
            raise SpecError(f"input_shape is {self.input_shape}; every side must be at least 1")
        if not self.layers:
            raise SpecError("the network has no layers; at least one is needed")
        choice(self.timesteps, range(1, 1 << 20), "timesteps")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"two layers are named {name}; every layer needs its own name")
        size = self.inputs
        for layer in self.layers:
            if layer.fan_in != size:
                raise SpecError(
                    f"layer {layer.name} has fan-in {layer.fan_in}, but {size} signals reach it"
                )
            size = layer.neurons
        _ = self.bounds  # refuses membranes too wide to build, naming the layer

    @property
    def inputs(self) -> int:
        """Input addresses."""
        return int(np.prod(self.input_shape))

    @property
    def classes(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].neurons

    @property
    def synapses(self) -> int:
        """Weights of the whole network."""
        return sum(layer.synapse.weight.size for layer in self.layers)

    @cached_property
    def bounds(self) -> tuple[MembraneBounds, ...]:
        """Proven range of every layer's membrane; see :mod:`spikewright.gen.bounds`."""
        return tuple(membrane_bounds(layer, self.timesteps) for layer in self.layers)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of everything that the hardware computes with."""
        description, arrays = describe(self)
        hasher = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
        for key in sorted(arrays):
            hasher.update(key.encode() + b"\0" + arrays[key].astype("<i8").tobytes())
        return hasher.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkSpec) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def describe(spec: NetworkSpec) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.int64]]]:
    """``spec`` as a JSON-ready description and the arrays it refers to by name."""
    arrays: dict[str, npt.NDArray[np.int64]] = {}

    def refer(layer: str, attribute: str, value: PerNeuron) -> int | str:
        if isinstance(value, int):
            return value
        key = f"{layer}.{attribute}"
        arrays[key] = value
        return key

    layers = []
    for layer in spec.layers:
        synapse, neuron = layer.synapse, layer.neuron
        layers.append({
            "name": layer.name,
            "synapse": {
                "kind": "linear",
                "weight": refer(layer.name, "weight", synapse.weight),
                "weight_bits": synapse.weight_bits,
                "weight_shift": synapse.weight_shift,
            },
            "neuron": {
                "decay": refer(layer.name, "decay", neuron.decay),
                "decay_fraction": neuron.decay_fraction,
                "threshold": refer(layer.name, "threshold", neuron.threshold),
                "bias": refer(layer.name, "bias", neuron.bias),
                "reset": neuron.reset.value,
                "reset_delay": neuron.reset_delay,
                "rounding": neuron.rounding.value,
                "membrane_bits": neuron.membrane_bits,
            },
        })
    description = {
        "format": FORMAT,
        "version": spec.VERSION,
        "name": spec.name,
        "input_shape": list(spec.input_shape),
        "timesteps": spec.timesteps,
        "layers": layers,
    }
    return description, arrays
