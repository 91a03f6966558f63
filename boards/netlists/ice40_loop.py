"""A phase-locked loop of an iCE40, as the bits of a bitstream set it.

In a simulation the clock that drives the design is the loop's output: the loop itself is left out,
but for what its dividers make of the oscillator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ...gen.errors import ToolError
from .ice40_chip import Cell, Place

#: The reference, and what the loop drives, among the cell's wires and outputs.
_REFERENCE = 0
_LOCK, _CLOCK, _SECOND_CLOCK, _GLOBAL_CLOCK, _SECOND_GLOBAL = range(5)

#: PLLTYPE of SB_PLL40_PAD and SB_PLL40_CORE.
_AT_PIN, _IN_FABRIC = 2, 3
#: FEEDBACK_PATH of a loop that is closed inside: SIMPLE.
_SIMPLE = 1


@dataclass(frozen=True)
class Ice40UsedLoop:
    """``ratio``: clock over oscillator. ``reference``: the wire that the oscillator comes over, if
    it is not the pad at the loop. ``locked``, ``clocks``: wires that it drives."""

    ratio: Fraction
    reference: int | None
    locked: int
    clocks: tuple[int, int]


def used_loop(cell: Cell, bit: Callable[[Place], bool]) -> Ice40UsedLoop | None:
    """What ``cell``, a loop, does; None if it is off.

    Raises
    ------
    ToolError
        If it is set up in a way that is not known here.
    """
    def number(name: str) -> int:
        bits = sorted(each for each in cell.bits if each.rpartition("_")[0] == name)
        return sum(bit(cell.bits[each]) << n for n, each in enumerate(bits))

    kind = number("PLLTYPE")
    if kind == 0:
        return None
    if kind not in (_AT_PIN, _IN_FABRIC) or number("FEEDBACK_PATH") != _SIMPLE \
            or number("PLLOUT_SELECT_A") != 0:
        raise ToolError("the bitstream uses a PLL with several clocks, or with a feedback or phase "
                        "that cannot be read back; use SB_PLL40_PAD or SB_PLL40_CORE, simple")
    return Ice40UsedLoop(
        ratio=Fraction(number("DIVF") + 1, (number("DIVR") + 1) << number("DIVQ")),
        reference=cell.wires[_REFERENCE] if kind == _IN_FABRIC else None,
        locked=cell.outputs[_LOCK],
        clocks=(cell.outputs[_CLOCK], cell.outputs[_GLOBAL_CLOCK]),
    )
