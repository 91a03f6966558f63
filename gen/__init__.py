"""The hardware generator: contract, golden model, Amaranth components, engines.

Nothing here imports torch. :class:`NetworkSpec` is what the torch side hands over and what the
boards build; everything else follows from it and a :class:`Folding`.
"""

from .engines import available_engines, simulate
from .errors import SpikewrightError
from .folding import Folding
from .spec import (
    Conv2d,
    Input,
    InputKind,
    Layer,
    Linear,
    MaxPool2d,
    NetworkSpec,
    Neuron,
    OneToOne,
    Readout,
    ReadoutKind,
    Reset,
    Rounding,
    SumPool2d,
)
from .stimulus import Stimulus
from .trace import Difference, Trace, first_difference

__all__ = [
    "Conv2d",
    "Difference",
    "Folding",
    "Input",
    "InputKind",
    "Layer",
    "Linear",
    "MaxPool2d",
    "NetworkSpec",
    "Neuron",
    "OneToOne",
    "Readout",
    "ReadoutKind",
    "Reset",
    "Rounding",
    "SpikewrightError",
    "Stimulus",
    "SumPool2d",
    "Trace",
    "available_engines",
    "first_difference",
    "simulate",
]
