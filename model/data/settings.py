"""Where samples come from, as a recipe says it."""

from typing import Literal

from pydantic import Field

from ..fields import Part
from .camera import Camera

#: How features of a table become numbers between 0 and 1; see :mod:`.tabular`.
Scaling = Literal["standard", "range"]


class Data(Part):
    """Where samples come from; see :func:`spikewright.model.data.sources.load`."""

    #: ``digits``, ``mnist``, ``nmnist``, ``dvs-gesture``, ``cifar10-dvs``, ``shd``,
    #: ``sklearn:NAME`` or ``events:FILE.npz``.
    source: str = "digits"
    #: Samples to train on, where the source has no split of its own: the rest is held back.
    #: None: four fifths.
    train: int | None = Field(default=None, ge=1)
    #: Array of an event file that tells groups of samples apart, such as ``recording``: the last
    #: fifth of each group, in the file's order, is held back.
    split: str | None = Field(default=None, min_length=1)
    #: Scaling of a table's features.
    scaling: Scaling = "standard"
    #: The camera that looks at the digits.
    camera: Camera = Camera()
