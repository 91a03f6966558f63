"""What was found out of a network's shape, kept under :func:`~.cache.cache_folder` for its other
trainings.

What is kept follows from its key and the code, so it changes how long something takes, and never
what comes out.
"""

import hashlib
import json
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..gen import __path__ as _GEN
from ..gen.cache import cache_folder
from ..gen.errors import MALFORMED, SpikewrightError
from ..gen.runfolder import write_output


class Remembered:
    """A value of JSON, one of ``kind``, that follows from ``key`` alone, by its ``repr``."""

    def __init__(self, kind: str, *key: Any):
        said = repr((key, _sources(), version("amaranth")))
        self._path = cache_folder() / kind / f"{hashlib.sha256(said.encode()).hexdigest()}.json"

    def recall(self) -> Any:
        """The value, which is not null; None if none is kept, or it was damaged."""
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, *MALFORMED):
            return None

    def keep(self, value: Any) -> None:
        """Keeps it; without a place for that, it has to be found again."""
        with suppress(SpikewrightError):
            write_output(self._path, json.dumps(value))


@cache
def _sources() -> str:
    """SHA-256 of the code that decides."""
    hasher = hashlib.sha256()
    for folder in (*_GEN, Path(__file__).parent):
        for path in sorted(Path(folder).rglob("*.py")):
            hasher.update(path.name.encode() + path.read_bytes())
    return hasher.hexdigest()
