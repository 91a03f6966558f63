"""Which sources of samples there are, whether their files are here, and how to get them."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import images
from .event_file import NEEDED
from .sources import EVENTS_PREFIX, ROOT_VARIABLE, TABLE_PREFIX
from .tabular import TABLES
from .tonic_sets import TONIC, TonicSet

#: Where a download is told to go while no data folder is named.
_ANY_ROOT = Path("FOLDER")

#: How deep below the data folder event files are looked for.
_EVENT_FILES = ("*.npz", "*/*.npz")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of samples."""

    #: As recipes and ``--data`` name it.
    source: str
    what: str
    #: Every file that training and judging need is here.
    present: bool
    #: What its files take on disk, 0 where a package brings them along.
    bytes: int = 0
    #: What to do to have it.
    get: str | None = None


def catalogue(root: Path | str | None = None) -> list[Source]:
    """Every source, those of packages first; ``root`` is the data folder, SPIKEWRIGHT_DATA if not
    given."""
    given = root if root is not None else os.environ.get(ROOT_VARIABLE)
    place = Path(given) if given else None
    return [
        Source(source="digits", what="handwritten digits, simulated camera",
               present=True),
        *(Source(source=TABLE_PREFIX + name, what=what, present=True)
          for name, (_, what) in TABLES.items()),
        _mnist(place),
        *(_tonic(source, tonic_set, place) for source, tonic_set in TONIC.items()),
        *_event_files(place),
    ]


def _mnist(root: Path | None) -> Source:
    files = images.files(root) if root else []
    return Source(
        source="mnist", what="MNIST, 28×28", present=bool(files), bytes=_size(files),
        get=None if files else _with_root(root, images.download(root or _ANY_ROOT)),
    )


def _tonic(source: str, tonic_set: TonicSet, root: Path | None) -> Source:
    x, y, polarities = tonic_set.sensor_size
    parts = [tonic_set.files(root, part) if root else [] for part in tonic_set.parts]
    present = all(parts)
    return Source(
        source=source, present=present, bytes=sum(map(_size, parts)),
        what=f"{tonic_set.title}, {x}×{y}×{polarities}, {tonic_set.classes} classes",
        get=None if present else _with_root(root, tonic_set.download(root or _ANY_ROOT)),
    )


def _event_files(root: Path | None) -> list[Source]:
    """Those below the data folder; without any, how such a file is named."""
    found = sorted(path for pattern in _EVENT_FILES for path in (root.glob(pattern) if root else ())
                   if _is_event_file(path))
    if not found:
        return [Source(source=f"{EVENTS_PREFIX}FILE.npz", what="recordings in a file of your own",
                       present=False,
                       get=f"write an npz with {', '.join(NEEDED)}; below the data folder it is "
                           f"listed here")]
    return [Source(source=f"{EVENTS_PREFIX}{path.relative_to(root or path)}", present=True,
                   what="recordings in a file", bytes=path.stat().st_size) for path in found]


def _is_event_file(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in NEEDED} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _size(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _with_root(root: Path | None, download: str) -> str:
    return download if root else f"{download}; then set {ROOT_VARIABLE}={_ANY_ROOT}"
