"""How much of a design switches: toggled bits, counted in the waveform that an engine recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ...gen.errors import SpikewrightError

#: Names of clocks; they switch in every cycle and are accounted for by themselves.
CLOCKS = ("clk", "clock")

_BINARY = set("01")


class WaveformError(SpikewrightError, ValueError):
    """A file that is no value change dump, or holds no clock."""


@dataclass(frozen=True)
class Toggles:
    """``toggles`` changes of ``bits`` of signals over ``cycles`` of the clock.

    Each signal counts once, however many modules it passes; fields and elements of signals that are
    recorded whole do not count again, nor do the words of memories. What glitches between two clock
    edges is not in the waveform of a cycle-accurate engine.
    """

    toggles: int
    bits: int
    cycles: int

    @property
    def activity(self) -> float:
        """α: toggles of a bit in a cycle."""
        return self.toggles / (self.bits * self.cycles)


def toggles(waveform: Path) -> Toggles:
    """Toggles in the VCD file ``waveform``.

    Raises
    ------
    WaveformError
        If it is no VCD file, or has no signal that is called clk or clock.
    """
    try:
        with waveform.open(encoding="utf-8") as file:
            return _count(file, waveform)
    except (OSError, UnicodeDecodeError) as error:
        raise WaveformError(f"{waveform} cannot be read ({error}); give a VCD file") from error


def _count(file: TextIO, waveform: Path) -> Toggles:
    clock, widths = _header(file, waveform)
    values = dict.fromkeys(widths, 0)
    known: set[str] = set()
    edges = changed = 0
    for name, value in _changes(file):
        if name == clock:
            edges += value == 1
        elif name in values:
            # What a signal is at the start is no change.
            if name in known:
                changed += (values[name] ^ value).bit_count()
            known.add(name)
            values[name] = value
    if not edges:
        raise WaveformError(f"{waveform} holds no cycle of its clock; record at least one sample")
    return Toggles(changed, sum(widths.values()), edges)


def _header(file: TextIO, waveform: Path) -> tuple[str, dict[str, int]]:
    """The clock's identifier, and the bits of every signal that counts."""
    clock, widths = None, {}
    for line in file:
        words = line.split()
        if words[:1] == ["$enddefinitions"]:
            break
        if words[:1] != ["$var"] or len(words) < 6 or words[1] in ("string", "real"):
            continue
        width, identifier, name = int(words[2]), words[3], words[4]
        if name in CLOCKS:
            clock = clock or identifier
        elif not set("[.") & set(name):
            widths[identifier] = width
    if clock is None:
        raise WaveformError(f"{waveform} has no clock (a signal named {' or '.join(CLOCKS)}); give "
                            f"a VCD file that `spikewright simulate --waveform` wrote")
    return clock, {name: width for name, width in widths.items() if name != clock}


def _changes(file: TextIO) -> Iterator[tuple[str, int]]:
    """(identifier, value) in order; unknown bits count as 0."""
    for line in file:
        if line[0] == "b":
            digits, _, identifier = line[1:].partition(" ")
            yield identifier.strip(), int(digits, 2) if set(digits) <= _BINARY else int(
                "".join("1" if digit == "1" else "0" for digit in digits), 2)
        elif line[0] in "01xzXZ":
            yield line[1:].strip(), int(line[0] == "1")
