"""What one step of a layer's weights is worth: Δ, searched for or given."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...gen.errors import SpecError
from ..exchange.float_layer import FloatLayer
from .settings import Quantisation

#: Δ of a layer: (1,), or of each output channel.
Steps = npt.NDArray[np.float64]

#: The finest Δ of a channel, of the layer's largest.
_FINEST = 1 / 16

#: Shares of the largest weight that are tried as the largest integer.
_CLIPS = np.linspace(0.2, 1.0, 81)


def weight_steps(
    weight: npt.NDArray[np.float64], bits: int, options: Quantisation, *, common: bool = False
) -> Steps:
    """Δ for ``weight`` (output channels, …): one of each channel if ``options`` are so, unless one
    in ``common`` is needed; 1 if every weight is 0."""
    separate = options.per == "channel" and not common
    rows = np.abs(weight).reshape(len(weight) if separate else 1, -1)
    largest = rows.max(1)
    if not largest.any():
        return np.ones(1)
    top = (1 << (bits - 1)) - 1
    if options.scale == "percentile":
        found = np.percentile(rows, options.percentile, axis=1)
        found = np.where(found > 0, found, largest) / top
    else:
        signed = weight.reshape(rows.shape)
        candidates = largest * _CLIPS[:, np.newaxis] / top
        errors = [
            np.square(integers(signed, np.where(step > 0, step, 1)[:, np.newaxis], bits)
                      * step[:, np.newaxis] - signed).sum(1) for step in candidates
        ]
        found = np.take_along_axis(candidates, np.argmin(errors, 0)[np.newaxis], 0)[0]
    return np.maximum(found, found.max() * _FINEST)


def given_steps(
    steps: Sequence[float | Steps], floats: Sequence[FloatLayer], *, compared: bool
) -> list[Steps]:
    """``steps`` as :class:`.rounding.Quantised` holds them, or SpecError."""
    found = [np.atleast_1d(np.asarray(step, np.float64)) for step in steps]
    if len(found) != len(floats) or not all((np.isfinite(s) & (s > 0)).all() for s in found):
        raise SpecError(f"steps are {list(steps)}; one number above 0 for each of the "
                        f"{len(floats)} layers is needed")
    for layer, step in zip(floats, found, strict=True):
        if step.shape not in ((1,), (len(layer.weight),)):
            raise SpecError(f"layer {layer.name}: steps have shape {step.shape}; give one, or one "
                            f"for each of {len(layer.weight)} output channels")
    if compared and (found[-1] != found[-1][0]).any():
        raise SpecError(f"layer {floats[-1].name}: its membranes are compared with one another, so "
                        f"they need one step; give one number in place of {len(found[-1])}")
    return found


def integers(values: npt.NDArray[np.float64], step: float | Steps, bits: int) -> Steps:
    """The nearest whole steps that ``bits`` hold."""
    limit = 1 << (bits - 1)
    return np.clip(np.rint(values / step), -limit, limit - 1)
