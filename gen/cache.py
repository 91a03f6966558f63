"""Where results that can be made again are kept: builds, encoded samples."""

import os
from pathlib import Path

from platformdirs import user_cache_path

VARIABLE = "SPIKEWRIGHT_CACHE"


def cache_folder() -> Path:
    """``$SPIKEWRIGHT_CACHE``, else ``spikewright`` in the user's cache folder; it may be deleted at
    any time."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else user_cache_path("spikewright", appauthor=False)
