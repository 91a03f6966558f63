"""The folding that a network gets on a board if none is asked for, remembered for other trainings.

It takes as long to find as a second training's bitstream may take at most. So it is found for what
all trainings of a network have in common, and kept under :func:`~.cache.cache_folder`.
"""

from contextlib import suppress

from ..gen.errors import MALFORMED, SpikewrightError
from ..gen.folding import Folding, Loadable
from ..gen.folding_options import from_json, to_json
from ..gen.spec import NetworkSpec
from ..gen.template import template
from ..gen.widths import proven_widths, spare_widths
from .fit import fastest_folding
from .registry import Board
from .remembered import Remembered


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
    kept = Remembered("foldings", stands.digest, widths, board, loadable)
    found = None
    if use_cache and (said := kept.recall()) is not None:
        with suppress(SpikewrightError, *MALFORMED):  # it was damaged
            found = from_json(stands, said)
    if found is None:
        found = fastest_folding(stands, board, loadable, widths)
        kept.keep(to_json(stands, found))
    return Folding.each(*found.of(stands), spec=spec).with_widths(spare, spec=spec)
