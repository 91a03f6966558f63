"""Event files: recordings of one camera in an npz, for which no package is needed.

=================  ==============================================================================
``x``, ``y``       pixel of every event, integers
``p``              its polarity, 0 or 1
``t``              its time, µs from the start of the sample
``offsets``        sample i is rows ``offsets[i]:offsets[i + 1]``
``labels``         class of every sample
``sensor_size``    (x, y, polarities)
anything else      where it has one entry for every sample, a grouping of them, by which
                   ``data.split`` can hold samples back
=================  ==============================================================================
"""

import hashlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen import npzfile
from ...gen.errors import DataError
from .camera import EVENT
from .datasets import EventDataset

#: Arrays that every event file has.
NEEDED = ("x", "y", "p", "t", "offsets", "labels", "sensor_size")


def from_npz(path: Path | str) -> EventDataset:
    """An event file; DataError if it is missing, damaged or breaks a rule of the format. One that
    was read before, and has not been written since, is not read again."""
    try:
        state = Path(path).stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    # No program can set the time of the last change of an inode.
    return _read(Path(path), (state.st_ctime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=2)
def _read(path: Path, state: tuple[int, ...]) -> EventDataset:
    try:
        content = path.read_bytes()
        arrays = npzfile.read(BytesIO(content))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise DataError(f"{path} is no event file ({error}); give an npz with x, y, p, t, offsets, "
                        f"labels and sensor_size") from error
    return _dataset(path, arrays, hashlib.sha256(content).hexdigest())


def _dataset(path: Path, arrays: dict[str, npt.NDArray[Any]], digest: str) -> EventDataset:
    def refuse(problem: str) -> DataError:
        return DataError(f"{path}: {problem}")

    for key in NEEDED:
        if key not in arrays:
            raise refuse(f"array {key!r} is missing; an event file holds x, y, p, t, offsets, "
                         f"labels and sensor_size")
        if arrays[key].ndim != 1 or arrays[key].dtype.kind not in "iu":
            raise refuse(f"array {key!r} is {arrays[key].dtype} of shape {arrays[key].shape}; "
                         f"integers in one dimension are needed")
    count = len(arrays["t"])
    for key in "xyp":
        if len(arrays[key]) != count:
            raise refuse(f"array {key!r} has {len(arrays[key])} events, 't' has {count}; they must "
                         f"be as long as each other")
    size = tuple(arrays["sensor_size"].tolist())
    if len(size) != 3 or not all(1 <= n <= 4096 for n in size) or size[2] > 2:
        raise refuse(f"sensor_size is {size}; (x, y, polarities) is needed, sides from 1 to 4096 "
                     f"and 1 or 2 polarities")
    offsets, labels = arrays["offsets"].astype(np.int64), arrays["labels"].astype(np.int64)
    if len(offsets) != len(labels) + 1 or len(labels) == 0:
        raise refuse(f"{len(offsets)} offsets for {len(labels)} labels; at least one label is "
                     f"needed, and one offset more than labels")
    if offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets) < 0).any():
        raise refuse(f"offsets must rise from 0 to the number of events, {count}; they run from "
                     f"{offsets[0]} to {offsets[-1]}"
                     + (", not always upward" if (np.diff(offsets) < 0).any() else ""))
    if labels.min() < 0 or labels.max() > 65535:
        raise refuse(f"labels run from {labels.min()} to {labels.max()}; allowed are 0 to 65535")
    for key, limit in zip("xyp", size, strict=True):
        if count and (int(arrays[key].min()) < 0 or int(arrays[key].max()) >= limit):
            raise refuse(f"{key} runs from {arrays[key].min()} to {arrays[key].max()}; the sensor "
                         f"allows 0 to {limit - 1}")
    if count and (int(arrays["t"].min()) < 0 or int(arrays["t"].max()) >= 2**62):
        raise refuse(f"t runs from {arrays['t'].min()} to {arrays['t'].max()} µs; it must count "
                     f"from the start of the sample")
    events = np.empty(count, EVENT)
    for key in "xypt":
        events[key] = arrays[key]
    late = np.diff(events["t"]) < 0
    late[offsets[(offsets > 0) & (offsets < count)] - 1] = False
    if late.any():
        sample = np.repeat(np.arange(len(labels)), np.diff(offsets))
        events = events[np.lexsort((events["t"], sample))]
    events.setflags(write=False)
    return EventDataset(
        name=path.stem, sensor_size=size, classes=int(labels.max()) + 1, labels=labels,
        read=lambda i: events[offsets[i] : offsets[i + 1]],
        groups={key: array for key, array in arrays.items()
                if key not in NEEDED and array.shape == labels.shape
                and array.dtype.kind in "iuSU"},
        fingerprint=digest,
    )
