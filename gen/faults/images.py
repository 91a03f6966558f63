"""Flips in what the memories of a compiled design hold before its first cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FaultError
from ..folding import Storage
from ..plan import LayerPlan
from ..rtl.neurons import StateLayout
from .flips import Flips
from .memories import Kind, Memory, memories, parameter_fields

if TYPE_CHECKING:
    from ..compiled.observed import ObservedNetwork


def path(plans: Sequence[LayerPlan], memory: Memory) -> str:
    """Where ``memory`` is in a network: names of instances from it on, joined by dots."""
    layer = f"layer_{plans[memory.layer].layer.name}"
    index = f"_{memory.slice}" if memory.slice else ""
    match memory.kind:
        case Kind.MEMBRANES:
            return f"{layer}.array{index}.states.words"
        case Kind.PARAMETERS:
            return f"{layer}.array{index}.neurons.parameters.rom"
    if len(memory.place) == 2:
        return f"{layer}.synapses{index}.bank_{memory.place[0]}_{memory.place[1]}.weights"
    return f"{layer}.synapses{index}.weights_{memory.place[0]}.memory"


def with_flips(network: ObservedNetwork, flips: Flips) -> ObservedNetwork:
    """``network`` with the stored bits of ``flips`` flipped.

    Raises
    ------
    FaultError
        If bits of membranes flip, which is in the middle of a run, or weights are in memories that
        only loading fills.
    """
    plans = network.plans
    if len(flips.passing):
        raise FaultError(
            "compiled engines cannot reach into membranes while they run; flip bits of membranes "
            "on engine golden, cycles or amaranth"
        )
    if any(plan.synapses.storage is Storage.SPRAM for plan in plans):
        raise FaultError(
            f"compiled engines load weights of storage {Storage.SPRAM.value} anew, which mends "
            f"them; use engine golden or cycles"
        )
    known = memories(plans)
    images = {memory.path.partition("network.")[2]: memory.image.copy()
              for memory in network.memories}
    for number, word, bit in flips.stored.tolist():
        images[path(plans, known[number])][word, bit // 8] ^= 1 << bit % 8
    for number in np.unique(flips.stored[:, 0]):
        if known[number].kind is Kind.PARAMETERS:
            _begin(plans, known[number], images)
    return replace(network, load=b"", memories=tuple(
        replace(memory, image=images[memory.path.partition("network.")[2]])
        for memory in network.memories))


def _begin(plans: Sequence[LayerPlan], memory: Memory, images: dict[str, np.ndarray]) -> None:
    """Membranes begin as an inference with the parameters in ``memory`` leaves them."""
    part = plans[memory.layer].slices[memory.slice]
    layout = StateLayout(part)
    name = "current" if "current" in layout.members else "word"
    biases = [field for field in parameter_fields(part) if field.name == "bias"]
    if not biases:
        return
    rom = images[path(plans, memory)]
    states = images[path(plans, replace(memory, kind=Kind.MEMBRANES))]
    for held, state in zip(rom, states, strict=True):
        word = int.from_bytes(held.tobytes(), "little")
        begin = 0
        for field in biases:
            bias = word >> field.offset & ((1 << field.width) - 1)
            if bias >> (field.width - 1):
                bias -= 1 << field.width
            begin |= (bias & ((1 << layout[name].width) - 1)) << (
                field.unit * layout.size + layout[name].offset)
        state[:] = np.frombuffer(begin.to_bytes(len(state), "little"), np.uint8)
