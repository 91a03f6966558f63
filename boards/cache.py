"""Where builds are made, beside those that are kept."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..gen.errors import ToolError


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
