"""Waveforms of compiled designs."""

from pathlib import Path

from ..errors import SpikewrightError
from .compiler import Waveform


def waveform_kind(waveform: Path | None) -> Waveform | None:
    """The format that the name asks for; SpikewrightError if it asks for none that there is."""
    if waveform is None:
        return None
    match waveform.suffix.lower():
        case ".vcd":
            return "vcd"
        case ".fst":
            return "fst"
    raise SpikewrightError(f"waveform {waveform} is neither .fst nor .vcd; name it so")
