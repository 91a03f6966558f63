"""Recordings distorted at random while a net is trained, so that a few hundred of them suffice."""

import math
from typing import TYPE_CHECKING

from pydantic import Field

from ..fields import Part

if TYPE_CHECKING:
    import torch


class Augmentation(Part):
    """How far recordings are distorted while training: in space, in time, in polarity, and by
    losing events. Nothing is distorted unless asked for."""

    #: Pixels, each way.
    shift: int = Field(default=0, ge=0, le=16)
    #: Degrees, each way.
    rotation: float = Field(default=0.0, ge=0, le=180)
    #: Width and height, each for itself, shrink by a factor of up to 1 ± this.
    scale: float = Field(default=0.0, ge=0, lt=1)
    #: Pixels that a row moves at most, for each pixel between it and the middle.
    shear: float = Field(default=0.0, ge=0, le=1)
    #: Timesteps that a recording begins earlier or later; what leaves it is lost.
    time_shift: int = Field(default=0, ge=0, le=4096)
    #: Share of recordings in which ON and OFF change places.
    polarity_flip: float = Field(default=0.0, ge=0, le=1)
    #: Largest share of events that a recording loses at random. Unlike training.input_dropout, what
    #: is left keeps its value, and every recording has a share of its own.
    event_drop: float = Field(default=0.0, ge=0, lt=1)


def distort(
    x: "torch.Tensor", input_shape: tuple[int, ...], options: Augmentation
) -> "torch.Tensor":
    """``x`` (batch, timesteps, inputs), each recording distorted on its own; spikes stay spikes.

    ``input_shape`` is (polarity, y, x). All that is random comes from PyTorch's generator, and is
    drawn only for what is asked for. In this order: :func:`_moved` in space, moved in time by whole
    timesteps, polarities swapped, events dropped one by one.
    """
    import torch

    batch, timesteps = x.shape[:2]
    if options.shift or options.rotation or options.scale or options.shear:
        x = _moved(x, input_shape, options)
    if options.time_shift:
        reach = min(options.time_shift, timesteps)
        move = torch.randint(-reach, reach + 1, (batch, 1), device=x.device)
        source = torch.arange(timesteps, device=x.device) - move
        inside = (source >= 0) & (source < timesteps)
        rows = torch.arange(batch, device=x.device)[:, None]
        x = x[rows, source.clamp(0, timesteps - 1)] * inside[:, :, None]
    if options.polarity_flip and input_shape[0] == 2:
        swapped = torch.rand(batch, 1, 1, device=x.device) < options.polarity_flip
        x = torch.where(swapped, x.roll(x.shape[2] // 2, 2), x)
    if options.event_drop:
        kept = 1 - options.event_drop * torch.rand(batch, 1, 1, device=x.device)
        # A count is so many events, each of which is lost or not.
        x = torch.binomial(x, kept.expand_as(x))
    return x


def _moved(
    x: "torch.Tensor", input_shape: tuple[int, ...], options: Augmentation
) -> "torch.Tensor":
    """Each recording seen through a random map of its own.

    An output pixel takes every spike of the input pixel nearest to ``M·p + d``, or none where that
    lies off the sensor; p is counted from the sensor's centre (x, y), and::

        M = [cos φ  −sin φ] [a  s]        φ up to ± rotation,  a and b within 1 ± scale,
            [sin φ   cos φ] [0  b]        s up to ± shear,     d whole pixels up to ± shift

    all drawn evenly and independently. All timesteps and both polarities of a recording move alike.
    """
    import torch
    from torch.nn import functional

    height, width = input_shape[-2:]
    batch = len(x)

    def drawn(reach: float) -> "torch.Tensor":
        return (2 * torch.rand(batch, device=x.device) - 1) * reach

    angle = drawn(math.radians(options.rotation))
    a, b, shear = 1 + drawn(options.scale), 1 + drawn(options.scale), drawn(options.shear)
    move = torch.randint(-options.shift, options.shift + 1, (2, batch), device=x.device)
    cos, sin = angle.cos(), angle.sin()
    # Pixels are not square where affine_grid counts from −1 to 1.
    aspect = height / width
    rows = [
        (cos * a, (cos * shear - sin * b) * aspect, 2 * move[0] / width),
        (sin * a / aspect, sin * shear + cos * b, 2 * move[1] / height),
    ]
    theta = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = functional.affine_grid(theta, [batch, 1, height, width], align_corners=False)
    frames = x.reshape(batch, -1, height, width)
    return functional.grid_sample(
        frames, grid, mode="nearest", padding_mode="zeros", align_corners=False
    ).reshape(x.shape)
