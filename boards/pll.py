"""Clocks that a part's phase-locked loop makes of the board's oscillator.

Both families divide the oscillator to a reference, multiply that in a voltage-controlled oscillator
and divide again; they differ in ranges and in what can be divided by what. Only exact frequencies
are used: a :class:`Setting` says what the divided clock is, not what was asked for.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from ..gen.errors import SpikewrightError


class ClockError(SpikewrightError, ValueError):
    """A clock that cannot be made of the oscillator."""


@dataclass(frozen=True)
class Setting:
    """``hz = oscillator · feedback / (reference · output)``; all dividers as they divide, from 1.

    ``loop``: of an ECP5, what the oscillator of the loop is divided by before it is fed back.
    """

    hz: Fraction
    reference: int
    feedback: int
    output: int
    loop: int = 1


@dataclass(frozen=True)
class Loop:
    """What a family's loop can do; frequencies in Hz, ranges with both ends."""

    reference_hz: tuple[float, float]
    oscillator_hz: tuple[float, float]
    output_hz: tuple[float, float]

    def settings(self, oscillator_hz: int) -> Iterator[Setting]:
        raise NotImplementedError

    def fastest(self, oscillator_hz: int, most_hz: float) -> Setting:
        """The setting with the highest frequency of at most ``most_hz``.

        Raises
        ------
        ClockError
            If there is none.
        """
        possible = _sorted(self, oscillator_hz)
        count = bisect_right(possible, most_hz, key=lambda setting: float(setting.hz))
        if count == 0:
            least = possible[0].hz if possible else None
            raise ClockError(
                f"no clock of at most {most_hz / 1e6:g} MHz can be made of the board's "
                f"{oscillator_hz / 1e6:g} MHz; "
                + ("its loop takes none" if least is None
                   else f"the slowest is {float(least) / 1e6:.3f} MHz")
            )
        return possible[count - 1]


@cache
def _sorted(loop: Loop, oscillator_hz: int) -> tuple[Setting, ...]:
    """All settings, the slowest first; of equal ones that with the fastest reference, which jitters
    least, last."""
    return tuple(sorted(loop.settings(oscillator_hz),
                        key=lambda setting: (setting.hz, -setting.reference)))


def _within(value: Fraction, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


@dataclass(frozen=True)
class Ice40Loop(Loop):
    """SB_PLL40 with simple feedback (Lattice FPGA-TN-02052, section 3): output = oscillator ·
    (DIVF + 1) / (2^DIVQ · (DIVR + 1))."""

    reference_hz: tuple[float, float] = (10e6, 133e6)
    oscillator_hz: tuple[float, float] = (533e6, 1066e6)
    output_hz: tuple[float, float] = (16e6, 275e6)

    def settings(self, oscillator_hz: int) -> Iterator[Setting]:
        for reference in range(1, 17):
            compared = Fraction(oscillator_hz, reference)
            if not _within(compared, self.reference_hz):
                continue
            for feedback in range(1, 129):
                if not _within(compared * feedback, self.oscillator_hz):
                    continue
                for exponent in range(1, 7):
                    hz = compared * feedback / 2**exponent
                    if _within(hz, self.output_hz):
                        yield Setting(hz, reference, feedback, 2**exponent)

    @staticmethod
    def filter_range(reference_hz: Fraction) -> int:
        """FILTER_RANGE for a reference of so many Hz, as Lattice's tools choose it."""
        ends = (17e6, 26e6, 44e6, 66e6, 101e6)
        return 1 + sum(reference_hz >= end for end in ends)


@dataclass(frozen=True)
class Ecp5Loop(Loop):
    """EHXPLLL (Lattice FPGA-TN-02200; ranges of the ECP5 data sheet FPGA-DS-02012): output CLKOP
    closes the loop and output CLKOS is the clock, so that it can be any divided frequency of the
    loop's oscillator: oscillator · CLKFB_DIV · CLKOP_DIV / (CLKI_DIV · CLKOS_DIV)."""

    reference_hz: tuple[float, float] = (10e6, 400e6)
    oscillator_hz: tuple[float, float] = (400e6, 800e6)
    output_hz: tuple[float, float] = (3.125e6, 400e6)

    def settings(self, oscillator_hz: int) -> Iterator[Setting]:
        for reference in range(1, 129):
            compared = Fraction(oscillator_hz, reference)
            if not _within(compared, self.reference_hz):
                continue
            for multiple in range(1, 81):
                inner = compared * multiple
                loop = _loop_divider(multiple)
                if not _within(inner, self.oscillator_hz) or loop is None:
                    continue
                for output in range(1, 129):
                    if _within(inner / output, self.output_hz):
                        yield Setting(inner / output, reference, multiple // loop, output, loop)


def _loop_divider(multiple: int) -> int | None:
    """How much of ``multiple`` the first output divides by before the feedback: the largest factor
    up to 8, so that what is fed back stays within 400 MHz; None if there is none."""
    return next((factor for factor in range(8, 1, -1) if multiple % factor == 0), None)
