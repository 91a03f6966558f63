"""Accuracy against flips, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import SpikewrightError


def check_picture(path: Path) -> None:
    """Raises SpikewrightError if ``path`` does not end like a picture that can be drawn."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise SpikewrightError(f"picture {path} ends in {path.suffix!r}; use .png or .svg")


def draw_accuracy(path: Path, figures: dict[str, Any]) -> None:
    """Draws what the command ``faults`` found, to ``path``, whose ending says as what.

    Raises
    ------
    SpikewrightError
        If Matplotlib is missing, the ending is none of a picture, or nothing can be written there.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise SpikewrightError(
            f"a picture needs the package {error.name!r}, which is not installed; run: pip install "
            f"'spikewright[report]'"
        ) from error
    check_picture(path)
    asked = [row["asked"] for row in figures["rows"]]
    means = [100 * row["mean"] for row in figures["rows"]]
    spreads = [100 * row["spread"] for row in figures["rows"]]
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(asked, means, yerr=spreads, marker="o", capsize=3, color="#1f5a9e")
    smallest = min((number for number in asked if number > 0), default=1)
    axes.set_xscale("symlog", linthresh=smallest)
    axes.set_ylim(0, 102)
    what = "flipped bits" if figures["asked"] == "flips" else "probability of a flip, each bit"
    axes.set_xlabel(f"{what} ({', '.join(figures['memory'])}; {figures['bits']:,} bits)")
    axes.set_ylabel("accuracy, %")
    axes.set_title(f"{figures['samples']} samples, mean and standard deviation of "
                   f"{figures['seeds']} seeds", fontsize=9)
    axes.grid(alpha=0.3)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise SpikewrightError(f"{path} cannot be written ({error.strerror})") from error
