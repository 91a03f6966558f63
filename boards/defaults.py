"""The folding that a network gets on a board if none is asked for, remembered for other trainings.

It takes as long to find as a second training's bitstream may take at most. So it is found for what
all trainings of a network have in common, and kept under :func:`~.cache.cache_folder`.
"""

import hashlib
import json
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ..gen import __path__ as _GEN
from ..gen.cache import cache_folder
from ..gen.errors import MALFORMED, SpikewrightError
from ..gen.folding import Folding, Loadable
from ..gen.folding_options import from_json, to_json
from ..gen.runfolder import write_output
from ..gen.spec import NetworkSpec
from ..gen.template import template
from ..gen.widths import proven_widths, spare_widths
from .fit import fastest_folding
from .registry import Board


def default_folding(spec: NetworkSpec, board: Board, loadable: Loadable = Loadable.NOTHING, *,
                    use_cache: bool = True) -> Folding:
    """The fastest hardware that is said to fit (:func:`~.fit.fastest_folding`) a network of the
    shape of ``spec``: every training has the same, but for those whose words have to be wider.

    What was found before is taken from the cache, unless ``use_cache`` is False. It follows from
    the network's template, the words' widths, what is ``loadable``, the board and the code, which
    are its key, so it is the same whatever is in the cache.
    """
    spare, stands = spare_widths(spec), template(spec)
    widths = tuple(mine | its for mine, its in zip(spare, proven_widths(stands), strict=True))
    said = repr((stands.digest, widths, board, loadable, _sources(), version("amaranth")))
    entry = cache_folder() / "foldings" / f"{hashlib.sha256(said.encode()).hexdigest()}.json"
    found = None
    if use_cache:
        try:
            found = from_json(stands, json.loads(entry.read_text(encoding="utf-8")))
        except (OSError, SpikewrightError, *MALFORMED):
            pass  # there is none, or it was damaged
    if found is None:
        found = fastest_folding(stands, board, loadable, widths)
        # Without a place to keep it, it is found again.
        with suppress(SpikewrightError):
            write_output(entry, json.dumps(to_json(stands, found)))
    return Folding.each(*found.of(stands), spec=spec).with_widths(spare, spec=spec)


@cache
def _sources() -> str:
    """SHA-256 of the code that decides."""
    hasher = hashlib.sha256()
    for folder in (*_GEN, Path(__file__).parent):
        for path in sorted(Path(folder).rglob("*.py")):
            hasher.update(path.name.encode() + path.read_bytes())
    return hasher.hexdigest()
