"""Input spikes with their labels: what engines run on, and how they lie on disk.

A run folder holds the held-back samples in this form, already binned and binarised, so that
checking, benchmarking and driving a board need neither torch nor the data set.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import DataError

if TYPE_CHECKING:
    from .runfolder import RunFolder

#: Entry points ``function(rest: str, run: RunFolder) -> Stimulus``, by scheme.
GROUP = "spikewright.stimuli"


@dataclass(frozen=True, eq=False)
class Stimulus:
    """``spikes``: bool (samples, timesteps, inputs); ``labels``: int64 (samples,), −1 unknown."""

    spikes: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        spikes, labels = np.asarray(self.spikes), np.asarray(self.labels, np.int64)
        if spikes.ndim != 3:
            raise DataError(
                f"spikes have shape {spikes.shape}; (samples, timesteps, inputs) is needed"
            )
        if spikes.dtype != np.bool_:
            if not np.isin(spikes, (0, 1)).all():
                raise DataError("spikes hold values other than 0 and 1; binarise them first")
            spikes = spikes.astype(np.bool_)
        if labels.shape != spikes.shape[:1]:
            raise DataError(f"{labels.size} labels for {len(spikes)} samples; one each is needed")
        object.__setattr__(self, "spikes", spikes)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.spikes)

    def __getitem__(self, which: slice) -> Stimulus:
        return Stimulus(self.spikes[which], self.labels[which])

    def save(self, path: Path | str) -> None:
        """Writes an npz with the spikes packed eight to a byte."""
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                packed=np.packbits(self.spikes, axis=-1),
                inputs=np.int64(self.spikes.shape[-1]),
                labels=self.labels,
            )

    @classmethod
    def load(cls, path: Path | str) -> Stimulus:
        """Reads what :meth:`save` wrote; DataError if it is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                packed, inputs = archive["packed"], int(archive["inputs"])
                labels = archive["labels"]
            if packed.dtype != np.uint8 or packed.ndim != 3 or packed.shape[-1] != -(-inputs // 8):
                raise ValueError(f"{packed.dtype} array of shape {packed.shape}")
            spikes = np.unpackbits(packed, axis=-1, count=inputs).astype(np.bool_)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
        except (KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise DataError(
                f"{path} is no stimulus file ({error}); give one that `spikewright compile` or "
                f"Stimulus.save wrote"
            ) from error
        return cls(spikes, labels)


def from_argument(argument: str, run: RunFolder) -> Stimulus:
    """The samples that ``SCHEME:REST`` names, encoded as ``run`` encodes its input.

    Raises
    ------
    DataError
        If the scheme is unknown, lacks a package, or finds nothing usable at REST.
    """
    scheme, colon, rest = argument.partition(":")
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    if not (colon and rest) or scheme not in points:
        allowed = ", ".join(f"{name}:…" for name in sorted(points))
        raise DataError(
            f"data {argument!r} is not understood; give SCHEME:PATH with one of {allowed}"
        )
    try:
        return points[scheme].load()(rest, run)
    except ModuleNotFoundError as error:
        raise DataError(
            f"data {argument!r} needs the package {error.name!r}, which is not installed; run: "
            f"pip install 'spikewright[train]'"
        ) from error


def from_file(path: str, run: RunFolder | None = None) -> Stimulus:
    """``--data spikes:FILE.npz``: samples that are already encoded."""
    return Stimulus.load(path)
