"""Encoded samples, kept so that the next run need not encode them again.

An entry's name is a SHA-256 of all that decides what is in it: the samples' fingerprint, the
encoding, and the code and packages that encode. Whatever changes, the name changes with it, so an
entry is never out of date; :func:`spikewright.gen.cache.cache_folder` may be emptied at any time.
"""

import hashlib
import os
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

from ...gen import stimulus as stimulus_module
from ...gen.cache import cache_folder
from ...gen.console import say
from ...gen.errors import DataError
from ...gen.stimulus import Stimulus
from .datasets import Dataset, EventDataset
from .encoding import Encoding


def folder() -> Path:
    """Where encoded samples are kept."""
    return cache_folder() / "samples"


def entry(encoding: Encoding, dataset: Dataset) -> Path | None:
    """Where ``dataset`` is kept as ``encoding`` encodes it; None: nowhere, because it is encoded
    faster than read (images), or does not say what it consists of."""
    if not isinstance(dataset, EventDataset) or dataset.fingerprint is None:
        return None
    hasher = hashlib.sha256(_encoder())
    for part in (dataset.fingerprint, str(dataset.sensor_size), encoding.model_dump_json()):
        hasher.update(part.encode() + b"\0")
    return folder() / f"{hasher.hexdigest()}.npz"


@cache
def _encoder() -> bytes:
    """A digest of what encodes: the modules here, and the packages they use."""
    hasher = hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.glob("*.py")), Path(stimulus_module.__file__)]:
        hasher.update(path.read_bytes() + b"\0")
    for package in ("tonic", "numpy"):
        hasher.update(metadata.version(package).encode() + b"\0")
    return hasher.digest()


def read(encoding: Encoding, dataset: Dataset) -> Stimulus | None:
    """The samples if they are kept; one that was damaged is deleted."""
    path = entry(encoding, dataset)
    if path is None or not path.exists():
        return None
    shape = (len(dataset), encoding.frames)
    try:
        kept = Stimulus.load(path)
        if kept.spikes.shape[:2] == shape and (kept.labels == dataset.labels).all():
            return kept
    except DataError:
        pass
    path.unlink(missing_ok=True)
    return None


def keep(encoding: Encoding, dataset: Dataset, samples: Stimulus) -> None:
    """Writes an entry, whole or not at all; where that is impossible, says so and goes on."""
    path = entry(encoding, dataset)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as temporary:
            written = Path(temporary) / path.name
            samples.save(written)
            os.replace(written, path)
    except OSError as error:
        say(f"encoded samples are not kept: {path.parent} cannot be written "
            f"({error.strerror or error}); set SPIKEWRIGHT_CACHE to a folder that can")


def clear() -> int:
    """Deletes every entry; how many bytes that were."""
    freed = 0
    for path in entries():
        freed += path.stat().st_size
        path.unlink(missing_ok=True)
    return freed


def entries() -> list[Path]:
    """Every entry there is."""
    return sorted(folder().glob("*.npz"))
