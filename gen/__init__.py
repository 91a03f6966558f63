"""The hardware generator: contract, golden model, Amaranth components, engines.

Nothing here imports torch. :class:`NetworkSpec` is what the torch side hands over and what the
boards build; everything else follows from it and a :class:`Folding`.
"""

from .engines import available_engines, simulate
from .errors import SpikewrightError
from .folding import Folding
from .spec import Layer, Linear, NetworkSpec, Neuron, Reset, Rounding
from .stimulus import Stimulus
from .trace import Difference, Trace, first_difference

__all__ = [
    "Difference",
    "Folding",
    "Layer",
    "Linear",
    "NetworkSpec",
    "Neuron",
    "Reset",
    "Rounding",
    "SpikewrightError",
    "Stimulus",
    "Trace",
    "available_engines",
    "first_difference",
    "simulate",
]
