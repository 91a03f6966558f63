"""Engines: every way to run a network, behind one call and one result type.

An engine is a function ``run(spec, spikes, options) -> Trace``, registered by name as an entry
point in the group ``spikewright.engines``; that is how the torch side offers ``torch`` without the
hardware side importing it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import DataError, SpikewrightError
from ..folding import Folding
from ..spec import NetworkSpec
from ..trace import Trace

GROUP = "spikewright.engines"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller may ask of any engine; one that cannot deliver says so."""

    folding: Folding = field(default_factory=Folding)
    membranes: bool = False
    waveform: Path | None = None
    #: Called with the number of samples finished since the last call.
    progress: Callable[[int], None] = lambda samples: None


def available_engines() -> list[str]:
    """Names of the registered engines; whether their dependencies are installed shows on use."""
    return sorted({point.name for point in metadata.entry_points(group=GROUP)})


def simulate(
    spec: NetworkSpec,
    spikes: npt.ArrayLike,
    *,
    engine: str = "amaranth",
    folding: Folding | None = None,
    membranes: bool = False,
    waveform: Path | str | None = None,
    progress: Callable[[int], None] = lambda samples: None,
) -> Trace:
    """Runs ``spikes``, bool (samples, timesteps, inputs), through ``spec`` on ``engine``.

    ``membranes`` adds every membrane to the trace; ``waveform`` names a VCD file to write (RTL
    engines); ``folding`` is the hardware's shape (RTL engines; default one lane per neuron).

    Raises
    ------
    DataError
        If the spikes are not 0 and 1, or of another shape than the network takes.
    SpikewrightError
        If the engine is unknown, or lacks something it needs.
    """
    spikes = np.asarray(spikes)
    if spikes.ndim != 3 or spikes.shape[2] != spec.inputs or not len(spikes):
        raise DataError(
            f"spikes have shape {spikes.shape}; network {spec.name} takes (samples ≥ 1, "
            f"timesteps, {spec.inputs})"
        )
    if not 1 <= spikes.shape[1] <= spec.timesteps:
        raise DataError(
            f"{spikes.shape[1]} timesteps given; network {spec.name} is proven for 1 to "
            f"{spec.timesteps}; shorten the input or compile with more"
        )
    if spikes.dtype != np.bool_:
        if not np.isin(spikes, (0, 1)).all():
            raise DataError("spikes hold values other than 0 and 1; binarise them first")
        spikes = spikes.astype(np.bool_)
    options = Options(
        folding=folding or Folding(),
        membranes=membranes,
        waveform=Path(waveform) if waveform is not None else None,
        progress=progress,
    )
    return load_engine(engine)(spec, spikes, options)


def load_engine(engine: str) -> Callable[[NetworkSpec, npt.NDArray[np.bool_], Options], Trace]:
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
