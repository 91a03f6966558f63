"""What a network needs of a part, before any tool runs, and how to fold it so that it fits."""

from collections.abc import Sequence

import numpy as np

from ..gen.arithmetic import signed_bits
from ..gen.errors import DoesNotFitError
from ..gen.folding import Folding
from ..gen.plan import LayerPlan

from ..gen.rtl.streams import EventLayout, ResultLayout
from ..gen.spec import NetworkSpec
from .registry import BOARDS, Board, Family

#: Part of the logic that a default folding may fill; beyond, placement gets long and slow.
FILL = 0.85


def block_memories(family: Family, width: int, depth: int) -> int:
    """Block memories that a memory of ``depth`` words of ``width`` bits occupies."""
    return min(-(-width // w) * -(-depth // d) for w, d in family.blocks)


def does_not_fit(spec: NetworkSpec, board: Board, needs: str) -> DoesNotFitError:
    """The error that says so, with what to do."""
    larger = [other.name for other in BOARDS if other.part.logic > board.part.logic]
    boards = f", or a larger board ({', '.join(larger)})" if larger else ""
    return DoesNotFitError(
        f"network {spec.name} does not fit {board.name}: {needs}; use fewer lanes, fewer weight or "
        f"membrane bits, fewer neurons or inputs{boards}"
    )


def require_memory(spec: NetworkSpec, board: Board) -> None:
    """Refuses a network whose weights alone are more than the block memories hold.

    Whatever the folding, weights can be packed no tighter than their bits, so this is certain.

    Raises
    ------
    DoesNotFitError
    """
    needed = sum(
        -(-layer.synapse.weight.size * layer.synapse.weight_bits // board.family.block_bits)
        for layer in spec.layers
    )
    if needed > board.part.blocks:
        raise does_not_fit(
            spec, board,
            f"its {spec.weights} weights need {needed} of {board.part.blocks} block memories",
        )


def estimated_blocks(spec: NetworkSpec, plans: Sequence[LayerPlan], board: Board) -> int:
    """Block memories of the accelerator on ``board``; right for iCE40, an upper bound for ECP5,
    whose small queues and membranes go to LUTs. Parameters of single neurons are not counted."""
    memories = [
        (8, board.window),
        (EventLayout(spec.inputs).size, board.buffer),
        (ResultLayout(spec.classes, spec.timesteps).size, spec.classes),
    ]
    for plan in plans:
        layer, lanes = plan.layer, plan.lanes
        memories += [
            (lanes * layer.synapse.weight_bits, plan.rows * layer.inputs),
            (EventLayout(layer.inputs).size, plan.queue),
            # A row of spikes has no event flag.
            (lanes + EventLayout(layer.neurons).size - 1, plan.spike_queue),
        ]
        if plan.rows >= 6:
            memories.append((lanes * plan.accumulator_bits, plan.rows))
    return sum(block_memories(board.family, *memory) for memory in memories)


def estimated_logic(plans: Sequence[LayerPlan]) -> int:
    """LUTs of the accelerator, within about 15 %.

    Linear in what the parts of a lane are wide, with coefficients fitted to 200–48–10 nets in
    foldings from 1, 1 to 12, 2 on iCE40 and 16, 10 on ECP5.
    """
    total = 1200
    for plan in plans:
        neuron, bits = plan.layer.neuron, plan.accumulator_bits
        total += 600
        if plan.rows >= 6:
            total += 15 * plan.lanes * bits
        else:
            total += 9 * plan.lanes * bits + 5 * plan.layer.neurons * bits
        if plan.rows > 1 and isinstance(neuron.decay, np.ndarray):
            factor = signed_bits(int(neuron.decay.min()), int(neuron.decay.max()))
            total += plan.lanes * plan.membrane_bits * factor
    return total


def default_folding(spec: NetworkSpec, board: Board) -> Folding:
    """As many lanes as the estimates say ``board`` holds, with :data:`FILL` of its logic.

    Beginning with one lane everywhere, the layer that takes most cycles per event gets the most
    lanes that still fit, until every layer has had its turn. Only counts of lanes that make a row
    fewer are considered.
    """
    lanes = [1] * len(spec.layers)

    def fits(lanes: list[int]) -> bool:
        plans = Folding.lanes(*lanes, spec=spec).plans(spec)
        return (estimated_blocks(spec, plans, board) <= board.part.blocks
                and estimated_logic(plans) <= FILL * board.part.logic)

    for index in sorted(range(len(lanes)), key=lambda n: -spec.layers[n].neurons):
        neurons = spec.layers[index].neurons
        for rows in range(1, neurons):
            more = [*lanes]
            more[index] = -(-neurons // rows)
            if fits(more):
                lanes = more
                break
    return Folding.lanes(*lanes, spec=spec)
