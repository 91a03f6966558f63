"""Recordings of event cameras as packets of events, read by Tonic's and the makers' own readers.

==========  =====================================================================================
``.aedat4`` iniVation's cameras; package aedat
``.raw``    Prophesee's, EVT 2 or 3; package expelliarmus
``.dat``    Prophesee's older format; package expelliarmus
``.bin``    N-MNIST's samples; Tonic
``.npz``    every sample of an event file one after another; :mod:`.event_file`
==========  =====================================================================================
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gen.errors import DataError, one_line
from .camera import EVENT, Events

#: Events that a reader hands over at a time.
CHUNK = 8192

#: Bytes in which a Prophesee file says what it is.
_HEADER = 4096


def packets(path: Path | str) -> Iterator[Events]:
    """The events of the recording at ``path``, some thousand at a time, in the order of the file.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of a kind without a reader.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} cannot be read: there is no such file; give a recording")
    kinds: dict[str, Callable[[Path], Iterator[npt.NDArray[Any]]]] = {
        ".aedat4": _aedat4, ".raw": _prophesee, ".dat": _prophesee, ".bin": _nmnist,
        ".npz": _event_file,
    }
    if path.suffix.lower() not in kinds:
        raise DataError(f"{path} is of no known kind; {', '.join(kinds)} can be read")
    with _refusing(path):
        for packet in kinds[path.suffix.lower()](path):
            yield _as_events(packet)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Makes a DataError of whatever goes wrong in a reader."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise DataError(f"{path} needs the package {error.name!r}; run: pip install "
                        f"'spikewright[camera]'") from error
    except (DataError, GeneratorExit):
        raise
    except Exception as error:  # each reader has errors of its own
        raise DataError(f"{path} cannot be read as {path.suffix} ({one_line(error)}); give a whole "
                        f"recording") from error


def sensor(path: Path | str) -> tuple[int, int] | None:
    """Pixels (x, y) of the camera, where the recording says; None where it does not.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    with _refusing(path := Path(path)):
        return _sensor(path)


def _sensor(path: Path) -> tuple[int, int] | None:
    if path.suffix.lower() == ".npz":
        from .event_file import from_npz

        return from_npz(path).sensor_size[:2]
    if path.suffix.lower() == ".aedat4" and path.is_file():
        stream = _events_of(path)[1]
        return stream["width"], stream["height"]
    if path.suffix.lower() == ".raw" and path.is_file():
        said = _header(path)
        if found := re.search(r"^% geometry (\d+)x(\d+)", said, re.M):
            return int(found[1]), int(found[2])
        sides = {name: re.search(rf"\b{name}[= ](\d+)", said) for name in ("width", "height")}
        if sides["width"] and sides["height"]:
            return int(sides["width"][1]), int(sides["height"][1])
    return None


def _header(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEADER).decode("latin-1")


def _as_events(packet: npt.NDArray[Any]) -> Events:
    """In Tonic's layout, whatever a reader calls its fields."""
    names = packet.dtype.names or ()
    events = np.empty(len(packet), EVENT)
    for name in ("x", "y", "t"):
        events[name] = packet[name]
    events["p"] = packet["p" if "p" in names else "on"]
    return events


def _aedat4(path: Path) -> Iterator[npt.NDArray[Any]]:
    import aedat

    number, _ = _events_of(path)
    for packet in aedat.Decoder(str(path)):
        if packet["stream_id"] == number:
            yield packet["events"]


def _events_of(path: Path) -> tuple[int, dict[str, Any]]:
    """Number and description of the first stream of events."""
    import aedat

    for number, stream in sorted(aedat.Decoder(str(path)).id_to_stream().items()):
        if stream["type"] == "events":
            return number, stream
    raise DataError(f"{path} holds no events; give a recording with an event stream")


def _prophesee(path: Path) -> Iterator[npt.NDArray[Any]]:
    from expelliarmus import Wizard

    said = _header(path)
    version = re.search(r"^% (?:evt|format EVT) ?(\d)", said, re.M)
    kind = "dat" if path.suffix.lower() == ".dat" else f"evt{version[1] if version else '?'}"
    if kind not in ("dat", "evt2", "evt3"):
        raise DataError(f"{path} says {version[0] if version else 'nothing'} in its header; EVT 2 "
                        f"and 3 can be read; convert it with its maker's tools")
    yield from Wizard(encoding=kind, fpath=path, chunk_size=CHUNK).read_chunk()


def _nmnist(path: Path) -> Iterator[npt.NDArray[Any]]:
    from tonic.io import read_mnist_file

    if path.stat().st_size % 5:
        raise DataError(f"{path} has {path.stat().st_size} bytes; events of 5 bytes are needed")
    yield read_mnist_file(str(path), dtype=EVENT)


def _event_file(path: Path) -> Iterator[npt.NDArray[Any]]:
    from .event_file import from_npz

    dataset, begin = from_npz(path), 0
    for sample in range(len(dataset)):
        events = dataset[sample][0].copy()
        if len(events):
            events["t"] += begin
            begin = int(events["t"][-1]) + 1
            yield events
