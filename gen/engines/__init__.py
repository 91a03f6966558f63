"""Engines: every way to run a network, behind one call and one result type.

An engine is a function ``run(spec, signals, options) -> Trace``, registered by name as an entry
point in the group ``spikewright.engines``; that is how the torch side offers ``torch`` without the
hardware side importing it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import DataError, SpikewrightError
from ..folding import Folding
from ..spec import InputKind, NetworkSpec
from ..stimulus import whole_numbers
from ..trace import Trace

if TYPE_CHECKING:
    from ..faults import Flips

GROUP = "spikewright.engines"

#: Engines that take flips of bits: the models by :mod:`spikewright.gen.faults`, hardware in its
#: memories.
FLIPPING = ("golden", "cycles", "amaranth", "verilator", "cxxrtl")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller may ask of any engine; one that cannot deliver says so."""

    folding: Folding = field(default_factory=Folding)
    membranes: bool = False
    waveform: Path | None = None
    #: (samples,): how many of each sample's timesteps to run; all if None. Golden alone takes it.
    timesteps: npt.NDArray[np.int64] | None = None
    #: Folder of a built board, for engines that simulate one; they take its folding.
    build: Path | None = None
    #: Bits of the hardware's memories that flip.
    flips: Flips | None = None
    #: Processes that samples are divided among, by engines that do; one for each core if None.
    processes: int | None = None
    #: Called with the number of samples finished since the last call.
    progress: Callable[[int], None] = lambda samples: None


def available_engines() -> list[str]:
    """Names of the registered engines; whether their dependencies are installed shows on use."""
    return sorted({point.name for point in metadata.entry_points(group=GROUP)})


def simulate(
    spec: NetworkSpec,
    signals: npt.ArrayLike,
    *,
    engine: str = "amaranth",
    folding: Folding | None = None,
    membranes: bool = False,
    waveform: Path | str | None = None,
    timesteps: npt.ArrayLike | None = None,
    flips: Flips | None = None,
    processes: int | None = None,
    build: Path | str | None = None,
    progress: Callable[[int], None] = lambda samples: None,
) -> Trace:
    """Runs ``signals`` through ``spec`` on ``engine``.

    ``signals`` is shaped as the spec's :class:`~spikewright.gen.coding.InputKind` says: bool
    (samples, timesteps, inputs) for events. ``membranes`` adds every membrane to the trace;
    ``waveform`` names a VCD file to write (RTL engines); ``folding`` is the hardware's shape (RTL
    engines and the cycle model; default one lane per neuron). ``processes``, of engines verilator
    and cxxrtl, is among how many samples are divided; default one for each core.

    ``timesteps``, (samples,), is for engine golden and a readout with early exit: spikes, membranes
    and counters are those of so many timesteps of each sample, as :attr:`Trace.timesteps` of
    hardware says; scores and prediction are of the whole sample all the same.

    ``flips`` are bits of the memories of ``folding`` that flip, see :mod:`spikewright.gen.faults`;
    the engines of :data:`FLIPPING` take them.

    Raises
    ------
    DataError
        If the signals, or the timesteps, have values or a shape that the network does not take.
    SpikewrightError
        If the engine is unknown, or lacks something it needs.
    """
    signals = checked(spec, np.asarray(signals))
    if processes is not None and processes < 1:
        raise DataError(f"{processes} processes asked for; at least 1 is needed, or None for one "
                        f"for each core")
    options = Options(
        folding=folding or Folding(),
        membranes=membranes,
        waveform=Path(waveform) if waveform is not None else None,
        timesteps=None if timesteps is None else _checked_timesteps(spec, signals, timesteps),
        flips=flips,
        processes=processes,
        build=Path(build) if build is not None else None,
        progress=progress,
    )
    if options.timesteps is not None and engine != "golden":
        raise DataError(
            f"engine {engine} decides itself how many timesteps it runs; give timesteps to golden "
            f"alone"
        )
    if flips is not None and engine not in FLIPPING:
        raise DataError(
            f"engine {engine} has no memories whose bits could flip; use {' or '.join(FLIPPING)}"
        )
    return load_engine(engine)(spec, signals, options)


def checked(spec: NetworkSpec, signals: npt.NDArray) -> npt.NDArray:
    """``signals`` as engines take them: bool for events, uint8 for values; DataError if ``spec``
    does not take them."""
    held = spec.input.kind is InputKind.CURRENT
    if signals.ndim != 3 or signals.shape[2] != spec.inputs or not len(signals):
        raise DataError(
            f"input has shape {signals.shape}; network {spec.name} takes (samples ≥ 1, "
            f"{'1' if held else 'timesteps'}, {spec.inputs})"
        )
    if held and signals.shape[1] != 1:
        raise DataError(
            f"{signals.shape[1]} timesteps given; the input of network {spec.name} is held for "
            f"all {spec.timesteps} timesteps, so give one"
        )
    if not 1 <= spec.steps(signals) <= spec.timesteps:
        raise DataError(
            f"{signals.shape[1]} timesteps given; network {spec.name} is proven for 1 to "
            f"{spec.timesteps}; shorten the input or compile with more"
        )
    try:
        signals = whole_numbers(signals, spec.input.most)
    except DataError as error:
        raise DataError(f"network {spec.name}: {error}") from error
    return signals.astype(np.bool_ if spec.input.kind is InputKind.EVENTS else np.uint8, copy=False)


def _checked_timesteps(
    spec: NetworkSpec, signals: npt.NDArray, timesteps: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    counts, most = np.asarray(timesteps), spec.steps(signals)
    if not spec.readout.early_exit:
        raise DataError(
            f"timesteps are given, but network {spec.name} never exits early, so it runs all; "
            f"leave them out, or give it a Readout with early_exit=True"
        )
    if (counts.shape != (len(signals),) or counts.dtype.kind not in "iu"
            or not 1 <= counts.min() <= counts.max() <= most):
        raise DataError(f"timesteps is {timesteps!r:.80}; one integer from 1 to {most} is needed "
                        f"for each of the {len(signals)} samples")
    return counts.astype(np.int64)


def load_engine(engine: str) -> Callable[[NetworkSpec, npt.NDArray, Options], Trace]:
    """The function behind ``engine``; SpikewrightError if it is unknown or lacks a package."""
    points = list(metadata.entry_points(group=GROUP, name=engine))
    if not points:
        raise SpikewrightError(
            f"engine {engine!r} is unknown; available are {', '.join(available_engines())}"
        )
    try:
        return points[0].load()
    except ModuleNotFoundError as error:
        raise SpikewrightError(
            f"engine {engine!r} needs the package {error.name!r}, which is not installed; "
            f"run: pip install 'spikewright[train]'"
        ) from error
