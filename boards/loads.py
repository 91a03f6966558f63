"""What a board loads: the network's image, and behind it whose training that is."""

from collections.abc import Sequence

from ..gen.folding import Folding, Storage
from ..gen.plan import LayerPlan
from ..gen.rtl.image import network_image
from ..gen.spec import NetworkSpec
from ..gen.training import training_image
from .protocol import DIGEST_BYTES, short


def image_bytes(plans: Sequence[LayerPlan]) -> int:
    """Bytes that a board of ``plans`` loads."""
    image = network_image(plans)
    return len(image) + DIGEST_BYTES if image else 0


def filled(plans: Sequence[LayerPlan]) -> bool:
    """Whether the bitstream fills all memories."""
    return all(plan.synapses.storage is not Storage.SPRAM for plan in plans)


def board_image(built: NetworkSpec, folding: Folding, spec: NetworkSpec) -> bytes:
    """The bytes after which a board with hardware of ``built``, folded by ``folding``, carries
    ``spec``; none if nothing can be loaded.

    Raises
    ------
    ShapeError
        If ``spec`` is no training of that shape, or needs more bits somewhere.
    """
    image = training_image(built, folding, spec)
    return image + short(spec.digest) if image else b""
