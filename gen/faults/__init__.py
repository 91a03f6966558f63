"""Soft errors: bits of the generated memories that flip, and what the network then computes.

A flip changes what one memory of the design holds, at its folding: one lane of a word of weights,
the copy of a kernel that one bank of a convolution has, the membrane of one neuron. The model here
computes what hardware with these bits does, spike for spike, sums and membranes that wrap around
included; tests flip the same bits in simulated hardware.
"""

from .flips import Flips, draw
from .memories import Kind, Memory, memories
from .model import FaultyNetwork

__all__ = ["FaultyNetwork", "Flips", "Kind", "Memory", "draw", "memories"]
