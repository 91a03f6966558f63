"""Builds that are kept: each a folder that is there whole, as its seal shows, or not at all."""

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..gen.errors import MALFORMED, ToolError
from ..gen.runfolder import write_json

#: What is known of a build.
FIGURES = "build.json"


@contextmanager
def working_folder(cache: Path) -> Iterator[Path]:
    """A folder to work in, beside the entries of ``cache`` so that what is finished can be moved
    among them; whatever is left in it is gone afterwards.

    Raises
    ------
    ToolError
        If it cannot be made.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix="working-", dir=cache))
    except OSError as error:
        raise ToolError(
            f"cache folder {cache} cannot be written ({error.strerror}); set SPIKEWRIGHT_CACHE to "
            f"a folder that can"
        ) from error
    try:
        yield working
    finally:
        shutil.rmtree(working, ignore_errors=True)


def keep(working: Path, names: Sequence[str], figures: dict[str, Any]) -> None:
    """Leaves only ``names`` in ``working``, and ``figures``, sealed, beside them."""
    for file in working.iterdir():
        if file.name not in names:
            file.unlink()
    figures["files"] = {name: sha256(working / name) for name in sorted(names)}
    figures["sha256"] = _seal(figures)
    write_json(working / FIGURES, figures)


def move(working: Path, entry: Path, there: Callable[[], bool]) -> None:
    """Puts what was made among what is kept."""
    shutil.rmtree(entry, ignore_errors=True)
    try:
        os.replace(working, entry)
    except OSError:
        # Another process may have put the same there meanwhile.
        if not there():
            raise


def whole(entry: Path) -> dict[str, Any] | None:
    """The figures that :func:`keep` wrote, None if they or a file were damaged."""
    try:
        figures = json.loads((entry / FIGURES).read_text(encoding="utf-8"))
        intact = figures["sha256"] == _seal(figures) and all(
            sha256(entry / name) == digest for name, digest in figures["files"].items())
    except (OSError, *MALFORMED):
        return None
    return figures if intact else None


def _seal(figures: dict[str, Any]) -> str:
    """By which figures that were kept are known to be whole: of all but itself."""
    sealed = {name: value for name, value in figures.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def packed(content: bytes) -> bytes:
    """``content``, compressed; equal contents stay equal."""
    # The fastest: a netlist is written more often than it is read.
    return gzip.compress(content, compresslevel=1, mtime=0)


def unpacked(path: Path) -> bytes:
    """What :func:`packed` took."""
    return gzip.decompress(path.read_bytes())


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
