"""Whole nets with their foldings, and samples that are hard on them."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from spikewright.gen import Folding, InputKind, NetworkSpec, ReadoutKind

from ..gen.strategies import BUILT, foldings, networks
from ..gen.timing import random_design


@dataclass(frozen=True)
class Design:
    """A network and its hardware; ``origin`` says how to make it again."""

    spec: NetworkSpec
    folding: Folding
    origin: str

    def __repr__(self) -> str:
        layers = [f"{layer.name}: {type(layer.synapse).__name__} {layer.input_shape} → "
                  f"{layer.output_shape}, pool {layer.pool}, recurrent "
                  f"{type(layer.recurrent).__name__}, {layer.neuron}, {chosen}"
                  for layer, chosen in zip(self.spec.layers, self.folding.of(self.spec),
                                           strict=True)]
        return "\n".join([f"{self.origin}: {self.spec.timesteps} timesteps of {self.spec.input}, "
                          f"{self.spec.readout}", *layers])


@st.composite
def designs(draw, max_layers: int = 3, max_size: int = 12) -> Design:
    """Any network and folding that can be built, early exits included."""
    if draw(st.booleans()):
        seed = draw(st.integers(0, 1 << 32))
        made = random_design(seed)
        return Design(made.spec, made.folding, f"random_design({seed})")
    spec = draw(networks(max_layers=max_layers, max_size=max_size, features=BUILT))
    if spec.readout.kind is ReadoutKind.FIRST_SPIKE and draw(st.booleans()):
        spec = replace(spec, readout=replace(spec.readout, early_exit=True))
    return Design(spec, draw(foldings(spec)), "drawn")


def traces(spec: NetworkSpec, count: int, seed: int) -> npt.NDArray[np.uint8]:
    """``count`` samples for ``spec``: silence and storm first, then what chance makes of a lone
    event, of full and empty timesteps in turn, of one input or the last timestep alone, of the
    smallest and the largest values, and of every density."""
    rng = np.random.default_rng(seed)
    steps = 1 if spec.input.kind is InputKind.CURRENT else spec.timesteps
    shape, most = (steps, spec.inputs), spec.input.most
    samples = np.zeros((count, *shape), np.uint8)
    for number, sample in enumerate(samples):
        match number if number < 2 else rng.integers(2, 9):
            case 0:
                continue
            case 1:
                sample[:] = most
            case 2:
                sample[rng.integers(steps), rng.integers(spec.inputs)] = rng.integers(1, most + 1)
            case 3:
                sample[rng.integers(2) :: 2] = most
            case 4:
                sample[:, rng.choice([0, spec.inputs - 1])] = most
            case 5:
                sample[rng.choice([0, steps - 1])] = rng.integers(0, most + 1, spec.inputs)
            case 6:
                sample[:] = np.where(rng.random(shape) < 0.5, 1, most)
            case _:
                density = rng.choice([0.0, 0.05, 0.3, 0.7, 1.0], (steps, 1))
                sample[:] = (rng.random(shape) < density) * rng.integers(1, most + 1, shape)
    return samples
