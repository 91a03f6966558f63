"""Where recordings come from, as a recipe says it."""

from pydantic import Field

from ..fields import Part
from .camera import Camera


class Data(Part):
    """Where recordings come from; see :func:`spikewright.model.data.sources.load`."""

    #: ``digits``, ``mnist``, ``nmnist``, ``dvs-gesture``, ``cifar10-dvs`` or ``events:FILE.npz``.
    source: str = "digits"
    #: Samples to train on, where the source has no split of its own: the rest is held back.
    #: None: four fifths.
    train: int | None = Field(default=None, ge=1)
    #: The camera that looks at the digits.
    camera: Camera = Camera()
