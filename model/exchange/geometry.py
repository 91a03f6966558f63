"""How a convolution moves over maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...gen.errors import SpecError, UnsupportedModuleError


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """How a convolution's kernel moves over maps of ``input_shape`` (C, H, W)."""

    input_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int

    def sides(self, kernel: Sequence[int]) -> tuple[int, int]:
        """Height and width of the neurons' maps."""
        height, width = (
            (side + 2 * padding - size) // stride + 1 for side, padding, size, stride in
            zip(self.input_shape[1:], self.padding, kernel, self.stride, strict=True)
        )
        return height, width


def geometry_of(shown: str, conv: Any, shape: tuple[int, int, int]) -> Geometry:
    """How ``conv``, an nn.Conv2d or what has its attributes, moves over maps of ``shape``."""
    plain = {"dilation": (1, 1), "padding_mode": "zeros"}
    for option, allowed in plain.items():
        if getattr(conv, option) != allowed:
            raise UnsupportedModuleError(
                f"{shown} has {option}={getattr(conv, option)}, which has no counterpart in "
                f"hardware; leave it at {allowed}"
            )
    if conv.in_channels != shape[0]:
        raise SpecError(f"{shown} has {conv.in_channels} input channels, but {shape[0]} reach it")
    kernel = conv.kernel_size
    match conv.padding:
        case "valid":
            padding = (0, 0)
        case "same":
            if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
                raise UnsupportedModuleError(f"{shown} has padding='same' with an even kernel "
                                             f"{kernel}, which pads one side more; give numbers")
            padding = (kernel[0] // 2, kernel[1] // 2)
        case _:
            padding: Any = conv.padding
    geometry = Geometry(input_shape=shape, stride=conv.stride, padding=padding, groups=conv.groups)
    if min(geometry.sides(kernel)) < 1:
        raise SpecError(f"{shown}: kernel {kernel} is larger than its input {shape[1:]} with "
                        f"padding {padding}; use a smaller kernel or more padding")
    return geometry
