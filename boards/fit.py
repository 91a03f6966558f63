"""What a network needs of a part, before any tool runs."""

from ..gen.errors import DoesNotFitError
from ..gen.folding import Folding, LayerPlan
from ..gen.rtl.membranes import MembraneMemory
from ..gen.spec import NetworkSpec
from .registry import Board, Family

REMEDY = (
    "use fewer lanes, fewer weight or membrane bits, fewer neurons or inputs, or a larger board"
)


def block_memories(family: Family, width: int, depth: int) -> int:
    """Block memories that a memory of ``depth`` words of ``width`` bits occupies."""
    return min(-(-width // w) * -(-depth // d) for w, d in family.blocks)


def require_memory(spec: NetworkSpec, board: Board) -> None:
    """Raises DoesNotFitError if the weights alone are more than the block memories hold.

    Independent of the folding, and never wrong: weights can be packed no tighter than their bits.
    """
    needed = sum(
        -(-layer.synapse.weight.size * layer.synapse.weight_bits // board.family.block_bits)
        for layer in spec.layers
    )
    if needed > board.part.blocks:
        raise DoesNotFitError(
            f"network {spec.name} does not fit {board.name}: its {spec.synapses} weights need "
            f"{needed} of {board.part.blocks} block memories; {REMEDY}"
        )
