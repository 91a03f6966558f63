"""Input signals with their labels: what engines run on, and how they lie on disk.

A run folder holds the held-back samples in this form, already binned and quantised, so that
checking, benchmarking and driving a board need neither torch nor the data set.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import npzfile
from .errors import DataError

if TYPE_CHECKING:
    from .runfolder import RunFolder

#: Entry points ``function(rest: str, run: RunFolder) -> Stimulus``, by scheme.
GROUP = "spikewright.stimuli"


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Samples as :func:`spikewright.gen.simulate` takes them.

    ``spikes``: (samples, timesteps, inputs), bool, or uint8 if any is above 1; one timestep where
    the network holds its input. ``labels``: int64 (samples,), −1 unknown.
    """

    spikes: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        spikes, labels = np.asarray(self.spikes), np.asarray(self.labels, np.int64)
        if spikes.ndim != 3:
            raise DataError(
                f"spikes have shape {spikes.shape}; (samples, timesteps, inputs) is needed"
            )
        spikes = whole_numbers(spikes, 255)
        if labels.shape != spikes.shape[:1]:
            raise DataError(f"{labels.size} labels for {len(spikes)} samples; one each is needed")
        object.__setattr__(self, "spikes", spikes)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.spikes)

    def __getitem__(self, which: slice) -> Stimulus:
        return Stimulus(self.spikes[which], self.labels[which])

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of what the samples are: shape, values and labels, whatever file
        or machine they come from."""
        hasher = hashlib.sha256(np.array(self.spikes.shape, "<i8").tobytes())
        if self.spikes.dtype == np.bool_:
            # Sample by sample, so that no copy of all of them is made.
            for sample in self.spikes:
                hasher.update(np.packbits(sample).tobytes())
        else:
            hasher.update(b"\0values" + np.ascontiguousarray(self.spikes).tobytes())
        hasher.update(self.labels.astype("<i8").tobytes())
        return hasher.hexdigest()

    def save(self, path: Path | str) -> None:
        """Writes an npz; spikes without other values are packed eight to a byte."""
        if self.spikes.dtype == np.bool_:
            arrays = {"packed": np.packbits(self.spikes, axis=-1),
                      "inputs": np.int64(self.spikes.shape[-1])}
        else:
            arrays = {"values": self.spikes}
        with Path(path).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, labels=self.labels, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> Stimulus:
        """Reads what :meth:`save` wrote; DataError if it is missing or damaged."""
        try:
            arrays = npzfile.read(path)
            labels = _array(arrays, "labels", "iu", 1)
            if "values" in arrays:
                spikes = _array(arrays, "values", "B", 3)
            else:
                packed = _array(arrays, "packed", "B", 3)
                inputs = int(_array(arrays, "inputs", "iu", 0))
                if inputs < 0 or packed.shape[-1] != -(-inputs // 8):
                    raise ValueError(f"{packed.shape[-1]} bytes for {inputs} inputs")
                spikes = np.unpackbits(packed, axis=-1, count=inputs).view(np.bool_)
            return cls(spikes, labels)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
        except (KeyError, ValueError, MemoryError) as error:
            raise DataError(
                f"{path} is no stimulus file ({error}); give one that `spikewright compile` or "
                f"Stimulus.save wrote"
            ) from error


def _array(arrays: dict[str, npt.NDArray], name: str, kinds: str, axes: int) -> npt.NDArray[Any]:
    """Array ``name``, if it has so many ``axes`` and is of one of these ``kinds`` of integers:
    signed, unsigned, bytes."""
    array = arrays[name]
    if array.ndim != axes or not {array.dtype.kind, array.dtype.char} & set(kinds):
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} goes up to {array.max()}")
    return array


def whole_numbers(values: npt.NDArray, most: int) -> npt.NDArray[Any]:
    """``values`` as bool if none is above 1, else as uint8.

    Raises
    ------
    DataError
        If any is not an integer from 0 to ``most`` (at most 255).
    """
    if values.dtype == np.bool_:
        return values
    whole = values.dtype.kind in "iu" or (
        values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all()
    )
    if not whole or (values.size and not 0 <= values.min() <= values.max() <= most):
        allowed = "0 and 1; binarise" if most == 1 else f"the integers 0 to {most}; quantise"
        raise DataError(f"the input holds values other than {allowed} it first")
    return values.astype(np.uint8 if values.max(initial=0) > 1 else np.bool_)


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
